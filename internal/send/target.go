package send

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// What NewTarget refuses beside an [*egress.Error]; compare with errors.Is.
var (
	// ErrNoSecret: there is nothing to sign with. That is a fault of this
	// program, not of the endpoint.
	ErrNoSecret = errors.New("the endpoint has no usable signing secret")
	// ErrBadHeader: a custom header cannot be sent, or would replace one of ours.
	ErrBadHeader = errors.New("the endpoint has a header that cannot be sent")
)

// mask stands for the value of a custom header that is likely a secret.
const mask = "••••"

// Target is an endpoint prepared for sending. Make it once and use it for every
// attempt, by many goroutines at once; make a new one when the endpoint's URL,
// headers or secrets change. It never changes.
type Target struct {
	url      string
	host     string        // as in hints: without port
	port     string        // as in hints: never empty
	template *http.Request // copied for every attempt
	custom   http.Header
	shown    []delivery.Header // custom, with secrets masked
	current  *webhook.Signer
	others   []*webhook.Signer
}

// NewTarget prepares an endpoint. The first secret is the current one, which
// alone makes X-ComplianceLayer-Signature; all of them are listed in
// webhook-signature (contract section 1). The error is an [*egress.Error] for the URL, or
// wraps [ErrBadHeader] or [ErrNoSecret]; it contains no header value and no
// secret. [Sender.Refuse] makes an attempt of it.
func NewTarget(p *egress.Policy, url string, headers []delivery.Header, secrets []webhook.Secret) (*Target, error) {
	parsed, err := p.ParseTarget(url)
	if err != nil {
		return nil, err
	}
	template, err := egress.NewRequest(context.Background(), parsed, nil)
	if err != nil {
		return nil, err
	}
	t := &Target{url: parsed.String(), host: parsed.Host(), port: portOf(template), template: template}
	if err := t.addHeaders(headers); err != nil {
		return nil, err
	}
	if err := t.addSigners(secrets); err != nil {
		return nil, err
	}
	return t, nil
}

func portOf(r *http.Request) string {
	if port := r.URL.Port(); port != "" {
		return port
	}
	if r.URL.Scheme == "http" {
		return "80"
	}
	return "443"
}

func (t *Target) addHeaders(headers []delivery.Header) error {
	t.custom = make(http.Header, len(headers))
	for _, h := range headers {
		if !httpguts.ValidHeaderFieldName(h.Name) || reserved(h.Name) {
			return fmt.Errorf("%w: name %q", ErrBadHeader, h.Name)
		}
		if !httpguts.ValidHeaderFieldValue(h.Value) {
			return fmt.Errorf("%w: the value of %q", ErrBadHeader, h.Name)
		}
		value := strings.Trim(h.Value, " \t") // as net/http does, so that the record is what was sent
		t.custom[h.Name] = append(t.custom[h.Name], value)
		if h.Hidden() {
			value = mask
		}
		t.shown = append(t.shown, delivery.Header{Name: h.Name, Value: value})
	}
	return nil
}

func (t *Target) addSigners(secrets []webhook.Secret) error {
	for _, secret := range secrets {
		signer, err := webhook.NewSigner(secret)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNoSecret, err)
		}
		t.others = append(t.others, signer)
	}
	if len(t.others) == 0 {
		return ErrNoSecret
	}
	t.current, t.others = t.others[0], t.others[1:]
	return nil
}

// reserved reports whether a custom header would replace one of ours, change the
// framing or the connection, or make net/http send a request twice. They are
// refused when an endpoint is saved; this is the second lock.
func reserved(name string) bool {
	lower := strings.ToLower(name)
	switch lower {
	case "host", "content-type", "content-length", "content-encoding", "transfer-encoding", "user-agent",
		"connection", "keep-alive", "te", "trailer", "upgrade", "expect", "accept-encoding",
		"idempotency-key", "x-idempotency-key":
		return true
	}
	for _, prefix := range []string{"proxy-", "webhook-", "x-compliancelayer-"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// sign makes the headers that differ from attempt to attempt.
func (t *Target) sign(l delivery.Lease, at time.Time) []webhook.Header {
	return webhook.Attempt{
		EventID:    l.EventID,
		EventType:  l.EventType,
		DeliveryID: int64(l.ID),
		Number:     l.Attempt,
		At:         at,
	}.Headers(l.Body, t.current, t.others...)
}

// header makes the map that net/http sends. Assigning to the map keeps the
// documented spelling on HTTP/1.1.
func (t *Target) header(signed []webhook.Header) http.Header {
	h := make(http.Header, len(signed)+len(t.custom))
	values := make([]string, len(signed))
	for i, s := range signed {
		values[i] = s.Value
		h[s.Name] = values[i : i+1 : i+1]
	}
	maps.Copy(h, t.custom)
	return h
}

// record lists the headers in the order in which net/http writes them on
// HTTP/1.1: three in front, the others by name.
func (t *Target) record(signed []webhook.Header, length int) []delivery.Header {
	r := make([]delivery.Header, 0, len(signed)+2+len(t.shown))
	r = append(r,
		delivery.Header{Name: "Host", Value: t.template.Host},
		delivery.Header{Name: "User-Agent", Value: webhook.UserAgent},
		delivery.Header{Name: "Content-Length", Value: strconv.Itoa(length)},
	)
	inFront := len(r)
	for _, s := range signed {
		if s.Name != "User-Agent" {
			r = append(r, delivery.Header{Name: s.Name, Value: s.Value})
		}
	}
	r = append(r, t.shown...)
	slices.SortStableFunc(r[inFront:], byName)
	return r
}

func byName(a, b delivery.Header) int { return strings.Compare(a.Name, b.Name) }
