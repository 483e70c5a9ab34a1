package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// receiveCmd is a receiver to test against.
type receiveCmd struct {
	Listen address  `help:"Address to listen on; any path is accepted." default:"127.0.0.1:9000"`
	Secret []string `setting:"" help:"Signing secrets to verify with; may be repeated. Set them in the environment, with commas between them; - reads one from standard input." sep:"," placeholder:"WHSEC"`
	Fail   int      `help:"Answer the first N requests with an error, 500 unless --status says another." placeholder:"N"`
	Status int      `help:"Answer with this status: the first N with --fail N, else all." placeholder:"CODE"`
	Delay  span     `help:"Wait before each answer." placeholder:"D"`
	Body   string   `help:"The body of each answer." default:"ok"`
	output
}

// Help shows how it is used.
func (r *receiveCmd) Help() string {
	return `Make an endpoint for it on a server in development mode, then start it with the secret that was shown:

    compliancelayer endpoints create http://localhost:9000/hooks --events '*'
    COMPLIANCELAYER_SECRET=whsec_... compliancelayer receive --fail 3

A request whose signature is wrong is answered with 401, and what looks wrong with it is printed. Without a secret nothing is verified. While an endpoint's secret is replaced, name both: COMPLIANCELAYER_SECRET=whsec_old...,whsec_new... With --json each request is a line.`
}

// Run receives until ctx ends.
func (r *receiveCmd) Run(ctx context.Context, c *console) error {
	if err := r.check(); err != nil {
		return err
	}
	secrets, err := r.parseSecrets(c)
	if err != nil {
		return err
	}
	rc := &receiver{answer: r.answer, delay: time.Duration(r.Delay), seen: func(a arrival) { r.show(c, a) }}
	rc.setSecrets(secrets...)
	stop, url, err := serveHere(ctx, string(r.Listen), rc)
	if err != nil {
		return listenHint(err, "--listen or COMPLIANCELAYER_RECEIVE_LISTEN")
	}
	c.note("Receiving at %s", url)
	if len(secrets) == 0 {
		c.note("Signatures are not verified: there is no COMPLIANCELAYER_SECRET.")
	}
	<-ctx.Done()
	return stop()
}

func (r *receiveCmd) check() error {
	if r.Fail < 0 || r.Delay < 0 {
		return misuse("--fail and --delay: must be 0 or more")
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return misuse("--status: %d is not a status from 200 to 599", r.Status)
	}
	return nil
}

func (r *receiveCmd) parseSecrets(c *console) ([]webhook.Secret, error) {
	var secrets []webhook.Secret
	for i, text := range r.Secret {
		text, err := c.secret(text)
		if err != nil {
			return nil, err
		}
		secret, err := webhook.ParseSecret(text)
		if err != nil {
			return nil, misuse("--secret: number %d: %w", i+1, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// answer decides about the nth request.
func (r *receiveCmd) answer(n int, a *arrival) (int, string) {
	failing := n <= r.Fail
	switch {
	case !a.genuine():
		return http.StatusUnauthorized, "the signature is wrong\n"
	case failing && r.Status == 0:
		return http.StatusInternalServerError, r.Body + "\n"
	case r.Status != 0 && (failing || r.Fail == 0):
		return r.Status, r.Body + "\n"
	}
	return http.StatusOK, r.Body + "\n"
}

// show prints a request.
func (r *receiveCmd) show(c *console, a arrival) {
	if r.JSON {
		_ = c.jsonLine(a) // texts and numbers always encode
		return
	}
	look := green
	if a.Status >= 300 {
		look = red
	}
	c.say("%s %s %s %s [%s] delivery %s attempt %s %s", c.paint(dim, a.At.Format(time.TimeOnly)), a.Method, a.Path, c.paint(bold, a.Event), a.ID, a.Delivery, a.Attempt,
		c.paint(look, fmt.Sprintf("-> %d", a.Status)))
	c.say("  signature: %s, webhook-signature: %s", a.Simple, a.Standard)
	if a.Problem != "" {
		c.say("  %s", c.paint(red, a.Problem))
	}
	c.say("  %s", a.Body)
}

// serveHere answers at an address until stop is called; the server is up when it returns.
func serveHere(ctx context.Context, address string, h http.Handler) (stop func() error, url string, err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w", address, err)
	}
	// It answers slowly on purpose sometimes, so only what the other side does has a limit.
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	stop = func() error {
		closing := server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return closing
	}
	return stop, "http://" + l.Addr().String(), nil
}
