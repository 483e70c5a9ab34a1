package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The codes of an error are the client's.
const (
	codeInvalid    = client.CodeInvalidRequest
	codeMethod     = client.CodeMethodNotAllowed
	codeValidation = client.CodeValidation
)

// problem is an answer other than success, ready to be written.
type problem struct {
	status     int
	code       string
	message    string
	fields     []client.Field
	retryAfter int   // seconds; 0 = do not say
	cause      error // for the log, when it is a fault of ours
}

// Error gives the plain sentence.
func (p *problem) Error() string { return p.message }

// validation is a 422 that names what is wrong.
func validation(fields ...client.Field) *problem {
	message := "The request cannot be used as it is: " + fields[0].Name + ": " + ended(fields[0].Message)
	if len(fields) > 1 {
		message = fmt.Sprintf("The request cannot be used as it is: %d fields are wrong.", len(fields))
	}
	return &problem{status: http.StatusUnprocessableEntity, code: codeValidation, message: message, fields: fields}
}

// unreadable is a 400: the request is no JSON that we read.
func unreadable(name, format string, args ...any) *problem {
	text := fmt.Sprintf(format, args...)
	return &problem{
		status: http.StatusBadRequest, code: codeInvalid,
		message: "The request cannot be read: " + name + ": " + ended(text),
		fields:  []client.Field{{Name: name, Message: text}},
	}
}

// ended ends a text with a full stop, unless it ends like a sentence already.
func ended(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "!") {
		return text
	}
	return text + "."
}

func forbidden(message string) *problem {
	return &problem{status: http.StatusForbidden, code: client.CodeForbidden, message: message}
}

func notFound(format string, args ...any) *problem {
	return &problem{status: http.StatusNotFound, code: client.CodeNotFound, message: fmt.Sprintf(format, args...)}
}

func noSuchPath(r *http.Request) *problem {
	return notFound("There is no such path here; the reference at /docs lists all of them.")
}

// problemOf is the one map from an error to an answer.
func problemOf(err error) *problem {
	var ready *problem
	if errors.As(err, &ready) {
		return ready
	}
	if p := problemOfInput(err); p != nil {
		return p
	}
	if p := problemOfKey(err); p != nil {
		return p
	}
	return problemOfState(err)
}

// problemOfInput maps what is wrong with what was sent.
func problemOfInput(err error) *problem {
	var (
		invalid  *manage.Invalid
		event    *publish.Invalid
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &invalid):
		fields := make([]client.Field, len(invalid.Fields))
		for i, f := range invalid.Fields {
			fields[i] = client.Field{Name: f.Name, Message: f.Message}
		}
		return validation(fields...)
	case errors.As(err, &event):
		return problemOfEvent(event, "")
	case errors.As(err, &tooLarge):
		return tooLong(tooLarge.Limit)
	}
	return nil
}

// problemOfEvent maps what is wrong with an event; item is its place in a batch.
func problemOfEvent(event *publish.Invalid, item string) *problem {
	fields := make([]client.Field, len(event.Fields))
	for i, f := range event.Fields {
		fields[i] = client.Field{Name: dotted(item, f.Name), Message: f.Message}
	}
	p := validation(fields...)
	if event.TooLarge {
		p.status, p.code = http.StatusRequestEntityTooLarge, client.CodeTooLarge
	}
	return p
}

func tooLong(limit int64) *problem {
	return &problem{
		status: http.StatusRequestEntityTooLarge, code: client.CodeTooLarge,
		message: fmt.Sprintf("The body is longer than %d bytes, the most that this call takes.", limit),
	}
}

// problemOfKey maps what is wrong with who is calling.
func problemOfKey(err error) *problem {
	for _, refused := range []error{auth.ErrNoKey, auth.ErrBadHeader, auth.ErrUnknownKey, auth.ErrRevoked, auth.ErrExpired} {
		if errors.Is(err, refused) {
			return &problem{status: http.StatusUnauthorized, code: client.CodeUnauthorized, message: sentence(refused.Error())}
		}
	}
	if errors.Is(err, auth.ErrGuessing) {
		return tooMany(sentence(auth.ErrGuessing.Error()))
	}
	var lacks *manage.Forbidden
	if errors.As(err, &lacks) {
		return forbidden(sentence(lacks.Error()))
	}
	return nil
}

