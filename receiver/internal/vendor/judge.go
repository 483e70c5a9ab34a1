package vendor

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/receiver"
)

const (
	// maxAfter is the longest wish to be left alone that is heard: a mistake over
	// there must not silence a route for a week.
	maxAfter = 24 * time.Hour
	// maxSaid bounds the vendor's words in an error, in bytes.
	maxSaid = 500
)

// judge says what an answer means for the event. It is nil for a status of 2xx.
func (c *Client) judge(a Answer, said func([]byte) string, repeats bool) error {
	if a.Status >= 200 && a.Status <= 299 {
		return nil
	}
	words := ""
	if said != nil {
		words = said(a.Body)
	}
	words = c.Clean(cmp.Or(words, string(a.Body), "no reason given"))
	f := &receiver.Failure{Err: c.errorf("answered %d: %s", a.Status, words)}
	f.Unavailable, f.Answered, f.Unsure, f.Permanent = meaning(a.Status)
	f.Unsure = f.Unsure && !repeats
	if f.Unavailable {
		f.After = RetryAfter(a.Header)
	}
	if a.Status >= 300 && a.Status <= 399 {
		f.Err = c.errorf("answered %d: it redirects, which is not followed: check the address that is set: %s", a.Status, words)
	}
	if denied(a.Status) {
		f.Err = c.errorf("answered %d: %s: %s", a.Status, words, cmp.Or(c.cfg.Denied, "check the key or token that is set"))
	}
	return f
}

// meaning of a status that is not 2xx. A wrong token is not the event's fault: events
// wait until it is put right; but a refusal may be of one event alone, for its words, so
// it is Answered. Whatever a server says of its own trouble may have come
// after it did what it was asked for.
func meaning(status int) (unavailable, answered, unsure, permanent bool) {
	switch {
	case status == http.StatusTooManyRequests:
		return true, false, false, false
	case denied(status), status == http.StatusTooEarly, status >= 300 && status <= 399:
		// A redirect is not followed: it leads to the sign-in or the maintenance page of a
		// proxy, which stands before all events alike.
		return true, true, false, false
	case status == http.StatusRequestTimeout || status >= 500 && status <= 599:
		return true, true, true, false
	}
	return false, false, false, true
}

func denied(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// RetryAfter is how long an answer asks to be left alone: at most a day, 0 for no wish.
func RetryAfter(header http.Header) time.Duration {
	return retryAfter(header.Get("Retry-After"), time.Now())
}

// retryAfter reads the header of RFC 9110 section 10.2.3: seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	after := time.Duration(0)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 {
		after = time.Duration(min(seconds, maxAfter.Seconds()) * float64(time.Second))
	} else if date, err := http.ParseTime(text); err == nil {
		after = date.Sub(now)
	}
	return min(max(after, 0), maxAfter)
}

// broken says what an exchange without a whole answer means. It is the vendor's or the
// network's doing; only when part of an answer came, it may be this event's.
func (c *Client) broken(ctx context.Context, err error, at progress, repeats bool) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	f := &receiver.Failure{Unavailable: true, Answered: at.answered, Unsure: at.written && !repeats && !neverLeft(err)}
	f.Err = &cleaned{text: c.cfg.Name + ": " + c.Clean(err.Error()), cause: err}
	return f
}

// neverLeft reports whether an error is one from before a connection was there.
func neverLeft(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, refused := errors.AsType[*egress.Error](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	return refused || unknown
}

// cleaned is an error whose words may be shown; what it is can still be asked.
type cleaned struct {
	text  string
	cause error
}

func (c *cleaned) Error() string { return c.text }

// Unwrap gives the cause, whose own words may hold what Clean took out.
func (c *cleaned) Unwrap() error { return c.cause }

// Clean makes words of the vendor fit for an error: without secrets and control
// characters, and not long.
func (c *Client) Clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r): // Cf turns the direction of what follows
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	for _, secret := range c.cfg.Secrets {
		slashed := strings.ReplaceAll(secret, "/", `\/`) // as PHP writes JSON
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), slashed} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "***")
			}
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxSaid {
		cut := maxSaid
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + " ..."
	}
	return text
}

// progress is how far an exchange came.
type progress struct {
	written  bool // a byte of the request may have left
	answered bool // a byte of the answer came
}

// trail watches an exchange. Hooks may still be called after it has ended.
type trail struct {
	mu        sync.Mutex
	preparing bool // a hook from before the connection was called
	connected bool
	answered  bool
}

func (t *trail) watch(ctx context.Context) context.Context {
	set := func(what *bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		*what = true
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { set(&t.preparing) },
		DNSStart:             func(httptrace.DNSStartInfo) { set(&t.preparing) },
		ConnectStart:         func(string, string) { set(&t.preparing) },
		TLSHandshakeStart:    func() { set(&t.preparing) },
		GotConn:              func(httptrace.GotConnInfo) { set(&t.connected) },
		GotFirstResponseByte: func() { set(&t.answered) },
	})
}

// read says how far it came. A client that calls no hooks is taken to have written.
func (t *trail) read() progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return progress{written: t.connected || !t.preparing, answered: t.answered}
}
