package catalog

import (
	"strconv"
	"strings"
)

// maxFieldErrors bounds the list for one event. Nobody reads more, and the data may hold a mistake in every byte.
const maxFieldErrors = 20

// maxFieldBytes bounds a field's path, because its parts were chosen by whoever sent the data.
const maxFieldBytes = 256

// FieldError is one mistake in the data of an event.
type FieldError struct {
	// Field is the path from the event, for example data.findings[3].score. A key that would make such a path ambiguous
	// stands in brackets and quotes: data["a.b"].
	Field string `json:"field"`
	// Message says in plain words what is wrong and what to do. It never repeats the value that was sent.
	Message string `json:"message"`
}

// FieldErrors is the error for data that does not fit its type. It holds 1 to 20 mistakes, ordered by field.
type FieldErrors struct {
	Fields []FieldError
}

// Error implements error: all mistakes on one line.
func (e *FieldErrors) Error() string {
	lines := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		lines[i] = f.Field + " " + f.Message
	}
	return strings.Join(lines, "; ")
}

// step is one step of the way to a value: a key, or a place in a list.
type step struct {
	key   string
	index int // used if list
	list  bool
}

// dotted writes a path as people write it, beginning with the event's key for its data.
func dotted(path []step) string {
	var b strings.Builder
	b.WriteString("data")
	for _, s := range path {
		switch {
		case s.list:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case s.key == "" || strings.ContainsAny(s.key, ".[]\" \t\r\n"):
			b.WriteString("[" + strconv.Quote(s.key) + "]")
		default:
			b.WriteString("." + s.key)
		}
	}
	if text := b.String(); len(text) > maxFieldBytes {
		return strings.ToValidUTF8(text[:maxFieldBytes], "") + "..."
	}
	return b.String()
}

// pointer writes a path as a JSON pointer (RFC 6901).
func pointer(path []step) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteByte('/')
		if s.list {
			b.WriteString(strconv.Itoa(s.index))
			continue
		}
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s.key))
	}
	return b.String()
}
