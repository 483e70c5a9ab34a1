package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/compliancelayer/compliancelayer/client"
)

// eventTypesCmd groups what concerns the catalogue.
type eventTypesCmd struct {
	List   eventTypesListCmd   `cmd:"" help:"List the catalogue."`
	Get    eventTypesGetCmd    `cmd:"" help:"Show a type with its schema and sample."`
	Create eventTypesCreateCmd `cmd:"" help:"Register a type of your own."`
	Update eventTypesUpdateCmd `cmd:"" help:"Change a type of your own; what is not named stays."`
	Delete eventTypesDeleteCmd `cmd:"" help:"Remove a type of your own."`
}

type eventTypesListCmd struct{ remote }

// Run lists the catalogue.
func (e *eventTypesListCmd) Run(ctx context.Context, c *console) error {
	cl, err := e.dial(c)
	if err != nil {
		return err
	}
	types, err := cl.EventTypes(ctx)
	if err != nil {
		return err
	}
	return printPage(c, e.JSON, client.Page[client.EventType]{Data: types}, []string{"NAME", "KIND", "DESCRIPTION"}, func(t client.EventType) []string {
		kind := "own"
		switch {
		case t.Operational:
			kind = "operational"
		case t.BuiltIn:
			kind = "built in"
		}
		return []string{t.Name, kind, t.Description}
	})
}

type eventTypesGetCmd struct {
	remote
	Name string `arg:"" help:"The type."`
}

// Run shows a type.
func (e *eventTypesGetCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &e.remote, func(cl *client.Client) (client.EventType, error) {
		t, err := cl.EventType(ctx, e.Name)
		if err != nil {
			return t, suggestType(ctx, cl, e.Name, err)
		}
		return t, nil
	}, showType)
}

func showType(c *console, t client.EventType) {
	c.details(field{"name", t.Name}, field{"description", t.Description}, field{"created", when(t.CreatedAt)}, field{"updated", when(t.UpdatedAt)})
	for _, part := range []struct {
		name string
		text json.RawMessage
	}{{"schema", t.Schema}, {"sample", t.Sample}} {
		if len(part.text) > 0 {
			c.say("%s\n%s", c.paint(dim, part.name), painted(cleanText(pretty(part.text))))
		}
	}
}

// typeParts are the parts of a type of one's own.
type typeParts struct {
	Description *string `help:"When events of this type happen."`
	Schema      string  `help:"File with the JSON Schema of the data; - is standard input." placeholder:"FILE"`
	Sample      string  `help:"File with data as it may look; - is standard input." placeholder:"FILE"`
}

// read reads the two files; a part without a file is nil.
func (p typeParts) read(c *console) (schema, sample json.RawMessage, err error) {
	if p.Schema == "-" && p.Sample == "-" {
		return nil, nil, misuse("only one of --schema and --sample can be standard input")
	}
	if schema, err = readJSON(c, "--schema", p.Schema); err != nil {
		return nil, nil, err
	}
	sample, err = readJSON(c, "--sample", p.Sample)
	return schema, sample, err
}

func readJSON(c *console, flag, path string) (json.RawMessage, error) {
	if path == "" {
		return nil, nil
	}
	text, err := c.readAll(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if !json.Valid(text) {
		return nil, misuse("%s: %s is not JSON", flag, path)
	}
	return text, nil
}

type eventTypesCreateCmd struct {
	remote
	typeParts
	Name string `arg:"" help:"Lower-case words with full stops between them, such as order.shipped."`
}

// Run registers a type.
func (e *eventTypesCreateCmd) Run(ctx context.Context, c *console) error {
	schema, sample, err := e.read(c)
	if err != nil {
		return err
	}
	in := client.NewEventType{Name: e.Name, Schema: schema, Sample: sample}
	if e.Description != nil {
		in.Description = *e.Description
	}
	return ask(c, &e.remote, func(cl *client.Client) (client.EventType, error) { return cl.CreateEventType(ctx, in) }, showType)
}

type eventTypesUpdateCmd struct {
	remote
	typeParts
	Name string `arg:"" help:"The type."`
}

// Run changes a type. A file that holds null removes the part.
func (e *eventTypesUpdateCmd) Run(ctx context.Context, c *console) error {
	schema, sample, err := e.read(c)
	if err != nil {
		return err
	}
	if e.Description == nil && schema == nil && sample == nil {
		return misuse("nothing to change: name --description, --schema or --sample")
	}
	return ask(c, &e.remote, func(cl *client.Client) (client.EventType, error) {
		return cl.UpdateEventType(ctx, e.Name, client.EventTypePatch{Description: e.Description, Schema: schema, Sample: sample})
	}, showType)
}

type eventTypesDeleteCmd struct {
	remote
	Name string `arg:"" help:"The type."`
}

// Run removes a type.
func (e *eventTypesDeleteCmd) Run(ctx context.Context, c *console) error {
	return end(c, &e.remote, "deleted", e.Name, func(cl *client.Client) error { return cl.DeleteEventType(ctx, e.Name) })
}
