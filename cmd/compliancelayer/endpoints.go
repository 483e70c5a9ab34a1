package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
)

// endpointsCmd groups what concerns endpoints.
type endpointsCmd struct {
	List    endpointsListCmd    `cmd:"" help:"List endpoints, newest first."`
	Get     endpointsGetCmd     `cmd:"" help:"Show an endpoint: state, counts, health, secrets."`
	Create  endpointsCreateCmd  `cmd:"" help:"Make an endpoint; prints its signing secret, once."`
	Update  endpointsUpdateCmd  `cmd:"" help:"Change an endpoint; what is not named stays, and what is named is replaced whole, --events and --header too."`
	Delete  endpointsDeleteCmd  `cmd:"" help:"Delete an endpoint, after saying what waits for it."`
	Test    endpointsTestCmd    `cmd:"" help:"Send a real signed delivery now, once; works on a disabled endpoint."`
	Enable  endpointsEnableCmd  `cmd:"" help:"Let an endpoint receive again."`
	Disable endpointsDisableCmd `cmd:"" help:"Stop an endpoint; what is for it is held."`
	Replay  endpointsReplayCmd  `cmd:"" help:"Retry an endpoint's deliveries of a span of time, paced."`
	Secret  secretCmd           `cmd:"" help:"Signing secrets: prepare, promote, rotate, check."`
}

type endpointsListCmd struct {
	remote
	paging
}

// Run lists endpoints.
func (e *endpointsListCmd) Run(ctx context.Context, c *console) error {
	head := []string{"ID", "STATE", "URL", "EVENTS", "WAITING", "HELD", "FAILED", "24H"}
	return list(ctx, c, &e.remote, e.paging, (*client.Client).Endpoints, head, func(ep client.Endpoint) []string {
		return []string{
			ep.ID, shownState(ep), ep.URL, words(ep.Events), strconv.Itoa(ep.WaitingCount), strconv.Itoa(ep.HeldCount),
			strconv.Itoa(ep.FailedCount), percent(ep.Health.SuccessRate),
		}
	})
}

type endpointsGetCmd struct {
	remote
	ID string `arg:"" help:"The endpoint, ep_ and more."`
}

// Run shows an endpoint.
func (e *endpointsGetCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &e.remote, (*client.Client).Endpoint, e.ID, showEndpoint)
}

// shownState is what an endpoint gets: narrow, too, has to be found with these commands.
func shownState(ep client.Endpoint) string {
	if ep.Narrow {
		return ep.State + ", narrow"
	}
	return ep.State
}

// showEndpoint prints an endpoint in words.
func showEndpoint(c *console, ep client.Endpoint) {
	headers := make([]string, len(ep.Headers))
	for i, h := range ep.Headers {
		headers[i] = h.Name + ": " + h.Value
	}
	c.details(
		field{"id", ep.ID}, field{"url", ep.URL}, field{"events", words(ep.Events)}, field{"description", ep.Description},
		field{"state", shownState(ep)}, field{"why", ep.StatusText}, field{"disabled at", when(ep.DisabledAt)},
		field{"failures in a row", number(ep.ConsecutiveFailures)},
		field{"headers", strings.Join(headers, "; ")}, field{"rate limit", number(ep.RateLimit)}, field{"concurrency", number(ep.Concurrency)},
		field{"waiting", strconv.Itoa(ep.WaitingCount)}, field{"held", strconv.Itoa(ep.HeldCount)}, field{"failed", strconv.Itoa(ep.FailedCount)},
		field{"next attempt", when(ep.NextAttemptAt)}, field{"last success", when(ep.LastSuccessAt)},
		field{"last " + ep.Health.Window, fmt.Sprintf("%d attempts, %s succeeded, half within %s", ep.Health.Attempts, percent(ep.Health.SuccessRate), millis(ep.Health.P50))},
		field{"created", at(ep.CreatedAt)},
	)
	for _, s := range ep.Secrets {
		until := ""
		if s.ExpiresAt != nil {
			until = ", signs until " + when(s.ExpiresAt)
		}
		c.details(field{"secret", s.Role + " " + s.Fingerprint + ", made " + at(s.CreatedAt) + until})
	}
}

type endpointsCreateCmd struct {
	remote
	URL         string   `arg:"" help:"Where to send events: https, or http://localhost on a server in development mode."`
	Events      []string `help:"What to subscribe to: exact names, prefixes such as scan.*, or * for all but operational events." required:""`
	Description string   `help:"Words of your own."`
	Header      []string `help:"A header to send with every request, as \"Name: value\"; may be repeated. Set secret values in the environment or the settings file." sep:"none"`
	RateLimit   int      `help:"The most attempts per second; 0 = no limit."`
	Concurrency int      `help:"The most attempts at once; 0 = the server's setting."`
	Disabled    bool     `help:"Make it disabled: what is published meanwhile is held."`
}

