package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SetPath returns data with the value at path replaced or added, for "trigger --set data.score=42". Everything else
// keeps its bytes and its order.
//
// The path is written as in [FieldError], such as data.findings[0].title; the leading "data." may be left out. Missing
// objects on the way are made; a list grows by one when the place after its end is set. The value is taken as JSON if
// it is JSON (42, true, null, {"a":1}, "42"), else as a string.
func SetPath(data json.RawMessage, path string, value string) (json.RawMessage, error) {
	steps, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		data = json.RawMessage("{}")
	}
	var d document
	if f := d.parse(data); f != nil {
		return nil, fmt.Errorf("set %s: %w", path, f.fieldErrors())
	}
	changed, err := d.set(steps, valueOf(value))
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", path, err)
	}
	return changed, nil
}

// parsePath reads the path of SetPath. A path of no steps means the data as a whole.
func parsePath(path string) ([]step, error) {
	var steps []step
	for word := range strings.SplitSeq(path, ".") {
		key, places, listed := strings.Cut(word, "[")
		if key == "" {
			return nil, fmt.Errorf("path %q: a name is missing; write it as in data.score or data.findings[0].title", path)
		}
		steps = append(steps, step{key: key})
		if !listed {
			continue
		}
		if !strings.HasSuffix(places, "]") {
			return nil, fmt.Errorf("path %q: a ] is missing", path)
		}
		for place := range strings.SplitSeq(strings.TrimSuffix(places, "]"), "][") {
			n, err := strconv.ParseUint(place, 10, 31)
			if err != nil {
				return nil, fmt.Errorf("path %q: %q is not a place in a list; the first is 0", path, place)
			}
			steps = append(steps, step{index: int(n), list: true})
		}
	}
	if steps[0].key == "data" {
		steps = steps[1:]
	}
	return steps, nil
}

// valueOf reads what a person typed as a value.
func valueOf(text string) []byte {
	if json.Valid([]byte(text)) {
		return bytes.TrimSpace([]byte(text))
	}
	return encodeString(text)
}

// encodeString writes a JSON string and leaves <, > and & as they are.
func encodeString(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return []byte(`""`) // a string can always be encoded
	}
	return bytes.TrimSpace(b.Bytes())
}

// set replaces or adds the value at the end of the steps.
func (d *document) set(steps []step, value []byte) ([]byte, error) {
	at := 0
	for i, s := range steps {
		next, err := d.find(at, steps[:i], s)
		if err != nil {
			return nil, err
		}
		if next < 0 {
			missing, err := wrap(steps[:i+1], steps[i+1:], value)
			if err != nil {
				return nil, err
			}
			return d.add(at, s, missing), nil
		}
		at = next
	}
	return d.splice(d.nodes[at].value, value), nil
}

// find returns the node one step inside node at, or -1 if there is none yet. way is how at was reached.
func (d *document) find(at int, way []step, s step) (int, error) {
	n := &d.nodes[at]
	switch {
	case s.list && n.kind == kindList:
		if s.index > int(n.children) {
			return 0, fmt.Errorf("%s has %s: the next place is [%d]", dotted(way), count(int(n.children), "item"), n.children)
		}
		return d.item(at, s.index), nil
	case !s.list && n.kind == kindObject:
		return d.child(at, s.key), nil
	case s.list:
		return 0, fmt.Errorf("%s is not a list", dotted(way))
	}
	return 0, fmt.Errorf("%s is not an object", dotted(way))
}

// add puts a value behind all others of the list or object at.
func (d *document) add(at int, s step, value []byte) []byte {
	var b bytes.Buffer
	n := &d.nodes[at]
	if n.children > 0 {
		b.WriteByte(',')
	}
	if !s.list {
		b.Write(encodeString(s.key))
		b.WriteByte(':')
	}
	b.Write(value)
	end := n.value.to - 1
	if n.children > 0 {
		end = d.lastEnd(at)
	}
	return d.splice(span{end, end}, b.Bytes())
}

// lastEnd returns where the last value inside the node ends.
func (d *document) lastEnd(at int) int32 {
	var end int32
	for c := at + 1; c < int(d.nodes[at].next); c = int(d.nodes[c].next) {
		end = d.nodes[c].value.to
	}
	return end
}

// wrap puts a value into the objects and lists that the steps name and that do not exist yet, behind the steps of way.
func wrap(way, steps []step, value []byte) ([]byte, error) {
	for i := len(steps) - 1; i >= 0; i-- {
		if !steps[i].list {
			value = fmt.Appendf(nil, "{%s:%s}", encodeString(steps[i].key), value)
			continue
		}
		if steps[i].index > 0 {
			return nil, fmt.Errorf("%s does not exist yet: its first place is [0]", dotted(slices.Concat(way, steps[:i])))
		}
		value = fmt.Appendf(nil, "[%s]", value)
	}
	return value, nil
}

func (d *document) splice(s span, value []byte) []byte {
	return bytes.Join([][]byte{d.text[:s.from], value, d.text[s.to:]}, nil)
}
