package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/nearest"
)

// triggerCmd publishes the sample of a type.
type triggerCmd struct {
	remote
	Type string   `arg:"" help:"The type, such as scan.completed."`
	Set  []string `help:"Change the sample, as path=value; may be repeated. The value is JSON if it is JSON, else a text." sep:"none" placeholder:"PATH=VALUE"`
	ID   string   `name:"id" help:"A UUID of your own: publishing it again does nothing new."`
}

// Help shows how it is used.
func (t *triggerCmd) Help() string {
	return `For example:

    compliancelayer trigger scan.completed
    compliancelayer trigger scan.completed --set data.score=42 --set data.domain=example.org
    compliancelayer trigger alert.triggered --set severity=critical`
}

// Run publishes the sample.
func (t *triggerCmd) Run(ctx context.Context, c *console) error {
	cl, err := t.dial(c)
	if err != nil {
		return err
	}
	data, err := t.sample(ctx, cl)
	if err != nil {
		return err
	}
	for _, change := range t.Set {
		path, value, ok := strings.Cut(change, "=")
		if !ok {
			return misuse("--set %q: write it as path=value, such as data.score=42", change)
		}
		if data, err = catalog.SetPath(data, path, value); err != nil {
			return asUsage(fmt.Errorf("--set: %w", err))
		}
	}
	done, err := cl.Publish(ctx, client.NewEvent{ID: t.ID, Type: t.Type, Data: data})
	if err != nil {
		return err
	}
	return printOne(c, t.JSON, done, func() { showAccepted(c, done) })
}

// sample gives the sample of the type from the server, which also has the account's
// own types. A key that may only publish is served from the built-in ones.
func (t *triggerCmd) sample(ctx context.Context, cl *client.Client) (json.RawMessage, error) {
	found, err := cl.EventType(ctx, t.Type)
	if err == nil {
		if len(found.Sample) == 0 {
			return json.RawMessage("{}"), nil
		}
		return found.Sample, nil
	}
	var answer *client.Error
	if errors.As(err, &answer) && answer.Code == client.CodeForbidden {
		if known, ok := catalog.Lookup(t.Type); ok {
			return known.Sample, nil
		}
	}
	return nil, suggestType(ctx, cl, t.Type, err)
}

// suggestType adds the name that was probably meant to a "not found"; other errors
// stay as they are.
func suggestType(ctx context.Context, cl *client.Client, name string, err error) error {
	var answer *client.Error
	if !errors.As(err, &answer) || answer.Code != client.CodeNotFound {
		return err
	}
	types, listErr := cl.EventTypes(ctx)
	if listErr != nil {
		return err
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	problem := fmt.Errorf("%.128q is not a known event type", name)
	if near := nearest.Name(name, names); near != "" {
		problem = fmt.Errorf("%.128q is not a known event type; did you mean %s?", name, near)
	}
	return withHint(problem, "%s event-types list", programName)
}
