package crash_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// deed is what a receiver did with a request.
type deed string

const (
	accepted deed = "answered 200"
	refused  deed = "answered 500"
	hungUp   deed = "hung up"
	stalled  deed = "did not answer in time"
	late     deed = "answered 200 after a while"
	gated    deed = "waited for the gate"
)

// arrival is a request that a receiver saw.
type arrival struct {
	delivery int64
	number   int
	event    string
	body     [sha256.Size]byte
	cut      bool // the sender was gone before the body was there
	at       time.Time
	deed     deed
	problem  string // what is wrong with it; "" = nothing
}

// receiver is an endpoint of somebody else's. It remembers every request before it
// answers.
type receiver struct {
	name      string
	habit     func(chance float64) deed // what it does; it is well when nil
	types     []string                  // what its endpoint subscribes to
	tolerance time.Duration             // of a request's time; 0 = the default
	width     int                       // attempts at once of its endpoint; 0 = the program's default
	server    *httptest.Server
	id        string // of the endpoint
	gate      bool   // requests with the mark wait here

	mu       sync.Mutex
	well     bool
	secret   webhook.Secret
	arrivals []arrival
	gateOpen chan struct{} // closed when gated requests may be answered
	gateSeen chan struct{} // closed when the first gated request is there
}

// gateMark is what the data of an event has in it that is to wait at the gate, on its
// first attempt.
const gateMark = `"gate":true`

func newReceiver(t testing.TB, name string, habit func(chance float64) deed) *receiver {
	r := &receiver{name: name, habit: habit, types: []string{eventType}, gateOpen: make(chan struct{}), gateSeen: make(chan struct{})}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	t.Cleanup(r.server.CloseClientConnections) // the process may still hold some
	t.Cleanup(r.openGate)
	return r
}

// openGate lets gated requests go on.
func (r *receiver) openGate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.gateOpen:
	default:
		close(r.gateOpen)
	}
}

// heal makes the receiver answer everything with 200 from now on.
func (r *receiver) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.well = true
}

// seen gives what has arrived since the first `from` arrivals.
func (r *receiver) seen(from int) []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals[from:]...)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.act(w, req, r.note(req, body, err))
}

// note remembers a request and decides what to do with it.
func (r *receiver) note(req *http.Request, body []byte, cut error) deed {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := arrival{at: time.Now(), event: req.Header.Get(webhook.IDHeader), body: sha256.Sum256(body), cut: cut != nil, deed: accepted}
	var err error
	if a.delivery, err = strconv.ParseInt(req.Header.Get(webhook.DeliveryHeader), 10, 64); err != nil {
		a.problem = "its delivery id is no number"
	}
	if a.number, err = strconv.Atoi(req.Header.Get(webhook.AttemptHeader)); err != nil {
		a.problem = "its attempt is no number"
	}
	if a.problem == "" && !a.cut {
		a.problem = r.check(req.Header, body)
	}
	switch {
	case r.gate && a.number == 1 && bytes.Contains(body, []byte(gateMark)):
		a.deed = gated
	case !r.well && r.habit != nil:
		a.deed = r.habit(rand.Float64())
	}
	r.arrivals = append(r.arrivals, a)
	return a.deed
}

// check says what is wrong with a request that arrived whole.
func (r *receiver) check(header http.Header, body []byte) string {
	if _, err := webhook.Verify(header, body, time.Now(), r.tolerance, r.secret); err != nil {
		return err.Error()
	}
	if _, err := webhook.VerifySimple(body, header.Get(webhook.SignatureHeader), r.secret); err != nil {
		return err.Error()
	}
	if e, err := webhook.ParseEvent(body); err != nil || e.Type != header.Get(webhook.EventHeader) {
		return "its body is not the event of its headers"
	}
	return ""
}

func (r *receiver) act(w http.ResponseWriter, req *http.Request, d deed) {
	switch d {
	case refused:
		w.WriteHeader(http.StatusInternalServerError)
	case hungUp:
		hangUp(w)
	case stalled:
		<-req.Context().Done() // the sender's patience ends first
	case late:
		pause(req.Context(), lateness)
	case gated:
		r.wait(req)
	}
}

// wait keeps a request until the gate is open.
func (r *receiver) wait(req *http.Request) {
	r.mu.Lock()
	select {
	case <-r.gateSeen:
	default:
		close(r.gateSeen)
	}
	r.mu.Unlock()
	select {
	case <-r.gateOpen:
	case <-req.Context().Done():
	}
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the sender has gone already
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	_ = errors.Join(err, conn.Close()) // gone either way
}

// The habits of receivers.

// shaky fails one request in six, in every way there is.
func shaky(chance float64) deed {
	switch {
	case chance < 0.10:
		return refused
	case chance < 0.16:
		return hungUp
	case chance < 0.165:
		return stalled
	}
	return accepted
}

// lateness is what a slow receiver takes: a tenth of the delivery timeout.
const lateness = 200 * time.Millisecond

// slow takes its time.
func slow(float64) deed { return late }

// sick refuses everything.
func sick(float64) deed { return refused }
