package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// EventType is a type of the catalogue: built in, or the account's own.
type EventType struct {
	Name        string          `json:"name" doc:"Such as scan.completed."`
	Description string          `json:"description" doc:"When events of this type happen."`
	Schema      json.RawMessage `json:"schema,omitempty" doc:"JSON Schema (draft 2020-12) of the data; left out when any data goes." api:"any"`
	Sample      json.RawMessage `json:"sample,omitempty" doc:"Data as it may look; tests send it." api:"any"`
	BuiltIn     bool            `json:"built_in" doc:"The type came with the server and cannot be changed."`
	Operational bool            `json:"operational" doc:"It is about the webhooks themselves; an endpoint gets it only when it names it."`
	CreatedAt   *Time           `json:"created_at" doc:"When the account registered it; null for built-in types."`
	UpdatedAt   *Time           `json:"updated_at" doc:"When it was last changed; null for built-in types."`
}

// NewEventType is a type to register.
type NewEventType struct {
	Name        string          `json:"name" doc:"Lower-case words with full stops between them, such as order.shipped."`
	Description string          `json:"description,omitempty" doc:"When events of this type happen." maxLength:"500"`
	Schema      json.RawMessage `json:"schema,omitempty" doc:"JSON Schema (draft 2020-12) that data must satisfy; left out, any data goes." api:"any"`
	Sample      json.RawMessage `json:"sample,omitempty" doc:"Data as it may look; it must satisfy the schema." api:"any"`
}

// EventTypePatch changes what it names. A schema or sample of JSON null is removed.
type EventTypePatch struct {
	Description *string         `json:"description,omitempty" doc:"When events of this type happen." maxLength:"500"`
	Schema      json.RawMessage `json:"schema,omitempty" doc:"The new JSON Schema; null removes it." api:"any"`
	Sample      json.RawMessage `json:"sample,omitempty" doc:"The new sample; null removes it." api:"any"`
}

// EventTypes reads the whole catalogue, which is one page: built-in types first, then
// the account's own.
func (c *Client) EventTypes(ctx context.Context) ([]EventType, error) {
	list, err := get[Page[EventType]](ctx, c, "/v1/event-types", nil)
	return list.Data, err
}

// EventType reads one type.
func (c *Client) EventType(ctx context.Context, name string) (EventType, error) {
	return get[EventType](ctx, c, path("/v1/event-types", name), nil)
}

// CreateEventType registers a type of the account's own.
func (c *Client) CreateEventType(ctx context.Context, in NewEventType) (EventType, error) {
	return send[EventType](ctx, c, http.MethodPost, "/v1/event-types", in)
}

// UpdateEventType changes a type of the account's own.
func (c *Client) UpdateEventType(ctx context.Context, name string, in EventTypePatch) (EventType, error) {
	return send[EventType](ctx, c, http.MethodPatch, path("/v1/event-types", name), in)
}

// DeleteEventType removes a type of the account's own; a conflict while endpoints name it.
func (c *Client) DeleteEventType(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/v1/event-types", name)}, nil)
	return err
}
