package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// listenCmd streams a server's events to the terminal and to a local URL.
type listenCmd struct {
	remote
	Events      []string `help:"Only these types: exact names, prefixes such as scan.*, or *. Left out, all." placeholder:"TYPE"`
	ForwardTo   string   `help:"Post each event to this URL, signed as the real thing." placeholder:"URL"`
	Secret      string   `setting:"" help:"Sign with this secret, set in the environment, or - for the first line of standard input; left out, one is made for this run and printed." placeholder:"WHSEC"`
	PrintSecret bool     `help:"Print the secret alone, as the first line of standard output."`
}

// Help shows how it is used.
func (l *listenCmd) Help() string {
	return `For example:

    compliancelayer listen
    compliancelayer listen --events 'scan.*' --forward-to localhost:3000/hooks
    COMPLIANCELAYER_SECRET=whsec_... compliancelayer listen --forward-to localhost:3000/hooks

Events come straight from your server; no other service is involved. When the connection breaks it is made again, and what happened meanwhile is read from the list of events. Nothing is recorded on the server, and nothing is retried: an event that your program refuses is shown as refused.`
}

const (
	forwarders  = 4    // posts at once: a slow program holds up the others little, and keeps order mostly
	forwardRoom = 1000 // events that may wait for them; beyond it the stream waits, and the server may cut it

	firstPause   = 500 * time.Millisecond // before connecting again; doubles
	longestPause = 30 * time.Second
)

// Run streams until ctx ends.
func (l *listenCmd) Run(ctx context.Context, c *console) error {
	for _, pattern := range l.Events {
		if err := catalog.ValidPattern(pattern); err != nil {
			return asUsage(fmt.Errorf("--events: %w", err))
		}
	}
	f, err := l.forwarder(c)
	if err != nil {
		return err
	}
	follow, err := l.follower(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan listened, forwardRoom)
	var running sync.WaitGroup
	defer func() {
		cancel() // what waits is not forwarded any more: whoever ended this is gone
		close(events)
		running.Wait()
	}()
	if f != nil {
		for range forwarders {
			running.Go(func() { l.forwardAll(ctx, c, f, events) })
		}
	}
	err = follow.run(ctx, func(e listened) {
		l.show(c, e)
		if f == nil {
			return
		}
		select {
		case events <- e:
		case <-ctx.Done():
		}
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how it ends
	}
	return err
}

// forwarder makes the forwarder, nil without --forward-to, and prints its secret.
func (l *listenCmd) forwarder(c *console) (*forwarder, error) {
	secret := webhook.NewSecret()
	if l.Secret != "" {
		text, err := c.secret(l.Secret)
		if err != nil {
			return nil, err
		}
		if secret, err = webhook.ParseSecret(text); err != nil {
			return nil, asUsage(fmt.Errorf("--secret: %w", err))
		}
	}
	if l.PrintSecret {
		c.say("%s", secret.Reveal())
	}
	if l.ForwardTo == "" {
		return nil, nil
	}
	f, err := newForwarder(l.ForwardTo, secret)
	if err == nil && l.Secret == "" && !l.PrintSecret {
		c.note("The signing secret of this run is %s", secret.Reveal())
	}
	return f, err
}

func (l *listenCmd) forwardAll(ctx context.Context, c *console, f *forwarder, events <-chan listened) {
	for e := range events {
		if ctx.Err() != nil {
			continue
		}
		if done := f.send(ctx, e.event, e.body); ctx.Err() == nil {
			l.showForwarded(c, done)
		}
	}
}

// show prints an event: time --> type [id].
func (l *listenCmd) show(c *console, e listened) {
	if l.JSON {
		_ = c.jsonLine(map[string]any{"kind": "event", "event": json.RawMessage(e.body)}) // it was JSON when it came
		return
	}
	c.say("%s --> %s [%s]", c.paint(dim, time.Now().Format(time.TimeOnly)), c.paint(bold, e.event.Type), e.event.ID)
}

// showForwarded prints what came of forwarding: time <-- [200] POST url [id] 12 ms.
func (l *listenCmd) showForwarded(c *console, done forwarded) {
	if l.JSON {
		_ = c.jsonLine(map[string]any{"kind": "forwarded", "forwarded": done}) // texts and numbers always encode
		return
	}
	look, answer := green, fmt.Sprint(done.Status)
	if done.Status < 200 || done.Status > 299 {
		look = red
	}
	if done.Status == 0 {
		answer = "no answer: " + done.Error
	}
	c.say("%s <-- %s POST %s [%s] %.0f ms", c.paint(dim, time.Now().Format(time.TimeOnly)), c.paint(look, "["+answer+"]"), done.URL, done.ID, done.Took)
}

// follower makes what reads the events. Its own HTTP client tells when the
// stream is connected, which the stream itself only shows by its first item.
func (l *listenCmd) follower(c *console) (*follower, error) {
	key, err := l.key(c)
	if err != nil {
		return nil, err
	}
	f := &follower{events: l.Events, note: c.note, seen: newSeen(), connected: make(chan time.Time, 1)}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute}
	hc := &http.Client{
		Transport:     tellConnected{transport, f.connected},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if f.client, err = client.New(client.Config{Server: l.Server, APIKey: key, HTTPClient: hc}); err != nil {
		return nil, misuse("--server %q: %w", l.Server, err)
	}
	return f, nil
}
