package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/compliancelayer/compliancelayer/client"
)

// hinted is an error that knows what to run next.
type hinted struct {
	error
	hint string
}

// Unwrap gives the error without its hint.
func (h *hinted) Unwrap() error { return h.error }

// withHint says what to run after an error; nil stays nil.
func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// usageError is wrong usage: of a flag, an argument or a setting.
type usageError struct{ error }

// Unwrap gives the error itself.
func (u *usageError) Unwrap() error { return u.error }

func asUsage(err error) error { return &usageError{err} }

// misuse makes an error of wrong usage.
func misuse(format string, args ...any) error { return asUsage(fmt.Errorf(format, args...)) }

var errInterrupted = errors.New("interrupted")

// fail prints an error and what to run next, and gives the exit status. command
// is the command that ran, such as "endpoints list".
func (c *console) fail(err error, command string) int {
	if errors.Is(err, context.Canceled) {
		err = withHint(errInterrupted, "%s   (again; what had been sent may have been done)", strings.TrimSpace(programName+" "+command))
	}
	text := cleanText(strings.TrimSpace(textOf(err)))
	c.note("%s %s", c.paintErr(red, "error:"), painted(text))
	c.note("%s %s", c.paintErr(dim, "hint:"), painted(cleanText(hintFor(err, command))))
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// textOf gives an error's words. An answer of the API that is about one field has that
// field in its sentence already.
func textOf(err error) string {
	var answer *client.Error
	if errors.As(err, &answer) && len(answer.Fields) == 1 {
		return strings.Replace(err.Error(), answer.Error(), fmt.Sprintf("%s (request %s)", answer.Message, answer.RequestID), 1)
	}
	return err.Error()
}

// hintFor finds the command to run next.
func hintFor(err error, command string) string {
	var (
		h       *hinted
		answer  *client.Error
		usage   *usageError
		unknown x509.UnknownAuthorityError
	)
	help := strings.Join(strings.Fields(programName+" "+command+" --help"), " ")
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, &usage):
		return help
	case errors.As(err, &answer):
		return hintForAnswer(answer, command, help)
	case errors.Is(err, syscall.ECONNREFUSED):
		return programName + " serve --dev   (nothing answers there; --server names another server)"
	case errors.Is(err, http.ErrSchemeMismatch):
		return programName + " " + command + " --server http://HOST:PORT   (it does not speak TLS)"
	case errors.As(err, &unknown):
		return "use a certificate that this machine trusts, or the right --server"
	}
	return help
}

// hintForAnswer finds the command after an error of the API.
func hintForAnswer(answer *client.Error, command, help string) string {
	noun, _, _ := strings.Cut(command, " ")
	switch answer.Code {
	case client.CodeUnauthorized:
		return hintKey
	case client.CodeForbidden:
		if scope := scopeIn(answer.Message); scope != "" {
			return programName + " keys create NAME --scopes " + scope + "   (with a key that may; then use the new one)"
		}
		return help
	case client.CodeNotFound:
		return programName + " " + listFor(noun) + " list"
	case client.CodeValidation:
		for _, f := range answer.Fields {
			if f.Name == "type" || strings.HasPrefix(f.Name, "events[") {
				return programName + " event-types list"
			}
		}
	case client.CodeConflict:
		return programName + " " + listFor(noun) + " list   (shows how things stand)"
	case client.CodeUnexpected:
		return programName + " doctor   (checks what answers at the server's address)"
	case client.CodeUnavailable, client.CodeStorageFull, client.CodeInternal, client.CodeRateLimit:
		return programName + " " + command + "   (again, in a moment)"
	}
	return help
}

// isConflict reports whether the API said that the state of things does not allow it.
func isConflict(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && answer.Code == client.CodeConflict
}

// scopeIn finds the scope that an answer says is lacking; "" = it names none.
func scopeIn(message string) string {
	_, after, _ := strings.Cut(message, `scope "`)
	scope, _, _ := strings.Cut(after, `"`)
	return scope
}

// listFor is the noun whose list shows what a command works on.
func listFor(noun string) string {
	switch noun {
	case "trigger":
		return "event-types"
	case "stats", "listen", "":
		return "endpoints"
	}
	return noun
}
