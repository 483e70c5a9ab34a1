package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrBadEvent means that an event cannot be written as a body, or that a body is not
// an event.
var ErrBadEvent = errors.New("webhook: not a valid event")

// Event is the content of a body. Its JSON tags give the right shape, but only
// [Event.MarshalBody] gives the exact bytes: json.Marshal escapes <, > and & in Data
// and writes the time with as many decimals as it has.
type Event struct {
	// ID is the event's UUID, the same for all endpoints and attempts: what a
	// receiver skips duplicates by.
	ID string `json:"id"`
	// Type is the name of the event's type, such as scan.completed.
	Type string `json:"type"`
	// CreatedAt is when the event was accepted, in UTC, to the millisecond.
	CreatedAt time.Time `json:"created_at"`
	// Data is the publisher's JSON, byte for byte apart from white space.
	Data json.RawMessage `json:"data"`
}

// timeLayout writes exactly three decimals, cutting off the rest (contract section 1).
const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalBody makes the body of the event, as [EncodeBody] does.
func (e Event) MarshalBody() ([]byte, error) {
	return EncodeBody(e.ID, e.Type, e.CreatedAt, e.Data)
}

// EncodeBody makes the body of an event (contract section 1): the keys id, type,
// created_at and data in this order, the time in UTC with exactly three decimals, and
// data as it is except for the white space outside its strings. Numbers, the order of
// keys and escapes stay, since whoever verifies signs these bytes. The slice is the
// caller's own.
//
// The id and the type also travel as headers, so both must be visible ASCII without
// quotes and backslashes; the id must have no full stop, because a full stop ends it
// in what [SignStandard] signs. Data may be any one JSON value in valid UTF-8.
// Everything else is [ErrBadEvent].
func EncodeBody(id, eventType string, createdAt time.Time, data json.RawMessage) ([]byte, error) {
	if err := checkNames(id, eventType); err != nil {
		return nil, err
	}
	utc := createdAt.UTC()
	// RFC 3339 has four digits for the year.
	if year := utc.Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("%w: the year of created_at has more than four digits", ErrBadEvent)
	}
	// Compact checks the grammar but not the encoding, and a receiver that turns
	// the body into text before it verifies would see other bytes.
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: data is not valid UTF-8", ErrBadEvent)
	}

	const punctuation = len(`{"id":"","type":"","created_at":"","data":}`)
	body := make([]byte, 0, punctuation+len(id)+len(eventType)+len(timeLayout)+len(data))
	body = append(body, `{"id":"`...)
	body = append(body, id...)
	body = append(body, `","type":"`...)
	body = append(body, eventType...)
	body = append(body, `","created_at":"`...)
	body = utc.AppendFormat(body, timeLayout)
	body = append(body, `","data":`...)

	// The room above is enough for all of it, so that the buffer never grows and
	// this pass over data, which also checks it, is the only one that copies.
	buf := bytes.NewBuffer(body)
	if err := json.Compact(buf, data); err != nil {
		return nil, fmt.Errorf("%w: data is not JSON: %w", ErrBadEvent, err)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// checkNames holds the rules of EncodeBody for what is also sent as a header.
func checkNames(id, eventType string) error {
	if id == "" || !plain(id) || strings.Contains(id, ".") {
		return fmt.Errorf("%w: the id must be visible ASCII without quotes, backslashes and full stops", ErrBadEvent)
	}
	if eventType == "" || !plain(eventType) {
		return fmt.Errorf("%w: the type must be visible ASCII without quotes and backslashes", ErrBadEvent)
	}
	return nil
}

// plain reports whether s needs no escape in JSON and may stand in a header.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ParseEvent reads a body. Call it after the body was verified. All four members must
// be there; others are ignored, because later versions may add some. Names are
// compared exactly, and of a repeated name the last counts, as in JavaScript. Whatever
// does not fit is [ErrBadEvent]; the error never quotes the body.
func ParseEvent(body []byte) (Event, error) {
	if !utf8.Valid(body) {
		return Event{}, fmt.Errorf("%w: the body is not valid UTF-8", ErrBadEvent)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return Event{}, fmt.Errorf("%w: the body is not a JSON object", ErrBadEvent)
	}

	var event Event
	var ok bool
	if event.ID, ok = text(members["id"]); !ok {
		return Event{}, fmt.Errorf("%w: id is missing or not a text", ErrBadEvent)
	}
	if event.Type, ok = text(members["type"]); !ok {
		return Event{}, fmt.Errorf("%w: type is missing or not a text", ErrBadEvent)
	}
	createdAt, _ := text(members["created_at"])
	at, err := time.Parse(time.RFC3339, createdAt)
	if err != nil || !strictTime(createdAt) {
		return Event{}, fmt.Errorf("%w: created_at is missing or not an RFC 3339 time", ErrBadEvent)
	}
	event.CreatedAt = at.UTC()
	if event.Data = members["data"]; event.Data == nil {
		return Event{}, fmt.Errorf("%w: data is missing", ErrBadEvent)
	}
	return event, nil
}

// strictTime refuses what time.Parse takes beyond RFC 3339: an hour of one digit, a
// comma before the decimals and zones that are more than a day away. Libraries of other
// languages refuse them as well.
func strictTime(parsed string) bool {
	const hourEnd, secondEnd = len("2006-01-02T15"), len("2006-01-02T15:04:05")
	if parsed[hourEnd] != ':' || parsed[secondEnd] == ',' {
		return false
	}
	if strings.HasSuffix(parsed, "Z") {
		return true
	}
	hours, minutes := parsed[len(parsed)-len("00:00"):len(parsed)-len(":00")], parsed[len(parsed)-len("00"):]
	return hours < "24" && minutes < "60"
}

// text reads a JSON string; ok is false for everything else and for the empty string.
func text(raw json.RawMessage) (s string, ok bool) {
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	return s, s != ""
}

// bodyID is the id that a body carries, or "" when it is not an object or has none.
func bodyID(body []byte) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return ""
	}
	id, _ := text(members["id"])
	return id
}
