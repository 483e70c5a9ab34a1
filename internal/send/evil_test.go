package send

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/evidence"
)

// evilClients are the two clients that egress has beneath, which have to come to the same
// verdicts about the same receivers. Which of them makes an exchange is egress's choice:
// long bodies are net/http's.
var evilClients = []evilClient{
	{name: "net/http", long: true},
	{name: "lean", exact: true},
}

type evilClient struct {
	name string
	long bool
	// exact says that the client never takes what came on an idle connection for the
	// answer to the next request. net/http may, if the request is quick enough.
	exact bool
}

// takes reports whether a row is for this client.
func (c evilClient) takes(row evilRow) bool { return c.long || len(row.sent) < long }

// long is a length that egress leaves to net/http.
const long = 9 << 10

// body makes a body of the client's length.
func (c evilClient) body(b []byte) []byte {
	if !c.long || len(b) >= long {
		return b
	}
	return slices.Concat(b, bytes.Repeat([]byte(" "), long-len(b)))
}

// evilSender makes a patient sender that may connect to loopback and trusts an authority.
func evilSender(t testing.TB, authority *tls.Certificate, resolver egress.Resolver) (*Sender, *egress.Policy) {
	policy, err := egress.NewPolicy(egress.Config{Dev: true})
	if err != nil {
		t.Error(err)
		runtime.Goexit() // which another goroutine than the test's may call
	}
	client, err := egress.NewClient(egress.ClientConfig{
		Policy: policy, Resolver: resolver, ExtraRootCAs: []*x509.Certificate{authority.Leaf}, ConnectTimeout: patience + time.Second,
	})
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	t.Cleanup(client.Close)
	return withClock(t, &Sender{client: client, node: "node-1"}, patience), policy
}

// evilRow is one way in which a receiver misbehaves, and what has to come of it.
type evilRow struct {
	name string
	ways []evilWay // nil means all of them
	// sent is the body of the request; nil means testBody.
	sent []byte
	// act plays the receiver once the request has been read. The connection stays open
	// after it, and is answered well on, unless it closes it.
	act func(*evilConn)
	// early lets it act when the request begins to arrive, without having read it, and
	// atOnce when there is a connection. bare keeps it from shaking hands before that.
	early, atOnce, bare bool
	// idle plays the receiver between the request that works and the one that does not.
	idle func(*evilConn)
	// cert makes another certificate, of which authority may be the parent, and tls changes
	// what else the receiver shakes hands with.
	cert func(t testing.TB, authority *tls.Certificate) *tls.Certificate
	tls  func(*tls.Config)
	// last says that the answer is the last one on its connection.
	last bool
	// slow rows end with the clock of the attempt.
	slow bool
	want verdict
}

// verdict is what an attempt has to say.
type verdict struct {
	class delivery.Class
	// or are classes that will do as well, where it is chance what the client sees first.
	or   []delivery.Class
	code int
	body string
	// cut says that the body is not all that was announced.
	cut bool
	// unsent says that it is proved that the request did not leave; for an answer, which may
	// come before the request, it says nothing.
	unsent bool
	// dirty says that more came than the answer, so that a client that is not exact may
	// find it in place of its next answer.
	dirty bool
	// late says that it may come when the next request is under way, so that no client can
	// tell it from an answer.
	late bool
}

// evilWay is how the row meets the client.
type evilWay struct{ tls, kept bool }

func (w evilWay) String() string {
	name := "plain, new connection"
	if w.kept {
		name = "plain, kept connection"
	}
	if w.tls {
		name = strings.Replace(name, "plain", "TLS", 1)
	}
	return name
}

var (
	evilWays = []evilWay{{false, false}, {false, true}, {true, false}, {true, true}}
	newOnes  = []evilWay{{false, false}, {true, false}}
	keptOnes = []evilWay{{false, true}, {true, true}}
	tlsOnes  = []evilWay{{true, false}, {true, true}}
	newTLS   = []evilWay{{true, false}}
)

func evilRows() []evilRow {
	return slices.Concat(evilStatusRows(), evilHeaderRows(), evilFramingRows(), evilClosingRows(), evilSlowRows(), evilTLSRows(), evilKeyRows())
}