// Run makes an endpoint.
func (e *endpointsCreateCmd) Run(ctx context.Context, c *console) error {
	headers, err := parseHeaders(e.Header)
	if err != nil {
		return err
	}
	enabled := !e.Disabled
	return ask(c, &e.remote, func(cl *client.Client) (client.Endpoint, error) {
		return cl.CreateEndpoint(ctx, client.NewEndpoint{
			URL: e.URL, Events: e.Events, Description: e.Description, Enabled: &enabled, Headers: headers,
			RateLimit: e.RateLimit, Concurrency: e.Concurrency,
		})
	}, func(c *console, ep client.Endpoint) {
		c.details(field{"id", ep.ID}, field{"url", ep.URL}, field{"events", words(ep.Events)}, field{"state", ep.State}, field{"secret", ep.Secret})
		c.note("The secret is shown here and never again. Next: compliancelayer endpoints test %s", ep.ID)
	})
}

// parseHeaders reads "Name: value".
func parseHeaders(texts []string) ([]client.Header, error) {
	headers := make([]client.Header, 0, len(texts))
	for _, text := range texts {
		name, value, ok := strings.Cut(text, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, misuse("--header: write it as \"Name: value\"")
		}
		headers = append(headers, client.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return headers, nil
}

type endpointsUpdateCmd struct {
	remote
	ID          string   `arg:"" help:"The endpoint."`
	URL         *string  `name:"url" help:"Where to send events."`
	Events      []string `help:"What to subscribe to, all of it: exact names, prefixes such as scan.*, or *."`
	Description *string  `help:"Words of your own."`
	Header      []string `help:"A header to send with every request, as \"Name: value\"; may be repeated. They replace those that there are, all of them; a value of •••• keeps the stored one." sep:"none"`
	NoHeaders   bool     `help:"Remove all of its own headers."`
	RateLimit   *int     `help:"The most attempts per second; 0 = no limit."`
	Concurrency *int     `help:"The most attempts at once; 0 = the server's setting."`
}

// Run changes an endpoint.
func (e *endpointsUpdateCmd) Run(ctx context.Context, c *console) error {
	patch := client.EndpointPatch{URL: e.URL, Description: e.Description, RateLimit: e.RateLimit, Concurrency: e.Concurrency}
	if len(e.Events) > 0 {
		patch.Events = &e.Events
	}
	if len(e.Header) > 0 || e.NoHeaders {
		headers, err := parseHeaders(e.Header)
		if err != nil {
			return err
		}
		patch.Headers = &headers
	}
	if patch == (client.EndpointPatch{}) {
		return misuse("nothing to change: name at least one setting")
	}
	return ask(c, &e.remote, func(cl *client.Client) (client.Endpoint, error) { return cl.UpdateEndpoint(ctx, e.ID, patch) }, showEndpoint)
}

type endpointsDeleteCmd struct {
	remote
	ID     string `arg:"" help:"The endpoint."`
	DryRun bool   `help:"Only count what waits for it."`
	Yes    bool   `short:"y" help:"Delete it also when deliveries wait for it; they are discarded."`
}

// Run counts what waits for the endpoint, and deletes it when nothing does or
// when that was agreed to.
func (e *endpointsDeleteCmd) Run(ctx context.Context, c *console) error {
	cl, err := e.dial(c)
	if err != nil {
		return err
	}
	done, err := cl.DeleteEndpoint(ctx, e.ID, true)
	if err != nil {
		return err
	}
	if !e.DryRun && !e.Yes && done.Discarded > 0 {
		return withHint(misuse("%s would be discarded, waiting for this endpoint or held for it", deliveries(done.Discarded)),
			"%s endpoints delete %s --yes", programName, e.ID)
	}
	if !e.DryRun {
		if done, err = cl.DeleteEndpoint(ctx, e.ID, false); err != nil {
			return err
		}
	}
	return printOne(c, e.JSON, done, func() {
		if done.DryRun {
			c.say("%s would be discarded; nothing was deleted", deliveries(done.Discarded))
			return
		}
		c.say("deleted %s, discarded %s", done.ID, deliveries(done.Discarded))
	})
}

type endpointsTestCmd struct {
	remote
	ID   string `arg:"" help:"The endpoint."`
	Type string `help:"The type whose sample is sent." default:"scan.completed"`
}

var errTestFailed = errors.New("the test was not answered with success")

// Run sends a test and prints what came of it.
func (e *endpointsTestCmd) Run(ctx context.Context, c *console) error {
	cl, err := e.dial(c)
	if err != nil {
		return err
	}
	result, err := cl.TestEndpoint(ctx, e.ID, client.TestEndpoint{Type: e.Type})
	if err != nil {
		return err
	}
	err = printOne(c, e.JSON, result, func() {
		c.say("%s test %s [%s]", c.mark(result.Succeeded), result.EventType, result.EventID)
		showAttempt(c, result.Attempt)
	})
	if err == nil && !result.Succeeded {
		return withHint(errTestFailed, "%s deliveries attempt %s %d   (the whole request and response)", programName, result.Attempt.DeliveryID, result.Attempt.Number)
	}
	return err
}

// mark is a tick or a cross.
func (c *console) mark(good bool) painted {
	if good {
		return c.paint(green, "✓")
	}
	return c.paint(red, "✗")
}