// problemOfState maps what the state of things, or of the server, does not allow.
func problemOfState(err error) *problem {
	var conflict *store.Conflict
	switch {
	case errors.As(err, &conflict):
		return conflictWith(sentence(conflict.Message))
	case errors.Is(err, store.ErrNotFound):
		return notFound("There is nothing with this id in this account.")
	case errors.Is(err, store.ErrDisabled):
		return conflictWith("The endpoint is disabled and gets nothing: send it a test, then enable it, then retry.")
	case errors.Is(err, store.ErrLimit):
		return conflictWith("The account has as many of these as it may have; delete one, or ask the operator to raise the limit.")
	case errors.Is(err, store.ErrConflict):
		return conflictWith("The state of things does not allow this now; read it again.")
	case errors.Is(err, publish.ErrBusy):
		return unavailable("More events wait to be accepted than this server takes on; nothing was accepted, try again in a moment.", 1)
	case errors.Is(err, catalog.ErrBusy):
		return tooMany("Too many ask for costly checks at this moment; nothing was done, try again in a moment.")
	case errors.Is(err, feed.ErrReaders):
		return tooMany("This account follows as many streams as it may at once; end one of them.")
	case errors.Is(err, store.ErrFull):
		p := unavailable("The server's storage is full; nothing was accepted. The operator must make room.", 30)
		p.code = client.CodeStorageFull
		return p
	case errors.Is(err, store.ErrSlow):
		return unavailable("The database needs too long for this. Ask for less: name an endpoint, a status or a shorter time.", 5)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrStale):
		return unavailable("The database cannot be reached now; nothing was changed, try again in a moment.", 2)
	case errors.Is(err, store.ErrClosed):
		return unavailable("The server is shutting down; try again in a moment.", 2)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable("The request ended before its answer was ready; try again.", 1)
	}
	return &problem{
		status: http.StatusInternalServerError, code: client.CodeInternal, cause: err,
		message: "Something went wrong on the server; its log has the details under this request's id.",
	}
}

func conflictWith(message string) *problem {
	return &problem{status: http.StatusConflict, code: client.CodeConflict, message: message}
}

func unavailable(message string, seconds int) *problem {
	return &problem{status: http.StatusServiceUnavailable, code: client.CodeUnavailable, message: message, retryAfter: seconds}
}

// sentence gives a clause a capital and a full stop.
func sentence(clause string) string {
	if clause == "" {
		return clause
	}
	if c := clause[0]; c >= 'a' && c <= 'z' {
		clause = string(c-'a'+'A') + clause[1:]
	}
	return ended(clause)
}

// fail answers an error. What is our fault goes to the log, and only there.
func (s *Server) fail(x *exchange, r *http.Request, err error) {
	p := problemOf(err)
	if p.cause != nil {
		s.Logger.ErrorContext(r.Context(), "request failed", slog.String("request_id", x.id), slog.String("route", x.pattern),
			slog.String("account_id", x.caller.AccountID), slog.Any("error", p.cause))
	}
	if p.status == http.StatusServiceUnavailable && p.cause == nil {
		level := slog.LevelWarn
		if r.Context().Err() != nil {
			level = slog.LevelDebug // the caller has left: nobody needs to look at that
		}
		s.Logger.Log(r.Context(), level, "request put off", slog.String("request_id", x.id), slog.String("route", x.pattern), slog.Any("error", err))
	}
	if x.status != 0 {
		return // the answer has begun; nothing can be added to it
	}
	s.write(x, p)
}

func (s *Server) write(x *exchange, p *problem) {
	header := x.Header()
	header["Content-Type"] = jsonType
	if p.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="compliancelayer"`)
	}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	body, err := json.Marshal(client.Error{
		Code: p.code, Message: p.message, Status: p.status, RequestID: x.id, Fields: p.fields,
	})
	if err != nil {
		body = []byte(`{}`) // texts and numbers always encode
	}
	x.WriteHeader(p.status)
	_, _ = x.Write(append(body, '\n')) // the caller has gone away; there is nobody to tell
}

// panicked answers a panic, without details; those go to the log.
func (s *Server) panicked(x *exchange, r *http.Request, cause any) {
	s.Logger.ErrorContext(r.Context(), "request panicked", slog.String("request_id", x.id), slog.String("route", x.pattern),
		slog.Any("error", cause), slog.String("stack", string(debug.Stack())))
	if x.status != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	s.write(x, problemOf(errPanic))
}

var errPanic = errors.New("panic")
