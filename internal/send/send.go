package send

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// Limits of LocalInfo, in characters: enough for an error with its causes, and
// for the top of a stack.
const (
	infoLimit  = 500
	stackLimit = 2000
)

// Config configures a [Sender].
type Config struct {
	// Client opens the connections. Required.
	Client *egress.Client
	// Timeout is the clock of an attempt, from DNS to the last byte of the
	// answer. 0 means that of [delivery.DefaultPolicy]. The client's
	// ConnectTimeout should not be shorter, else it ends attempts earlier.
	Timeout time.Duration
	// Node names this process in the attempts that it makes.
	Node string
	// Ahead is what the clock that requests are signed by is ahead of this process's; nil means nothing.
	Ahead func() time.Duration
}

// Sender makes attempts. It is safe for concurrent use.
type Sender struct {
	client  *egress.Client
	timeout time.Duration
	node    string
	ahead   func() time.Duration
	buffers *buffers
	uplink  uplink
}

// New makes a sender. It fails without a client and with a negative timeout.
func New(c Config) (*Sender, error) {
	if c.Client == nil {
		return nil, errors.New("sender needs an egress client")
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("sender timeout %v is negative", c.Timeout)
	}
	if c.Timeout == 0 {
		c.Timeout = delivery.DefaultPolicy().Timeout
	}
	if c.Ahead == nil {
		c.Ahead = func() time.Duration { return 0 }
	}
	return &Sender{client: c.Client, timeout: c.Timeout, node: c.Node, ahead: c.Ahead, buffers: newBuffers()}, nil
}

// Send posts a leased delivery once and gives the record of it, complete but for
// its Effect, which is not send's to know. It returns within the sender's timeout.
//
// Where it is proved that the receiver did nothing about the request, because a
// kept-alive connection was closed before it was used or an HTTP/2 receiver did not
// take the stream, the exchange is made once more, under the same clock and over a
// new connection. It is the same attempt, and the record is of the second exchange.
//
// A canceled ctx ends the attempt as [delivery.Interrupted], whatever else went
// wrong in that moment; once the headers of an answer are there, the answer
// stands. unsent reports that not even the head of the request was written: the
// receiver cannot have seen the delivery, and the lease of an interrupted
// attempt may be given back as if it had never been claimed. A panic ends the
// attempt as [delivery.LocalFault].
func (s *Sender) Send(ctx context.Context, t *Target, l delivery.Lease) (a delivery.Attempt, unsent bool) {
	a = s.begin(l)
	x := &exchanges{&exchange{}}
	defer func() {
		if v := recover(); v != nil {
			s.end(&a, x.exchange)
			a.Class, a.StatusCode = delivery.LocalFault, 0
			a.Hint = report{class: a.Class}.hint()
			a.LocalInfo = clean(fmt.Sprintf("panic: %v %s", v, debug.Stack()), stackLimit)
			unsent = x.unsent()
		}
	}()
	s.attempt(ctx, t, l, x, &a)
	return a, x.unsent()
}

// Refuse gives the record of an attempt that could not begin, because
// [NewTarget] refused the endpoint with err. url is the endpoint's, as stored.
func (s *Sender) Refuse(l delivery.Lease, url string, err error) delivery.Attempt {
	a := s.begin(l)
	a.Request.URL = url
	a.EndedAt = a.StartedAt
	a.Class = delivery.LocalFault
	if errors.Is(err, ErrBadHeader) {
		a.Class = delivery.InvalidTarget
	}
	a.Hint = report{class: a.Class, err: err}.hint()
	var refusal *egress.Error
	if errors.As(err, &refusal) {
		a.Class, a.Hint = refusalClass(refusal), refusal.Error() // it may name the address: it is in the URL
	}
	a.LocalInfo = localInfo(err)
	return a
}

func (s *Sender) begin(l delivery.Lease) delivery.Attempt {
	a := delivery.Attempt{DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, PlannedAt: l.PlannedAt, Node: s.node}
	a.StartedAt = time.Now()
	return a
}

