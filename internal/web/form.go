package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Form is what was typed into a Form, and what is wrong with it, to be shown beside the fields.
type Form struct {
	url.Values
	Wrong   map[string]string // by field
	Problem string            // with all of it
}

// readForm reads what was sent.
func readForm(v *visit) (Form, error) {
	if err := v.r.ParseForm(); err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return Form{}, err
		}
		return Form{}, unreadable()
	}
	for _, values := range v.r.PostForm {
		for _, value := range values {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return Form{}, unreadable()
			}
		}
	}
	return Form{Values: v.r.PostForm, Wrong: map[string]string{}}, nil
}

// unreadable is said of a form that no browser sends.
func unreadable() error {
	return &manage.Invalid{Fields: []manage.Field{{Name: "form", Message: "cannot be read: it is not text in UTF-8, or not written as browsers do"}}}
}

// blank is a form that nobody has filled in yet.
func blank() Form { return Form{Values: url.Values{}, Wrong: map[string]string{}} }

// errUnsure is what somebody gets who has not confirmed what cannot be undone.
var errUnsure = errors.New("it was not confirmed")

// certain wants the step that says what will happen and cannot be undone.
func certain(v *visit) error {
	f, err := readForm(v)
	if err != nil || f.Get("sure") == "yes" {
		return err
	}
	return errUnsure
}

// takes notes an error beside what it is about and reports whether it is one that whoever typed can mend.
// What is said of an item, such as events[1], stands beside its list.
func (f *Form) takes(err error) bool {
	var invalid *manage.Invalid
	var conflict *store.Conflict
	switch {
	case errors.As(err, &invalid):
		for _, one := range invalid.Fields {
			name, _, _ := strings.Cut(one.Name, "[")
			f.Wrong[name] = strings.TrimSpace(f.Wrong[name] + " " + beside(one.Message))
		}
	case errors.As(err, &conflict):
		f.Problem = sentence(conflict.Message)
	case errors.Is(err, auth.ErrBusy):
		f.Problem = sentence(err.Error())
	case errors.Is(err, store.ErrDisabled):
		f.Problem = "The endpoint is disabled, and nothing is sent to it. Enable it on its page first."
	case errors.Is(err, store.ErrLimit):
		f.Problem = "The account has as many of these as it may have: delete one, or ask the operator for more."
	default:
		return false
	}
	return true
}

// beside writes what is wrong with a field, which has no subject, as a sentence.
func beside(message string) string {
	for _, verb := range []string{"is ", "has ", "contains ", "must ", "matches ", "would "} {
		if strings.HasPrefix(message, verb) {
			return sentence("this " + message)
		}
	}
	return sentence(message)
}

// Has reports whether a value was chosen.
func (f Form) Has(name, value string) bool {
	for _, one := range f.Values[name] {
		if one == value {
			return true
		}
	}
	return false
}

// number reads a whole number; "" = 0.
func (f *Form) number(name string) int {
	text := strings.TrimSpace(f.Get(name))
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		f.Wrong[name] = "Write a whole number."
	}
	return n
}

// pace reads how many deliveries a second are to be sent; "" = 0, which stands for the usual pace. A 0 that is written is no pace.
func (f *Form) pace() int {
	n := f.number("per_second")
	if n == 0 && f.Wrong["per_second"] == "" && strings.TrimSpace(f.Get("per_second")) != "" {
		f.Wrong["per_second"] = fmt.Sprintf("This must be between 1 and %d.", manage.MaxPerSecond)
	}
	return n
}

// duration reads a length of time such as 24h; "" = nil.
func (f *Form) duration(name string) *time.Duration {
	text := strings.TrimSpace(f.Get(name))
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		f.Wrong[name] = "Write a length of time, such as 24h or 30m."
		return nil
	}
	return &d
}

// right reports that nothing wrong was noted so far.
func (f Form) right() bool { return len(f.Wrong) == 0 && f.Problem == "" }
