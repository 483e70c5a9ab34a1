package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// exchange is one request with what was found out about it. It is the
// http.ResponseWriter that handlers write to, so that the status is known at the end.
type exchange struct {
	http.ResponseWriter
	id      string // of the request
	pattern string // of the route; "" = none
	caller  auth.Caller
	status  int // 0 = nothing was written
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer began.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// ServeHTTP is the way in of every request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, id: requestID(r)}
	start := time.Now()
	defer s.finish(x, r, start)
	header := w.Header()
	header["X-Request-Id"] = []string{x.id}
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	if err := headOK(r); err != nil {
		s.fail(x, r, err)
		return
	}
	s.mux.ServeHTTP(x, r)
}

// finish turns a panic into an answer without details and tells the observer.
func (s *Server) finish(x *exchange, r *http.Request, start time.Time) {
	cause := recover()
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) // an export that broke off: the connection must end
	}
	if cause != nil {
		s.panicked(x, r, cause)
	}
	if s.Observe == nil {
		return
	}
	status := x.status
	if status == http.StatusServiceUnavailable && errors.Is(r.Context().Err(), context.Canceled) {
		status = statusLeft
	}
	s.Observe(x.pattern, status, time.Since(start))
}

// statusLeft is counted for a caller who left before the answer: a widely used number of no
// standard. Whoever hangs up must not look like a server that accepts nothing.
const statusLeft = 499

// headOK holds the limits of a request's head, which http.Server would answer with words of its
// own; it has a higher one in bytes. A path with doubled slashes or dots
// is not one of ours; http.ServeMux would answer it with a redirect.
func headOK(r *http.Request) error {
	if lines, size := headSize(r); lines > maxHeaderLines || size > maxHeaderBytes {
		return &problem{
			status: http.StatusRequestHeaderFieldsTooLarge, code: codeInvalid,
			message: fmt.Sprintf("The request's headers are too many or too long; send at most %d, and %d bytes with the request line.", maxHeaderLines, maxHeaderBytes),
		}
	}
	if path.Clean(r.URL.Path) != r.URL.Path {
		return noSuchPath(r)
	}
	return nil
}

// headSize counts a request's headers, and the bytes of its head as they are on the wire.
func headSize(r *http.Request) (lines, size int) {
	const separators = len(": \r\n") // of a line; those of the request line are as many
	size = len(r.Method) + len(r.RequestURI) + len(r.Proto) + separators
	if r.Host != "" {
		lines, size = 1, size+len("Host")+len(r.Host)+separators
	}
	for name, values := range r.Header {
		for _, value := range values {
			lines, size = lines+1, size+len(name)+len(value)+separators
		}
	}
	return lines, size
}

// entry is what stands before the handler of a route: the key, its scope and its account's rate.
func (s *Server) entry(rt *route, pattern string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.pattern = pattern
		if err := s.admit(x, r, rt); err != nil {
			s.fail(x, r, err)
			return
		}
		if err := rt.serve(x, r); err != nil {
			s.fail(x, r, err)
		}
	})
}

// admit finds out who is calling and whether they may call this route now.
func (s *Server) admit(x *exchange, r *http.Request, rt *route) error {
	if rt.open {
		return nil
	}
	caller, err := s.Auth.Authenticate(r.Context(), authorization(r), r.RemoteAddr)
	if err != nil {
		return err
	}
	x.caller = caller
	if err := s.limits.take(x.Header(), caller.AccountID, time.Now()); err != nil {
		return err
	}
	if rt.scope != "" && !rt.depends && !caller.Can(rt.scope) {
		return &manage.Forbidden{Scope: rt.scope, Has: caller.Scopes}
	}
	return nil
}

// authorization gives the one Authorization header. Two of them are refused with the
// words for an unreadable one, because it is not for us to choose.
func authorization(r *http.Request) string {
	values := r.Header["Authorization"]
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	return "several"
}

// nothing answers what no route matches: 405 with the methods that there are, or 404.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	if allowed := s.methods(r); len(allowed) > 0 {
		x.Header().Set("Allow", strings.Join(allowed, ", "))
		s.fail(x, r, &problem{
			status: http.StatusMethodNotAllowed, code: codeMethod,
			message: "This path does not take " + shortMethod(r.Method) + "; it takes " + strings.Join(allowed, ", ") + ".",
		})
		return
	}
	s.fail(x, r, noSuchPath(r))
}

// methods lists the methods that have a route at the path of r.
func (s *Server) methods(r *http.Request) []string {
	var found []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(probe); pattern != "/" {
			found = append(found, method)
		}
	}
	return found
}

func shortMethod(m string) string {
	if len(m) > 10 {
		return "this method"
	}
	return m
}

// maxRequestID is long enough for every common kind of trace id.
const maxRequestID = 128

// requestID takes the caller's X-Request-Id when it can stand in a log as it is, or
// makes one.
func requestID(r *http.Request) string {
	if values := r.Header["X-Request-Id"]; len(values) == 1 && saneID(values[0]) {
		return values[0]
	}
	var b [12]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "req_" + hex.EncodeToString(b[:])
}

func saneID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':'
		if !ok {
			return false
		}
	}
	return true
}
