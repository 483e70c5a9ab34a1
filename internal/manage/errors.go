package manage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// ErrForbidden means that the caller lacks the scope. *Forbidden carries which.
var ErrForbidden = errors.New("forbidden")

// ErrNoAttempt means that a delivery is there and has no attempt of that number; it is a
// store.ErrNotFound.
var ErrNoAttempt = fmt.Errorf("attempt: %w", store.ErrNotFound)

// Forbidden is an ErrForbidden that says which scope it takes.
type Forbidden struct {
	Scope auth.Scope
	Has   auth.Scopes // of the caller
}

// Error says which scope it takes, and which ones the caller has.
func (f *Forbidden) Error() string {
	takes := fmt.Sprintf("this key may not do that; it takes a key with the scope %q", f.Scope)
	if f.Scope == auth.Admin {
		takes += " of the account " + store.DefaultAccount
	}
	if len(f.Has) == 0 {
		return takes + " (this one has no scope)"
	}
	return takes + fmt.Sprintf(" (this one has %s)", f.Has)
}

// Unwrap makes errors.Is(err, ErrForbidden) true.
func (f *Forbidden) Unwrap() error { return ErrForbidden }

// Field is one mistake in what was sent.
type Field struct {
	Name    string // as the API calls it: url, events[1], headers[2].name, per_second
	Message string // what is wrong and what to do, without the field's name
}

// Invalid says everything that is wrong with what was sent.
type Invalid struct {
	Fields []Field // at least one
}

// Error lists the mistakes in one sentence.
func (i *Invalid) Error() string {
	parts := make([]string, len(i.Fields))
	for n, f := range i.Fields {
		parts[n] = f.Name + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

// mistakes collects what is wrong, so that all of it is said at once.
type mistakes struct {
	fields []Field
	cause  error // why they cannot all be found now; nil = they can
}

// add notes a mistake in a field.
func (m *mistakes) add(name, format string, args ...any) {
	m.fields = append(m.fields, Field{Name: name, Message: fmt.Sprintf(format, args...)})
}

// err gives what was noted as an *Invalid, or nil.
func (m *mistakes) err() error {
	if m.cause != nil {
		return m.cause
	}
	if len(m.fields) == 0 {
		return nil
	}
	return &Invalid{Fields: m.fields}
}
