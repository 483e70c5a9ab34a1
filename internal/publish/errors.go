package publish

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBusy says that more events wait to be accepted than this node takes on.
// Nothing was written; try again after a moment.
var ErrBusy = errors.New("too many events wait to be accepted")

// Invalid says what is wrong with one event of a call. Nothing was accepted.
type Invalid struct {
	Index    int  // of the event in the call, from 0
	TooLarge bool // the event is larger than MaxBody
	Fields   []Field
}

// Field is one thing that is wrong, and what to do about it.
type Field struct {
	Name    string // type, id, data, data.score ...
	Message string
}

// Error lists the fields.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Name + ": " + f.Message
	}
	return fmt.Sprintf("event %d: %s", e.Index, strings.Join(parts, "; "))
}

func invalid(index int, name, format string, args ...any) error {
	return &Invalid{Index: index, Fields: []Field{{Name: name, Message: fmt.Sprintf(format, args...)}}}
}

func tooLargeMessage(size int) string {
	return fmt.Sprintf("the event would be %d bytes; the most is %d. Send a link to large data instead", size, MaxBody)
}