// TestEvilReceivers lets every receiver meet every client on a new connection and on one
// that worked before, over plain HTTP and over TLS. Whatever the receiver does, the
// attempt has the right class, the request arrives at most once, and the next request
// gets its own answer.
func TestEvilReceivers(t *testing.T) {
	begin := time.Now()
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	rows := evilRows()
	var runs atomic.Int32
	t.Run("all", func(t *testing.T) {
		for _, client := range evilClients {
			for _, row := range rows {
				if !client.takes(row) {
					continue
				}
				t.Run(client.name+"/"+row.name, func(t *testing.T) {
					t.Parallel()
					ways := row.ways
					if ways == nil {
						ways = evilWays
					}
					var all sync.WaitGroup
					for _, way := range ways {
						runs.Add(1)
						all.Go(func() {
							m := evilMeeting{row: row, way: way, client: client, authority: authority, cert: cert}
							for _, problem := range m.run(t) {
								t.Errorf("%v: %s", way, problem)
							}
						})
					}
					all.Wait()
				})
			}
		}
	})
	evidence.Write(t, "evil-receivers", evidence.Row{
		Promise: 2, Fault: "evil receivers", Times: int(runs.Load()), Of: len(rows), What: "behaviours",
		Test: "go test ./internal/send -run TestEvilReceivers", Seconds: time.Since(begin).Seconds(),
	})
}

func TestEvilRowsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range evilRows() {
		if seen[row.name] {
			t.Errorf("two rows are called %q", row.name)
		}
		seen[row.name] = true
	}
	if len(seen) < 40 {
		t.Errorf("%d rows, want at least 40", len(seen))
	}
}

// evilMeeting is one row and one client.
type evilMeeting struct {
	row       evilRow
	way       evilWay
	client    evilClient
	authority *tls.Certificate
	cert      *tls.Certificate
}

// errNotKept says that the client had to connect anew, which net/http does when its
// writer did not run for 50 ms: then the row was not tried at all.
const errNotKept = "the connection was not kept"

// run tries a row with short clocks first. On a loaded machine a receiver may not get as
// far as it should in that time; then it is tried with longer ones, which mend nothing else.
func (m evilMeeting) run(t *testing.T) (problems []string) {
	clocks := []time.Duration{patience, patience, patience}
	if m.row.slow {
		clocks = []time.Duration{impatience, 4 * impatience, 16 * impatience}
	}
	for _, clock := range clocks {
		problems = m.meet(t, clock)
		if len(problems) == 0 || !m.row.slow && !m.looks() && !slices.Contains(problems, errNotKept) {
			break
		}
	}
	return problems
}

func (m evilMeeting) meet(t *testing.T, clock time.Duration) []string {
	r := newEvilReceiver(t, m)
	defer r.stop()
	patient, policy := evilSender(t, m.authority, fixedResolver{netip.MustParseAddr("127.0.0.1")})
	defer patient.client.Close()
	hasty := withClock(t, patient, clock)
	target := newTarget(t, policy, r.url())

	well := newLease(m.client.body(testBody))
	if m.way.tls && !m.client.long { // that it does not speak HTTP/2 is found out by net/http
		if a, _ := sendChecked(t, patient, target, well); a.Class != delivery.OK {
			return []string{fmt.Sprintf("the attempt that finds out which HTTP it speaks: %s; info %q", a.Class, a.LocalInfo)}
		}
		patient.client.Close()
	}
	r.turn(stageWarm)
	if m.way.kept {
		if a, _ := sendChecked(t, patient, target, well); a.Class != delivery.OK {
			return []string{fmt.Sprintf("the first attempt, of a receiver that still behaves: %s; info %q", a.Class, a.LocalInfo)}
		}
		r.waitIdle()
	}
	r.turn(stageEvil)
	body := m.row.sent
	if body == nil {
		body = testBody
	}
	a, unsent := sendChecked(t, hasty, target, newLease(m.client.body(body)))
	r.turn(stageGood)
	problems := m.judge(a, unsent, r)
	problems = append(problems, m.goOn(t, patient, target, r)...)
	if r.again.Load() && !m.reusable() {
		problems = append(problems, "the next request came on the same connection")
	}
	return problems
}

