package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
)

// NewEvent is an event to publish.
type NewEvent struct {
	ID   string          `json:"id,omitempty" doc:"A UUID of your own. Publishing the same id with the same content again answers as the first time; with other content it is a conflict. Left out, the server makes one." format:"uuid"`
	Type string          `json:"type" doc:"The name of a type in the catalogue, such as scan.completed."`
	Data json.RawMessage `json:"data" doc:"What happened: any JSON that fits the schema of the type. It is delivered byte for byte, but for white space." api:"any"`

	// IdempotencyKey is sent as Idempotency-Key when it is not empty: up to 255 visible
	// ASCII characters. It does for Publish what ID does.
	IdempotencyKey string `json:"-"`
}

// AcceptedEvent is the answer to a published event: it and all its deliveries are
// on disk.
type AcceptedEvent struct {
	ID         string        `json:"id" doc:"The event's id." format:"uuid"`
	Type       string        `json:"type" doc:"Its type."`
	CreatedAt  Time          `json:"created_at" doc:"When it was accepted."`
	Deliveries []DeliveryRef `json:"deliveries" doc:"One for each endpoint that subscribes to the type; empty when none does."`
	Replayed   bool          `json:"replayed,omitempty" doc:"Of a batch: this item had been accepted before."`
}

// DeliveryRef names a delivery and where it goes.
type DeliveryRef struct {
	ID         string `json:"id" doc:"The delivery's number." pattern:"^[0-9]+$"`
	EndpointID string `json:"endpoint_id" doc:"Where it goes."`
}

// NewEvents is a batch of events: all of them are accepted, or none.
type NewEvents struct {
	Events []NewEvent `json:"events" doc:"The events, in order." minItems:"1" maxItems:"1000"`

	// IdempotencyKey is sent as Idempotency-Key when it is not empty; item n has the key
	// with "#n" behind it.
	IdempotencyKey string `json:"-"`
}

// AcceptedEvents answers a batch, in its order.
type AcceptedEvents struct {
	Events []AcceptedEvent `json:"events" doc:"One answer for each event, in the order of the request."`
}

// Event is an accepted event.
type Event struct {
	ID            string          `json:"id" doc:"The event's id." format:"uuid"`
	Type          string          `json:"type" doc:"Its type."`
	CreatedAt     Time            `json:"created_at" doc:"When it was accepted."`
	DeliveryCount int             `json:"delivery_count" doc:"How many endpoints it matched."`
	Data          json.RawMessage `json:"data,omitempty" doc:"What was published; left out in lists." api:"any"`
}

// EventQuery narrows a list of events.
type EventQuery struct {
	Type      string `query:"type" doc:"Only events of this type."`
	From      Time   `query:"from" doc:"Only what was made at this time or later."`
	To        Time   `query:"to" doc:"Only what was made before this time."`
	Unmatched bool   `query:"unmatched" doc:"Only events that matched no endpoint."`
	PageQuery
}

// Publish publishes an event. Replayed says that it had been accepted before.
func (c *Client) Publish(ctx context.Context, e NewEvent) (AcceptedEvent, error) {
	var out AcceptedEvent
	header, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/events", body: e, header: idempotency(e.IdempotencyKey)}, &out)
	if err == nil {
		out.Replayed, _ = strconv.ParseBool(header.Get("Idempotent-Replayed"))
	}
	return out, err
}

// PublishBatch publishes 1 to 1000 events, all or nothing.
func (c *Client) PublishBatch(ctx context.Context, in NewEvents) (AcceptedEvents, error) {
	var out AcceptedEvents
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/events/batch", body: in, header: idempotency(in.IdempotencyKey)}, &out)
	return out, err
}

func idempotency(key string) http.Header {
	if key == "" {
		return nil
	}
	return http.Header{"Idempotency-Key": {key}}
}

// Events reads a page of events, newest first, those without deliveries included.
func (c *Client) Events(ctx context.Context, q EventQuery) (Page[Event], error) {
	return get[Page[Event]](ctx, c, "/v1/events", q)
}

// Event reads one event with its data.
func (c *Client) Event(ctx context.Context, id string) (Event, error) {
	return get[Event](ctx, c, path("/v1/events", id), nil)
}