// exchanges are those of an attempt: the last one, of two at most.
type exchanges struct{ *exchange }

// attempt is an exchange under its clock. What it learns it writes into a.
func (s *Sender) attempt(ctx context.Context, t *Target, l delivery.Lease, x *exchanges, a *delivery.Attempt) {
	signed := t.sign(l, a.StartedAt.Add(s.ahead()))
	a.Request = delivery.Request{URL: t.url, Header: t.record(signed, len(l.Body))}
	clock, stop := context.WithTimeoutCause(ctx, s.timeout, errOutOfTime)
	defer stop()
	resp, err := s.client.Do(x.request(clock, t, t.header(signed), l.Body))
	if err != nil && x.unseen(err) && clock.Err() == nil {
		client := s.client.Fresh() // of those that are kept, more may have died
		defer client.Close()
		x.exchange = &exchange{}
		resp, err = client.Do(x.request(clock, t, t.header(signed), l.Body))
	}
	if err != nil {
		s.failed(ctx, t, x.exchange, err, a)
		return
	}
	defer resp.Body.Close()
	s.answered(t, resp, x.exchange, a)
}

// failed writes down an exchange that ended without an answer.
func (s *Sender) failed(ctx context.Context, t *Target, x *exchange, err error, a *delivery.Attempt) {
	s.end(a, x)
	reached := x.reached()
	a.Class = delivery.Interrupted
	if ctx.Err() == nil { // else the shutdown may well be what broke it, which says nothing of the host
		a.Class, a.LocalInfo = s.uplink.blame(classify(err, reached), err, x, t.host, a.EndedAt)
	}
	a.LocalInfo += localInfo(err)
	a.Hint = report{
		class: a.Class, err: err, reached: reached, elapsed: a.Timing.Total,
		host: t.host, port: t.port,
	}.hint()
}

// answered writes down an answer. Its headers have decided the class; the body
// is only for people.
func (s *Sender) answered(t *Target, resp *http.Response, x *exchange, a *delivery.Attempt) {
	failpoint.Hit("attempt: head of the answer read")
	s.uplink.reached()
	a.StatusCode = resp.StatusCode
	a.Class = delivery.ClassOf(resp.StatusCode)
	a.RetryAfter = retryAfter(resp.StatusCode, resp.Header, time.Now().Add(s.ahead()))
	a.Response = delivery.Response{Proto: resp.Proto, Header: listed(resp.Header)}
	// After 101 the "body" is the bare connection, which no clock would end.
	if resp.StatusCode != http.StatusSwitchingProtocols {
		a.Response.Body, a.Response.Truncated = s.buffers.read(resp.Body)
	}
	s.end(a, x)
	a.Hint = report{
		class: a.Class, code: a.StatusCode, host: t.host, port: t.port,
		header: resp.Header, body: a.Response.Body,
	}.hint()
}

// end stops the clock of the record. The wall clock may jump meanwhile, so the
// end is the start plus the time that really went by.
func (s *Sender) end(a *delivery.Attempt, x *exchange) {
	now := time.Now()
	a.Timing = x.timing(now)
	a.Timing.Total = now.Sub(a.StartedAt)
	a.EndedAt = a.StartedAt.Add(a.Timing.Total)
}

// listed puts headers into a stable order: by name, values of one name as they came.
func listed(h http.Header) []delivery.Header {
	list := make([]delivery.Header, 0, len(h))
	for name, values := range h {
		for _, value := range values {
			list = append(list, delivery.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(list, byName)
	return list
}

// localInfo is what an operator may know and an account may not.
func localInfo(err error) string {
	var refusal *egress.Error
	if errors.As(err, &refusal) && refusal.Detail != "" {
		return clean(refusal.Detail, infoLimit)
	}
	return clean(err.Error(), infoLimit)
}