// withClock gives a sender like s, with the same connections and another clock.
func withClock(t testing.TB, s *Sender, clock time.Duration) *Sender {
	other, err := New(Config{Client: s.client, Timeout: clock, Node: s.node})
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return other
}

// reusable reports whether the connection may carry another request: when the answer was
// whole and nothing came after it, and nobody said that it was the last.
func (m evilMeeting) reusable() bool {
	want := m.row.want
	ownCut := len(want.body) == delivery.MaxResponseBody // it may have been read to its end all the same
	return want.code != 0 && (!want.cut || ownCut) && !m.row.last && (!want.dirty || m.row.idle != nil || !m.exact())
}

// exact reports whether the next request must get its own answer.
func (m evilMeeting) exact() bool { return !m.row.want.dirty || m.client.exact && !m.row.want.late }

// looks reports whether the client has to see what became of the idle connection. What the
// receiver did to it is there when the request is made, all but always.
func (m evilMeeting) looks() bool { return m.client.exact && m.row.idle != nil }

// judge holds an attempt against what the row wants and what the receiver knows.
func (m evilMeeting) judge(a delivery.Attempt, unsent bool, r *evilReceiver) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	want := m.row.want
	acted, answered := int(r.acted.Load()), a.Response.Proto != ""
	if m.way.kept && m.row.idle == nil && !r.onKept.Load() {
		return []string{errNotKept}
	}
	got := verdict{class: a.Class, code: a.StatusCode, body: string(a.Response.Body), cut: a.Response.Truncated, unsent: unsent}
	switch {
	case slices.Contains(want.or, a.Class) && !m.looks(): // the rest is as much chance
	case got.class != want.class || got.code != want.code || got.unsent != want.unsent && !answered:
		say("class %q, status %d, unsent %v; want %q or %q, %d, %v; info %q", got.class, got.code, got.unsent, want.class, want.or, want.code, want.unsent, a.LocalInfo)
	case got.body != want.body || got.cut != want.cut:
		say("%d bytes %.60q, cut %v; want %d bytes %.60q, %v", len(got.body), got.body, got.cut, len(want.body), want.body, want.cut)
	}
	if acted > 1 {
		say("the request arrived %d times in one attempt", acted)
	}
	if acted > 0 && !m.row.early && !m.row.atOnce && !m.row.bare && (unsent || !answered && !a.Class.MayHaveArrived()) {
		say("the request has arrived, and class %q, unsent %v deny it", a.Class, unsent)
	}
	if len(a.Response.Body) > delivery.MaxResponseBody {
		say("%d bytes of the body are kept", len(a.Response.Body))
	}
	if !utf8.ValidString(a.Hint+a.LocalInfo) || strings.ContainsFunc(a.Hint+a.LocalInfo, unicode.IsControl) {
		say("hint %q or info %q is not clean", a.Hint, a.LocalInfo)
	}
	return problems
}

// goOn sends the next request, to a receiver that behaves again. It may find that a kept
// connection has died, but never the answer to anything else.
func (m evilMeeting) goOn(t *testing.T, s *Sender, target *Target, r *evilReceiver) []string {
	const tries = 3
	var last string
	for n := range tries {
		lease := newLease(m.client.body(testBody))
		lease.Attempt = 10 + n // a request of the try before may arrive late
		a, unsent := sendChecked(t, s, target, lease)
		answers := r.answers(lease.Attempt)
		seen := len(answers)
		if seen > 1 || seen > 0 && unsent {
			return []string{fmt.Sprintf("the next request arrived %d times in one attempt, unsent %v", seen, unsent)}
		}
		if a.Class == delivery.OK && seen == 1 && string(a.Response.Body) == answers[0] {
			return nil
		}
		last = fmt.Sprintf("the next request: class %q, status %d, body %.60q, arrived %d times; info %q", a.Class, a.StatusCode, a.Response.Body, seen, a.LocalInfo)
		dead := seen == 0 && (a.Class == delivery.Closed || a.Class == delivery.Reset)
		if !dead && m.exact() {
			return []string{last}
		}
	}
	if !m.exact() {
		return nil // each request may have been given the answer to the one before
	}
	return []string{last}
}
