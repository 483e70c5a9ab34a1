package publish

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/nearest"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// prepare checks the events of a call and makes their bytes.
func (p *Publisher) prepare(acc *account, in []Input, operational bool) ([]store.NewEvent, error) {
	now := p.cfg.Lanes.Now().UTC().Truncate(time.Millisecond)
	events := make([]store.NewEvent, len(in))
	budget := catalog.NewBudget()
	for i := range in {
		e, err := prepareOne(acc, budget, i, &in[i], now, operational)
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}

func prepareOne(acc *account, budget *catalog.Budget, i int, in *Input, now time.Time, operational bool) (store.NewEvent, error) {
	if err := checkType(acc, i, in.Type, operational); err != nil {
		return store.NewEvent{}, err
	}
	id, err := eventID(i, in.ID)
	if err != nil {
		return store.NewEvent{}, err
	}
	if len(in.Data) == 0 {
		return store.NewEvent{}, invalid(i, "data", "is missing; send the event's data as a JSON object")
	}
	if len(in.Data) > MaxBody {
		return store.NewEvent{}, tooLarge(i, len(in.Data))
	}
	if err := checkData(acc, budget, i, in); err != nil {
		return store.NewEvent{}, err
	}
	body, err := webhook.EncodeBody(id, in.Type, now, in.Data)
	if err != nil {
		return store.NewEvent{}, invalid(i, "data", "is not valid JSON: %v", err)
	}
	if len(body) > MaxBody {
		return store.NewEvent{}, tooLarge(i, len(body))
	}
	return store.NewEvent{ID: id, Type: in.Type, CreatedAt: now, Body: body, Hash: contentHash(in.Type, body), Key: in.Key}, nil
}

func checkType(acc *account, i int, name string, operational bool) error {
	if name == "" {
		return invalid(i, "type", "is missing; name the event's type, for example scan.completed")
	}
	if catalog.IsOperational(name) && !operational {
		return invalid(i, "type", "%s is an operational event, which only this server publishes", name)
	}
	if acc.known(name) {
		return nil
	}
	if near := nearest.Name(name, acc.names); near != "" {
		return invalid(i, "type", "%.128q is not a known event type; did you mean %s?", name, near)
	}
	return invalid(i, "type", "%.128q is not a known event type; see GET /v1/event-types, or register it with POST /v1/event-types", name)
}

func eventID(i int, given string) (string, error) {
	if given == "" {
		return uuid.Must(uuid.NewV7()).String(), nil
	}
	id, err := uuid.Parse(given)
	if err != nil || len(given) != 36 {
		return "", invalid(i, "id", "must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057; leave it out to have one made")
	}
	return id.String(), nil
}

// checkData checks an event's data against the schema of its type, which is known.
func checkData(acc *account, budget *catalog.Budget, i int, in *Input) error {
	validator, err := acc.validator(in.Type)
	if err != nil {
		return invalid(i, "type", "%s cannot be published now, because %v; change the schema", in.Type, err)
	}
	if err := validator.ValidateWithin(budget, in.Data); err != nil {
		return invalidData(i, err)
	}
	return nil
}

func invalidData(i int, err error) error {
	if errors.Is(err, catalog.ErrBusy) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	var fields *catalog.FieldErrors
	if !errors.As(err, &fields) {
		return invalid(i, "data", "%v", err)
	}
	e := &Invalid{Index: i}
	for _, f := range fields.Fields {
		e.Fields = append(e.Fields, Field{Name: f.Field, Message: f.Message})
	}
	return e
}

func tooLarge(i, size int) error {
	return &Invalid{Index: i, TooLarge: true, Fields: []Field{{Name: "data", Message: tooLargeMessage(size)}}}
}

// contentHash is over what the publisher chose: the type and the data, not the
// id and the time that were added. Equal hashes are the same event sent again.
func contentHash(eventType string, body []byte) [32]byte {
	// The first such text is the key itself: an id and a type cannot hold quotes.
	data := body[bytes.Index(body, []byte(`,"data":`)):]
	h := sha256.New()
	h.Write([]byte(eventType))
	h.Write(data)
	return [32]byte(h.Sum(nil))
}
