package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/publish"
)

// maxEvents is the most events of a batch (contract section 4).
const maxEvents = 1000

// parseEvent cuts an event out of a body. Its data lies in the body; publish validates it.
func parseEvent(body []byte) (publish.Input, error) {
	if !utf8.Valid(body) {
		return publish.Input{}, unreadable("body", "it is not valid UTF-8")
	}
	p := eventParser{scanner: scanner{b: body}}
	if p.next() != '{' {
		return publish.Input{}, p.refuse("body", "must be an object with type and data")
	}
	in, f := p.event("", 1)
	return in, p.end(f)
}

// parseBatch cuts all events out of the body of a batch.
func parseBatch(body []byte) ([]publish.Input, error) {
	if !utf8.Valid(body) {
		return nil, unreadable("body", "it is not valid UTF-8")
	}
	p := eventParser{scanner: scanner{b: body}}
	if p.next() != '{' {
		return nil, p.refuse("body", "must be an object with events")
	}
	in, f := p.batch()
	return in, p.end(f)
}

// eventParser reads publishing requests. It stops at the first flaw of the JSON, and
// collects what is wrong with its fields.
type eventParser struct {
	scanner
	wrong []client.Field
}

func (p *eventParser) add(name, format string, args ...any) {
	if len(p.wrong) < maxMistakes {
		p.wrong = append(p.wrong, client.Field{Name: name, Message: fmt.Sprintf(format, args...)})
	}
}

// refuse reports a body that is no object, as bad JSON when it is that.
func (p *eventParser) refuse(name, message string) error {
	if err := syntax(p.b); err != nil {
		return err
	}
	return validation(client.Field{Name: name, Message: message})
}

// end reports what was found, and anything behind the last bracket.
func (p *eventParser) end(f flaw) error {
	if f != "" && f != flawDepth {
		// encoding/json says where; the pass above only knows that something is wrong.
		if err := syntax(p.b); err != nil {
			return err
		}
	}
	if f != "" {
		return unreadable("body", "%s", f)
	}
	if p.next() != 0 || p.i < len(p.b) {
		return unreadable("body", "there is something behind its end; send one JSON object")
	}
	if len(p.wrong) > 0 {
		return validation(p.wrong...)
	}
	return nil
}

// members goes through the members of an object; each gets the name and stands
// before the value.
func (p *eventParser) members(each func(name string) flaw) flaw {
	p.take('{')
	if p.take('}') {
		return ""
	}
	for {
		inner, f := p.text()
		if f != "" {
			return f
		}
		name, ok := memberName(inner)
		if !ok || !p.take(':') {
			return flawSyntax
		}
		if f := each(name); f != "" {
			return f
		}
		if p.take('}') {
			return ""
		}
		if !p.take(',') {
			return flawSyntax
		}
	}
}

// memberName gives a name, those that are expected without making a new text.
func memberName(inner []byte) (string, bool) {
	switch string(inner) {
	case "id":
		return "id", true
	case "type":
		return "type", true
	case "data":
		return "data", true
	}
	return plain(inner)
}

// event reads an event at depth, its place being path.
func (p *eventParser) event(path string, depth int) (in publish.Input, f flaw) {
	var id, typ, data bool
	f = p.members(func(name string) flaw {
		switch name {
		case "id":
			return p.string(path, name, &id, &in.ID)
		case "type":
			return p.string(path, name, &typ, &in.Type)
		case "data":
			p.once(path, name, &data)
			raw, f := p.value(depth)
			in.Data = json.RawMessage(raw)
			return f
		}
		return p.unknown(path, name, depth, "type", "data", "id")
	})
	if f != "" {
		return in, f
	}
	if !typ {
		p.add(dotted(path, "type"), "is missing")
	}
	if !data {
		p.add(dotted(path, "data"), "is missing")
	}
	return in, ""
}

// once notes that a member was seen, and that it was seen before.
func (p *eventParser) once(path, name string, seen *bool) {
	if *seen {
		p.add(dotted(path, name), "is there twice; write it once")
	}
	*seen = true
}

// string reads a member that must be a text.
func (p *eventParser) string(path, name string, seen *bool, to *string) flaw {
	p.once(path, name, seen)
	if p.next() != '"' {
		p.add(dotted(path, name), "must be a text")
		_, f := p.value(0)
		return f
	}
	inner, f := p.text()
	if f != "" {
		return f
	}
	var ok bool
	if *to, ok = plain(inner); !ok {
		return flawSyntax
	}
	if *to == "" {
		p.add(dotted(path, name), "is empty")
	}
	return ""
}

// unknown names a member that there is not and skips it.
func (p *eventParser) unknown(path, name string, depth int, known ...string) flaw {
	p.add(dotted(path, clipped(name)), "%s", unknownName(name, known))
	_, f := p.value(depth)
	return f
}

// batch reads {"events":[...]}.
func (p *eventParser) batch() (in []publish.Input, f flaw) {
	var seen bool
	f = p.members(func(name string) flaw {
		if name != "events" {
			return p.unknown("", name, 1, "events")
		}
		p.once("", name, &seen)
		if p.next() != '[' {
			p.add("events", "must be a list of events")
			_, f := p.value(1)
			return f
		}
		var f flaw
		in, f = p.events()
		return f
	})
	if f == "" && !seen {
		p.add("events", "is missing")
	}
	return in, f
}

// events reads the list of a batch.
func (p *eventParser) events() (in []publish.Input, f flaw) {
	p.take('[')
	if p.take(']') {
		p.add("events", "is empty; send 1 to %d events", maxEvents)
		return nil, ""
	}
	in = make([]publish.Input, 0, min(maxEvents, 1+bytes.Count(p.b[p.i:], []byte(`"type"`))))
	for {
		if len(in) == maxEvents {
			p.add("events", "has more than %d events; send them in several requests", maxEvents)
			return nil, p.restOfList()
		}
		path := fmt.Sprintf("events[%d]", len(in))
		if p.next() != '{' {
			p.add(path, "must be an object with type and data")
			if _, f := p.value(2); f != "" {
				return nil, f
			}
			in = append(in, publish.Input{})
		} else {
			one, f := p.event(path, 3)
			if f != "" {
				return nil, f
			}
			in = append(in, one)
		}
		if p.take(']') {
			return in, ""
		}
		if !p.take(',') {
			return nil, flawSyntax
		}
	}
}

// restOfList skips what is left of a list of which one item is next.
func (p *eventParser) restOfList() flaw {
	for {
		if _, f := p.value(2); f != "" {
			return f
		}
		if p.take(']') {
			return ""
		}
		if !p.take(',') {
			return flawSyntax
		}
	}
}
