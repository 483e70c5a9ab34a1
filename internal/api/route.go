package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
)

// Sizes of request bodies, in bytes.
const (
	maxEvent     = 256 << 10 // contract section 4
	maxBatch     = 8 << 20   // a thousand events of 8 KiB
	maxSmall     = 64 << 10  // settings
	maxSchema    = 256 << 10 // a schema and a sample
	maxSignature = 1 << 20   // a received body, which may be escaped or in base64
)

// route is one call: everything that the mux, the gate, the OpenAPI document and the
// reference need to know about it.
type route struct {
	method  string
	path    string
	name    string     // the operation's id
	group   string     // the heading it stands under
	scope   auth.Scope // "" = any key
	depends bool       // another account's takes admin instead of scope: manage checks
	open    bool       // no key at all
	summary string     // what it does, in one line
	about   string     // what else to know; "" = nothing
	status  int        // of success
	maxBody int64      // 0 = maxSmall
	replays bool       // 200 is possible too: it was done before
	slow    bool       // takes longer than the server's write timeout
	example string     // a request body, JSON; "" = none

	headers []param      // request headers that it reads
	media   []media      // answers other than JSON
	in      input        // what it reads
	out     reflect.Type // the JSON of success; nil = none

	serve func(*exchange, *http.Request) error
}

// media is an answer that is not one JSON value.
type media struct {
	kind string // the media type
	item any    // what one line or item looks like; nil = only a text
	note string
}

// pattern is the route as http.ServeMux takes it.
func (rt *route) pattern() string { return rt.method + " " + rt.path }

func (rt *route) bodyLimit() int64 {
	if rt.maxBody > 0 {
		return rt.maxBody
	}
	return maxSmall
}

// slowest is how long a slow call may take: a test lasts up to the delivery timeout,
// which is 5 minutes at most.
const slowest = 6 * time.Minute

// op completes a route with its operation: what In names is read from the request,
// and Out is written as JSON. In is a struct of fields with path and query tags
// and, for a body, a field named Body. An empty Out means no body.
func op[In, Out any](rt route, do func(context.Context, auth.Caller, In) (Out, error)) route {
	rt.in = inputOf(reflect.TypeFor[In]())
	if t := reflect.TypeFor[Out](); t != reflect.TypeFor[struct{}]() {
		rt.out = t
	}
	if rt.status == 0 {
		rt.status = http.StatusOK
	}
	rt.serve = func(x *exchange, r *http.Request) error {
		var in In
		if err := rt.in.read(r, rt.bodyLimit(), reflect.ValueOf(&in).Elem()); err != nil {
			return err
		}
		if rt.slow {
			extend(x, slowest)
		}
		out, err := do(r.Context(), x.caller, in)
		if err != nil {
			return rt.blame(err)
		}
		if rt.out == nil {
			x.WriteHeader(rt.status)
			return nil
		}
		return answer(x, rt.status, out)
	}
	return rt
}

// blame turns the conflict of a list into what it is: the store knows no other
// conflict when reading than a cursor that it did not make.
func (rt *route) blame(err error) error {
	if err == nil || rt.method != http.MethodGet || problemOf(err).status != http.StatusConflict {
		return err
	}
	return validation(client.Field{Name: "cursor", Message: "is not a next_cursor of this list; start again without it"})
}

// answer writes a value as JSON.
func answer(x *exchange, status int, out any) error {
	var body bytes.Buffer
	if err := encode(&body, out); err != nil {
		return err
	}
	header := x.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(body.Len())}
	x.WriteHeader(status)
	_ = pour(x, body.Bytes()) // the caller has gone away; there is nobody to tell
	return nil
}

const (
	// pieceSize is what a reader must take within writeTime: a slow line can, and one that
	// takes a byte a minute cannot hold a connection.
	pieceSize = 16 << 10
	writeTime = 10 * time.Second
)

// pour writes a text of any length to a reader of any speed that goes on reading.
func pour(x *exchange, text []byte) error {
	for piece := range slices.Chunk(text, pieceSize) {
		extend(x, writeTime)
		if _, err := x.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// encode writes a value as one line of JSON. It escapes no <, > and &: the data of an
// event must stay as it was published.
func encode(to *bytes.Buffer, out any) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return nil
}

// extend moves the end of the connection's write timeout, and lifts its read timeout:
// net/http goes on reading while a call lasts, to see the caller leave, and would take
// the timeout for that. Not every writer has timeouts; without them there is nothing to move.
func extend(x *exchange, by time.Duration) {
	conn := http.NewResponseController(x)
	_ = conn.SetReadDeadline(time.Time{})
	_ = conn.SetWriteDeadline(time.Now().Add(by))
}

// jsonBody reports a request whose body is not declared to be JSON.
func jsonBody(r *http.Request) error {
	declared := r.Header.Get("Content-Type")
	if declared == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(declared)
	if charset := params["charset"]; err == nil && kind == "application/json" && (charset == "" || equalFold(charset, "utf-8")) {
		return nil
	}
	return &problem{
		status: http.StatusUnsupportedMediaType, code: client.CodeMediaType,
		message: "The body must be JSON in UTF-8: send the header Content-Type: application/json.",
		fields:  []client.Field{{Name: "Content-Type", Message: "must be application/json"}},
	}
}
