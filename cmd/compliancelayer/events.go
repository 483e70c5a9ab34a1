package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
)

// eventsCmd groups what concerns events.
type eventsCmd struct {
	List    eventsListCmd    `cmd:"" help:"List events, newest first, those that matched no endpoint included."`
	Get     eventsGetCmd     `cmd:"" help:"Show an event with its data."`
	Publish eventsPublishCmd `cmd:"" help:"Publish an event."`
}

type eventsListCmd struct {
	remote
	paging
	period
	Type      string `help:"Only events of this type."`
	Unmatched bool   `help:"Only events that matched no endpoint."`
}

// Run lists events.
func (e *eventsListCmd) Run(ctx context.Context, c *console) error {
	return list(ctx, c, &e.remote, e.paging, func(cl *client.Client, ctx context.Context, p client.PageQuery) (client.Page[client.Event], error) {
		return cl.Events(ctx, client.EventQuery{Type: e.Type, From: e.From.wire(), To: e.To.wire(), Unmatched: e.Unmatched, PageQuery: p})
	}, []string{"ID", "TYPE", "CREATED", "DELIVERIES"}, func(ev client.Event) []string {
		return []string{ev.ID, ev.Type, at(ev.CreatedAt), strconv.Itoa(ev.DeliveryCount)}
	})
}

type eventsGetCmd struct {
	remote
	ID string `arg:"" help:"The event's id."`
}

// Run shows an event.
func (e *eventsGetCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &e.remote, (*client.Client).Event, e.ID, func(c *console, ev client.Event) {
		c.details(field{"id", ev.ID}, field{"type", ev.Type}, field{"created", at(ev.CreatedAt)}, field{"deliveries", strconv.Itoa(ev.DeliveryCount)})
		c.say("%s", painted(cleanText(pretty(ev.Data))))
	})
}

// pretty indents JSON; what is none stays as it is.
func pretty(text []byte) string {
	out, err := json.MarshalIndent(json.RawMessage(text), "", "  ")
	if err != nil {
		return string(text)
	}
	return string(out)
}

type eventsPublishCmd struct {
	remote
	Type           string `arg:"" help:"The type, such as scan.completed."`
	Data           string `help:"The data as JSON; @FILE reads a file, - or nothing reads standard input." default:"-"`
	ID             string `name:"id" help:"A UUID of your own: publishing it again does nothing new."`
	IdempotencyKey string `help:"The same for callers without a UUID: 1 to 255 characters."`
}

// Help shows how it is used.
func (e *eventsPublishCmd) Help() string {
	return `For example:

    compliancelayer events publish domain.added --data '{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z"}'
    compliancelayer events publish scan.completed --data @scan.json
    scanner | compliancelayer events publish scan.completed`
}

// Run publishes an event.
func (e *eventsPublishCmd) Run(ctx context.Context, c *console) error {
	data, err := e.data(c)
	if err != nil {
		return err
	}
	return ask(c, &e.remote, func(cl *client.Client) (client.AcceptedEvent, error) {
		return cl.Publish(ctx, client.NewEvent{ID: e.ID, Type: e.Type, Data: data, IdempotencyKey: e.IdempotencyKey})
	}, showAccepted)
}

func (e *eventsPublishCmd) data(c *console) (json.RawMessage, error) {
	text := []byte(e.Data)
	if path, isFile := strings.CutPrefix(e.Data, "@"); isFile || e.Data == "-" {
		var err error
		if text, err = c.readAll(path); err != nil {
			return nil, err
		}
	}
	if !json.Valid(text) {
		return nil, withHint(asUsage(errors.New("the data is not JSON")), "%s event-types get %s   (shows a sample)", programName, e.Type)
	}
	return text, nil
}

// showAccepted prints what became of a published event.
func showAccepted(c *console, done client.AcceptedEvent) {
	again := ""
	if done.Replayed {
		again = ", which had been accepted before"
	}
	c.say("published %s [%s]%s", done.Type, done.ID, again)
	for _, d := range done.Deliveries {
		c.say("  delivery %s to %s", d.ID, d.EndpointID)
	}
	if len(done.Deliveries) == 0 {
		c.note("No endpoint subscribes to this type. Next: compliancelayer endpoints create URL --events %s", done.Type)
	}
}
