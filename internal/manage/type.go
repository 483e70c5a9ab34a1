package manage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// EventType is a type of the catalogue, built in or the account's own.
type EventType struct {
	Name        string
	Description string
	Schema      json.RawMessage // nil = any data
	Sample      json.RawMessage // nil = none
	BuiltIn     bool
	Operational bool      // about the webhooks themselves; not matched by *
	CreatedAt   time.Time // zero when built in
	UpdatedAt   time.Time
}

// CreateType is what a type of the account's own is made of.
type CreateType struct {
	Name        string
	Description string          // at most 500 characters
	Schema      json.RawMessage // JSON Schema draft 2020-12; nil = any data
	Sample      json.RawMessage // must satisfy the schema; nil = none
}

// UpdateType changes what is not nil. A schema or sample of JSON null is removed.
type UpdateType struct {
	Name        string
	Description *string
	Schema      *json.RawMessage
	Sample      *json.RawMessage
}

// maxSample is the longest sample, in bytes: as long as a schema may be.
const maxSample = 64 << 10

// EventTypes lists the built-in types in the order of the documentation, then the account's own.
func (m *Manager) EventTypes(ctx context.Context, caller auth.Caller, _ struct{}) ([]EventType, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]EventType, error) {
		own, err := m.db.ListTypes(ctx, caller.AccountID)
		if err != nil {
			return nil, err
		}
		var types []EventType
		for _, t := range catalog.Builtin() {
			types = append(types, builtIn(t))
		}
		for _, t := range own {
			types = append(types, registered(t))
		}
		return types, nil
	})
}

// EventType reads one.
func (m *Manager) EventType(ctx context.Context, caller auth.Caller, name string) (EventType, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (EventType, error) {
		return m.eventType(ctx, caller.AccountID, name)
	})
}

// eventType finds a type, built in or the account's own.
func (m *Manager) eventType(ctx context.Context, accountID, name string) (EventType, error) {
	if t, ok := catalog.Lookup(name); ok {
		return builtIn(t), nil
	}
	if err := known(name); err != nil {
		return EventType{}, err
	}
	t, err := m.db.Type(ctx, accountID, name)
	if err != nil {
		return EventType{}, err
	}
	return registered(t), nil
}

// CreateType registers a type of the account's own.
func (m *Manager) CreateType(ctx context.Context, caller auth.Caller, in CreateType) (EventType, error) {
	return change(ctx, m, caller, auth.Manage, "event_type.create", func(ctx context.Context) (EventType, deed, error) {
		at := now()
		t := store.EventType{
			AccountID:   caller.AccountID,
			Name:        in.Name,
			Description: in.Description,
			Schema:      given(in.Schema),
			Sample:      given(in.Sample),
			CreatedAt:   at,
			UpdatedAt:   at,
		}
		var wrong mistakes
		if err := catalog.ValidName(in.Name); err != nil {
			wrong.add("name", "%s", err)
		}
		if err := m.checkType(ctx, &wrong, t); err != nil {
			return EventType{}, deed{}, err
		}
		err := m.db.CreateType(ctx, t, m.limits.Types)
		if errors.Is(err, store.ErrLimit) {
			return EventType{}, deed{}, store.Conflictf("this account has %s of its own, the most it may have: delete one first", counted(m.limits.Types, "event type", "event types"))
		}
		if err != nil {
			return EventType{}, deed{}, err
		}
		return registered(t), typeDeed(caller, in.Name, "schema "+presence(t.Schema)+", sample "+presence(t.Sample)), nil
	})
}

// UpdateType changes a type of the account's own. Events that were accepted before
// stay as they are.
func (m *Manager) UpdateType(ctx context.Context, caller auth.Caller, in UpdateType) (EventType, error) {
	return change(ctx, m, caller, auth.Manage, "event_type.update", func(ctx context.Context) (EventType, deed, error) {
		if err := ownType(in.Name, "changed"); err != nil {
			return EventType{}, deed{}, err
		}
		// Taken before the row is locked: nobody waits for a turn with a lock.
		if err := m.turns.Take(ctx); err != nil {
			return EventType{}, deed{}, err
		}
		defer m.turns.Give()
		var changes []string
		after, err := m.db.UpdateType(ctx, caller.AccountID, in.Name, func(t *store.EventType) error {
			changes = in.apply(t)
			t.UpdatedAt = now()
			var wrong mistakes
			wrong.eventType(*t)
			return wrong.err()
		})
		if err != nil {
			return EventType{}, deed{}, err
		}
		if len(changes) == 0 {
			return registered(after), deed{}, nil
		}
		return registered(after), typeDeed(caller, in.Name, strings.Join(changes, ", ")+" changed"), nil
	})
}

