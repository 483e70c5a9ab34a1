package apifuzz_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// callers is how many send at once: enough that calls meet in the server.
const callers = 6

func TestGeneratedRequestsOnSQLite(t *testing.T) {
	t.Parallel()
	generate(t, "SQLite", filepath.Join(t.TempDir(), "test.db"))
}

func TestGeneratedRequestsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	generate(t, "PostgreSQL", pgtest.URL(t))
}

// run is one program under generated requests.
type run struct {
	*judge
	t      *testing.T
	p      *program
	stock  *stock
	client *http.Client
	bad    []*key
	left   atomic.Int64
}

func generate(t *testing.T, on, database string) {
	seed := option[uint64](seedFlag)
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-%s=%d", seedFlag, seed)
	begin := time.Now()
	p := newProgram(t, database)
	r := &run{
		judge: newJudge(t.Errorf, p.accounts, readDocument(t, p.url)),
		t:     t, p: p, stock: newStock(p),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		bad:    p.badKeys(),
	}
	defer r.client.CloseIdleConnections()
	r.seen["setUp"] = map[int]int{2: 1} // newProgram has done it; it can be done once
	requests := option[int](requestsFlag)
	r.left.Store(int64(requests))
	unfollow := r.follow()
	var sending sync.WaitGroup
	for n := range callers {
		sending.Go(func() { r.send(rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	sending.Wait()
	unfollow()
	p.log.verdict()
	if t.Failed() {
		return
	}
	r.everythingSucceededOnce()
	lost, of := r.acceptedEventsAreThere()
	secrets := r.sealedSecretsAreNowhere()
	took := time.Since(begin)
	t.Logf("%d requests in %s, %d that named what is another account's; %d accepted events, %d lost; %d secrets", requests, took.Round(time.Millisecond), r.foreign, of, lost, secrets)
	row := evidence.Row{
		On: on, Times: requests, Seed: seed, Seconds: took.Seconds(),
		Test: fmt.Sprintf("go test ./internal/apifuzz -run GeneratedRequestsOn%s -%s=%d -%s=%d", on, requestsFlag, requests, seedFlag, seed),
	}
	row.Promise, row.Fault, row.Of, row.What, row.Lost = 2, "requests generated from the OpenAPI document, whole and broken, by three accounts at once", of, "accepted events", lost
	evidence.Write(t, "apifuzz-events-"+strings.ToLower(on), row)
	row.Promise, row.Fault, row.Of, row.What, row.Lost = 12, "secrets looked for in every answer to generated requests", secrets, "signing secrets", 0
	evidence.Write(t, "apifuzz-secrets-"+strings.ToLower(on), row)
}

// send makes and sends requests until all are sent.
func (r *run) send(random *rand.Rand) {
	for r.goesOn() {
		m := &maker{Rand: random, p: r.p, doc: r.doc, stock: r.stock, who: r.p.accounts[random.IntN(len(r.p.accounts))]}
		if m.chance(1) {
			r.wire(m)
			continue
		}
		q := r.next(m)
		q.finish()
		if a := r.do(q); a != nil {
			if a.StatusCode < 300 && q.op != nil && q.key.owner != nil {
				r.stock.learn(q.key.owner, q.op, a.body)
			}
			r.verdict(q, a)
		}
	}
}

// goesOn reports whether more are to be sent: as many as were asked for, and a few thousand
// more while a call has not succeeded.
func (r *run) goesOn() bool {
	left := r.left.Add(-1)
	return !r.t.Failed() && (left >= 0 || left > -5000 && len(r.missing()) > 0)
}

// next makes a request: half of them fit the document, and those that never succeeded
// come more often.
func (r *run) next(m *maker) *request {
	op := m.call()
	if missing := r.missing(); len(missing) > 0 && m.chance(25) {
		op = pick(m, missing)
		if op.Scope == "admin" {
			m.who = r.p.accounts[0]
		}
		q := m.request(op)
		q.key = m.who.keys[m.IntN(2)]
		return q
	}
	switch {
	case m.chance(50):
		return m.request(op)
	case m.chance(15):
		m.edge = true
		q := m.request(op)
		q.broken = "values at their bounds; "
		return q
	case m.chance(10):
		q := m.request(op)
		q.key = pick(m, r.bad)
		q.broken = "a key that is " + q.key.flaw + "; "
		return q
	}
	q := m.request(op)
	m.breakIt(q)
	return q
}

// call chooses a call: more often one that makes something than one that ends it, so that
// there is something to ask about.
func (m *maker) call() *operation {
	if m.chance(20) {
		makes := []string{"publishEvent", "publishEvent", "publishEvents", "createEndpoint", "enableEndpoint"}
		return m.doc.named(pick(m, makes))
	}
	op := pick(m, m.doc.all)
	if op.method == http.MethodDelete || op.ID == "disableEndpoint" {
		return pick(m, m.doc.all)
	}
	return op
}

// missing lists the calls that have not succeeded yet.
func (r *run) missing() []*operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.doc.all), func(op *operation) bool { return r.seen[op.ID][2] > 0 })
}

// patience is how long an answer may take; a test of an endpoint takes up to 2 s.
const patience = 30 * time.Second

// do sends a request. It gives nil when the server hung up on a body that is too long.
func (r *run) do(q *request) *answer {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	wire, err := q.http(ctx, r.p.url)
	if err != nil {
		r.t.Errorf("%s: %v", q.broken, err)
		return nil
	}
	stacks := make(chan string, 1)
	late := time.AfterFunc(patience/2, func() { stacks <- goroutines() }) // at the end of it, much of the program is gone
	res, err := r.client.Do(wire)
	if late.Stop(); errors.Is(err, context.DeadlineExceeded) {
		r.t.Logf("what the program did while there was no answer:\n%s", <-stacks)
	}
	if err != nil {
		if len(q.body) < 64<<10 || errors.Is(err, context.DeadlineExceeded) {
			r.t.Errorf("%s: %.500q: %v", q.broken, q.sent(), err)
		}
		return nil
	}
	defer res.Body.Close()
	a := &answer{Response: res}
	if res.Header.Get("Content-Type") == "text/event-stream" {
		return a // it has no end
	}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		r.t.Errorf("%.500q: read the answer: %v", q.sent(), err)
		return nil
	}
	return a
}

// goroutines tells what each goroutine of this process is doing.
func goroutines() string {
	all := make([]byte, 1<<20)
	return string(all[:runtime.Stack(all, true)])
}

// everythingSucceededOnce wants a success of every call: one that is always refused was
// not tried.
func (r *run) everythingSucceededOnce() {
	for _, op := range r.doc.all {
		seen := r.seen[op.ID]
		r.t.Logf("%-20s 2xx %5d  4xx %5d", op.ID, seen[2], seen[4])
		if seen[2] == 0 {
			r.t.Errorf("%s never succeeded", op.ID)
		}
	}
}
