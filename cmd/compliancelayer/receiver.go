package main

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// The state of a signature of a request that arrived.
const (
	sigOK      = "ok"
	sigWrong   = "wrong"
	sigMissing = "missing"
	sigUnknown = "not checked" // there is no secret
)

// arrival is a request that arrived, and what was made of it.
type arrival struct {
	At       time.Time `json:"at"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Event    string    `json:"event"`
	ID       string    `json:"id"`
	Delivery string    `json:"delivery"`
	Attempt  string    `json:"attempt"`
	Simple   string    `json:"simple"`   // X-ComplianceLayer-Signature: ok, wrong, missing or not checked
	Standard string    `json:"standard"` // webhook-signature, likewise
	Problem  string    `json:"problem,omitempty"`
	Status   int       `json:"status"` // of the answer
	Body     string    `json:"body"`

	headers http.Header
}

// verified reports whether both signatures were there and right.
func (a arrival) verified() bool { return a.Simple == sigOK && a.Standard == sigOK }

// receiver is a webhook receiver to test against. It may be told new secrets and
// answers while it runs.
type receiver struct {
	seen   func(arrival)                                     // called for each request, one at a time
	answer func(n int, a *arrival) (status int, body string) // n counts requests from 1
	delay  time.Duration                                     // before the answer

	mu      sync.Mutex
	secrets []webhook.Secret
	count   int
}

// setSecrets says what requests are verified with from now on.
func (r *receiver) setSecrets(secrets ...webhook.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = secrets
}

// maxArrival bounds a request: four times the largest event.
const maxArrival = 1 << 20

// ServeHTTP takes a request in, verifies it, answers, and tells what it saw.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxArrival))
	a := arrival{
		At: time.Now(), Method: req.Method, Path: req.URL.Path, Body: string(body), headers: req.Header,
		Event: req.Header.Get(webhook.EventHeader), ID: req.Header.Get(webhook.IDHeader),
		Delivery: req.Header.Get(webhook.DeliveryHeader), Attempt: req.Header.Get(webhook.AttemptHeader),
	}
	r.mu.Lock()
	r.count++
	n, secrets := r.count, r.secrets
	r.mu.Unlock()
	if err != nil {
		a.Problem = "the body did not arrive whole: " + err.Error()
	} else {
		a.verify(req.Header, body, secrets)
	}
	status, text := r.answer(n, &a)
	a.Status = status
	if r.delay > 0 {
		pause := time.NewTimer(r.delay)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-req.Context().Done():
			a.Problem = "the sender gave up while it waited"
		}
	}
	r.mu.Lock()
	r.seen(a)
	r.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the sender has gone away; it is told by its own error
}

// verify checks both signatures, each for itself.
func (a *arrival) verify(headers http.Header, body []byte, secrets []webhook.Secret) {
	a.Simple, a.Standard = sigUnknown, sigUnknown
	if len(secrets) == 0 {
		return
	}
	simple := headers.Clone()
	simple.Del(webhook.StandardSignatureHeader)
	_, simpleErr := webhook.Verify(simple, body, a.At, 0, secrets...)
	a.Simple = sigState(simpleErr, headers.Get(webhook.SignatureHeader))

	standard := headers.Clone()
	standard.Del(webhook.SignatureHeader)
	_, standardErr := webhook.Verify(standard, body, a.At, 0, secrets...)
	a.Standard = sigState(standardErr, headers.Get(webhook.StandardSignatureHeader))

	switch {
	case a.Simple == sigWrong && a.Standard == sigOK:
		a.Problem = "X-ComplianceLayer-Signature was made with another secret than webhook-signature: the endpoint's secret is being replaced: " + startWithBoth
	case a.Simple == sigWrong:
		a.Problem = explain(simpleErr, func() string { return webhook.Diagnose(secrets[0], body, headers.Get(webhook.SignatureHeader)) })
	case a.Standard == sigWrong:
		a.Problem = explain(standardErr, func() string {
			return webhook.DiagnoseStandard(secrets[0], a.ID, headers.Get(webhook.TimestampHeader), body, headers.Get(webhook.StandardSignatureHeader))
		})
	case a.Simple == sigMissing && a.Standard == sigMissing:
		a.Problem = webhook.ErrNoSignature.Error()
	}
	if a.Simple == sigWrong && a.Standard == sigWrong {
		a.Problem += " If the endpoint's secret was replaced: " + startWithBoth
	}
}

// startWithBoth is what to do during a rotation.
const startWithBoth = "start the receiver with the old and the new secret, COMPLIANCELAYER_SECRET=whsec_old...,whsec_new... compliancelayer receive."

func sigState(err error, value string) string {
	switch {
	case err == nil:
		return sigOK
	case value == "":
		return sigMissing
	}
	return sigWrong
}

// explain gives the diagnosis of a mismatch, and other errors as they are.
func explain(err error, diagnose func() string) string {
	if errors.Is(err, webhook.ErrMismatch) {
		return diagnose()
	}
	return err.Error()
}

// genuine reports whether a receiver should accept the request: as webhook.Verify
// does, webhook-signature decides when it is there, because during a rotation
// the other one may be made with the other secret.
func (a arrival) genuine() bool {
	switch {
	case a.Standard == sigUnknown:
		return true // there is no secret to tell by
	case a.Standard == sigMissing:
		return a.Simple == sigOK
	}
	return a.Standard == sigOK
}