// apply writes what is not nil to t and names what changes.
func (in UpdateType) apply(t *store.EventType) (changes []string) {
	if in.Description != nil && *in.Description != t.Description {
		t.Description = *in.Description
		changes = append(changes, "description")
	}
	if in.Schema != nil && !bytes.Equal(given(*in.Schema), t.Schema) {
		t.Schema = given(*in.Schema)
		changes = append(changes, "schema")
	}
	if in.Sample != nil && !bytes.Equal(given(*in.Sample), t.Sample) {
		t.Sample = given(*in.Sample)
		changes = append(changes, "sample")
	}
	return changes
}

// DeleteType removes a type of the account's own. *store.Conflict names the endpoints
// that subscribe to it by its name. The answer is empty.
func (m *Manager) DeleteType(ctx context.Context, caller auth.Caller, name string) (struct{}, error) {
	return change(ctx, m, caller, auth.Manage, "event_type.delete", func(ctx context.Context) (struct{}, deed, error) {
		if err := ownType(name, "deleted"); err != nil {
			return struct{}{}, deed{}, err
		}
		users, err := m.subscribers(ctx, caller.AccountID, name)
		if err != nil {
			return struct{}{}, deed{}, err
		}
		if len(users) > 0 {
			return struct{}{}, deed{}, store.Conflictf("these endpoints subscribe to %s: %s; remove it from their events first", name, strings.Join(users, ", "))
		}
		if err := m.db.DeleteType(ctx, caller.AccountID, name); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, typeDeed(caller, name, ""), nil
	})
}

// subscribers lists the endpoints that name a type exactly.
func (m *Manager) subscribers(ctx context.Context, accountID, name string) ([]string, error) {
	subs, err := m.db.Subscriptions(ctx, accountID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range subs.Endpoints {
		if slices.Contains(s.Events, name) {
			ids = append(ids, s.EndpointID)
		}
	}
	return ids, nil
}

// ownType refuses names that are no type of an account's own.
func ownType(name, verb string) error {
	if _, ok := catalog.Lookup(name); ok {
		return store.Conflictf("event type %s is built in and cannot be %s", name, verb)
	}
	return known(name)
}

// checkType checks a type in its turn: compiling a schema may be costly.
func (m *Manager) checkType(ctx context.Context, wrong *mistakes, t store.EventType) error {
	if err := m.turns.Take(ctx); err != nil {
		return err
	}
	defer m.turns.Give()
	wrong.eventType(t)
	return wrong.err()
}

// eventType checks all of a type but its name. The sample must fit the schema.
func (m *mistakes) eventType(t store.EventType) {
	m.text("description", t.Description, 0, maxText)
	validator, err := catalog.Compile(t.Schema)
	var schema *catalog.SchemaError
	switch {
	case errors.As(err, &schema):
		m.add(pointed("schema", schema.Pointer), "%s", schema.Message)
		return
	case err != nil:
		m.add("schema", "%s", err)
		return
	}
	if len(t.Sample) == 0 {
		return
	}
	if len(t.Sample) > maxSample {
		m.add("sample", "has %d bytes; the most is %d", len(t.Sample), maxSample)
		return
	}
	m.sample(validator.Validate(t.Sample))
}

// sample adds the mistakes that validating a sample found.
func (m *mistakes) sample(err error) {
	if errors.Is(err, catalog.ErrBusy) {
		m.cause = err
		return
	}
	var found *catalog.FieldErrors
	if !errors.As(err, &found) {
		if err != nil {
			m.add("sample", "%s", err)
		}
		return
	}
	for _, f := range found.Fields {
		m.add("sample"+strings.TrimPrefix(f.Field, "data"), "%s", f.Message)
	}
}

// pointed writes the place of a mistake: schema, or schema/properties/score.
func pointed(name, pointer string) string { return name + pointer }

// given makes nothing of JSON null.
func given(raw json.RawMessage) json.RawMessage {
	if text := bytes.TrimSpace(raw); len(text) == 0 || string(text) == "null" {
		return nil
	}
	return raw
}

// presence says in a word whether there is one.
func presence(raw json.RawMessage) string {
	if raw == nil {
		return "none"
	}
	return "given"
}

// typeDeed is a deed done to an event type; publishing is told by the revision of the subscriptions.
func typeDeed(caller auth.Caller, name, detail string) deed {
	return deed{
		object: name,
		detail: detail,
		notes:  []store.Note{{Kind: store.EndpointChanged, AccountID: caller.AccountID}},
	}
}

// builtIn is a built-in type as it is shown.
func builtIn(t catalog.Type) EventType {
	return EventType{Name: t.Name, Description: t.Description, Schema: t.Schema, Sample: t.Sample, BuiltIn: true, Operational: t.Operational}
}

// registered is a type of an account's own as it is shown.
func registered(t store.EventType) EventType {
	return EventType{Name: t.Name, Description: t.Description, Schema: given(t.Schema), Sample: given(t.Sample), CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt}
}

// catalogued is the type in the catalogue's form.
func (t EventType) catalogued() catalog.Type {
	return catalog.Type{Name: t.Name, Description: t.Description, Operational: t.Operational, Custom: !t.BuiltIn, Schema: t.Schema, Sample: t.Sample}
}
