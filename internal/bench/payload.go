package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

const (
	// eventBytes is the length of every body that reaches the receiver, those of the
	// ceiling too.
	eventBytes = 500

	// singleType is the type of all events when there is one endpoint.
	singleType = "scan.completed"

	// otherType is subscribed to by endpoints that get no events while it is measured.
	otherType = "score.changed"

	// someID stands for the id that the program gives to an event; all are of this length.
	someID = "01890a5d-ac96-774b-bcce-b302099a8057"
)

// dataFormat is the data of an event: a real one, with the mark and with
// what fills it up as unknown fields, which the schema allows.
const dataFormat = `{"scan_id":12345,"job_id":67890,"domain":"shop.example.com","score":85,"grade":"B","issues_count":8,` +
	`"critical_issues":0,"high_issues":2,"medium_issues":3,"low_issues":3,"scanned_at":"2026-03-08T12:34:56.789Z","scan_duration_ms":2847,` +
	markMember + `%s","filler":"%s"}`

// eventTypes names the types of a measurement with that many endpoints. An event
// goes to the endpoints that subscribe to its type, so with several endpoints
// each gets a type of its own: one event, one delivery, however many there are.
func eventTypes(endpoints int) []string {
	if endpoints == 1 {
		return []string{singleType}
	}
	types := make([]string, endpoints)
	for i := range types {
		types[i] = fmt.Sprintf("%s.shop%03d", singleType, i)
	}
	return types
}

// eventData makes data of such a length that the delivered body has eventBytes.
func eventData(eventType string) (json.RawMessage, error) {
	noMark := strings.Repeat("0", markBytes)
	empty, err := webhook.EncodeBody(someID, eventType, time.UnixMilli(0), fmt.Appendf(nil, dataFormat, noMark, ""))
	if err != nil {
		return nil, fmt.Errorf("make the data of %s: %w", eventType, err)
	}
	if len(empty) > eventBytes {
		return nil, fmt.Errorf("an event of type %s does not fit into %d bytes", eventType, eventBytes)
	}
	return fmt.Appendf(nil, dataFormat, noMark, strings.Repeat("x", eventBytes-len(empty))), nil
}

// template is a text with a place for a mark.
type template struct {
	text []byte
	at   int
}

func newTemplate(text []byte) template { return template{text: text, at: markAt(text)} }

// append adds the text, marked, to b.
func (t template) append(b []byte, m mark) []byte {
	start := len(b)
	b = append(b, t.text...)
	m.put(b[start+t.at:])
	return b
}

// composer writes the bodies of requests.
type composer struct {
	templates []template // by type; event n is of type n modulo their number
	run       int
	batch     int // events in one body; 0 = one, on its own
}

// newComposer makes bodies that publish events, or with delivered set such as the
// receiver gets in the end.
func newComposer(types []string, run, batch int, delivered bool) (composer, error) {
	c := composer{run: run, batch: batch}
	for _, eventType := range types {
		data, err := eventData(eventType)
		if err != nil {
			return c, err
		}
		text := fmt.Appendf(nil, `{"type":%q,"data":%s}`, eventType, data)
		if delivered {
			if text, err = webhook.EncodeBody(someID, eventType, time.UnixMilli(0), data); err != nil {
				return c, fmt.Errorf("make a body: %w", err)
			}
		}
		c.templates = append(c.templates, newTemplate(text))
	}
	return c, nil
}

// append adds a body with the events first, first+1 ... to b.
func (c composer) append(b []byte, first, count int, sent time.Time) []byte {
	if c.batch == 0 {
		return c.appendEvent(b, first, sent)
	}
	b = append(b, `{"events":[`...)
	for i := range count {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendEvent(b, first+i, sent)
	}
	return append(b, "]}"...)
}

func (c composer) appendEvent(b []byte, seq int, sent time.Time) []byte {
	return c.templates[seq%len(c.templates)].append(b, mark{run: c.run, seq: seq, sent: sent})
}

// identify writes over the id of a delivered body one that no other event of the whole
// run has, and gives it.
func (c composer) identify(body []byte, seq int) string {
	const own = runDigits + seqDigits
	at := bytes.Index(body, []byte(someID[:len(someID)-own])) // the id comes first
	id := body[at : at+len(someID)]
	digits := id[len(id)-own:]
	putDigits(digits[:runDigits], int64(c.run))
	putDigits(digits[runDigits:], int64(seq))
	return string(id)
}
