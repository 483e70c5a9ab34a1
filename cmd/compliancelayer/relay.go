package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/compliancelayer/compliancelayer/receiver/relay"
)

// relayCmd passes events on by the routes of a file.
type relayCmd struct {
	Run   relayRunCmd   `cmd:"" default:"withargs" help:"Run the relay (the same as relay alone)."`
	Check relayCheckCmd `cmd:"" help:"Check the file and send a test through every route."`
	Inbox relayInboxCmd `cmd:"" help:"What the relay has taken in: list, show, retry."`
}

// Help shows how it is used.
func (r *relayCmd) Help() string {
	return `Write a relay.yaml, of which this is the least:

    secrets: {env: COMPLIANCELAYER_SECRET}
    routes:
      - slack: {token: {env: SLACK_TOKEN}, channel: C0123456789}

Then:

    compliancelayer relay check --config relay.yaml
    compliancelayer relay --config relay.yaml

The relay takes webhooks on port 8090, at /webhooks/compliancelayer, and keeps them in relay.db before it answers. It logs its process's id, pid: after kill -HUP pid the file is read again. A file with a mistake changes nothing. /healthz and /metrics are beside the path. docs/receiving.md has all of it.`
}

// relayVariable names the relay's file. COMPLIANCELAYER_CONFIG does not: it is for the
// settings of the server.
const relayVariable = envPrefix + "_RELAY_CONFIG"

// BeforeReset makes --config what it is for the relay, before the help is printed and the
// environment is asked.
func (r *relayCmd) BeforeReset(ctx *kong.Context) error {
	for _, flag := range ctx.Model.Flags {
		if flag.Name == "config" {
			flag.Help = "The relay's file, relay.yaml if it is left out; docs/relay.yaml is one with every key."
			flag.Envs = []string{relayVariable}
			flag.Tag.Envs = flag.Envs
		}
	}
	return nil
}

// relayFile is the file of the relay, which is no file of settings: see settingsFile.
func relayFile(g *grammar) string {
	if g.Config == "" {
		return "relay.yaml"
	}
	return string(g.Config)
}

// relayConfig reads the file. Its mistakes are wrong usage.
func relayConfig(c *console, g *grammar) (*relay.Config, error) {
	config, err := relay.Read(relayFile(g))
	if errors.Is(err, os.ErrNotExist) {
		return nil, withHint(asUsage(err), "%s relay --config relay.yaml   (docs/relay.yaml is one with every key)", programName)
	}
	if err != nil {
		return nil, withHint(asUsage(err), "%s relay check --config %s   (when it is mended)", programName, relayFile(g))
	}
	for _, warning := range config.Warnings {
		c.note("warning: %s", warning)
	}
	return config, nil
}

type relayRunCmd struct{}

// Run relays until ctx ends.
func (r *relayRunCmd) Run(ctx context.Context, c *console, g *grammar) error {
	config, err := relayConfig(c, g)
	if err != nil {
		return err
	}
	// From here on: a signal that comes while the relay starts must not end it.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)

	log := newLogger(c.err, config.LogLevel.String(), config.LogFormat)
	running, err := relay.Open(ctx, relayFile(g), config, log)
	if err != nil {
		return relayHint(err, relayFile(g))
	}
	c.say("Relaying to %s; webhooks are taken at %s", counted(len(config.Routes), "route"), running.URL())
	return running.Run(ctx, reload)
}

// relayHint tells an address that cannot be listened on from anything else that keeps the
// relay from starting.
func relayHint(err error, file string) error {
	taken, ok := errors.AsType[*relay.ListenError](err)
	if !ok {
		return err
	}
	return listenHint(err, taken.Key+", in "+file)
}

// counted is a number of things, of which word is one.
func counted(n int, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(word, "y"))
	}
	return fmt.Sprintf("%d %ss", n, word)
}

type relayCheckCmd struct {
	NoSend bool `help:"Check the file alone: nothing is sent."`
	output
}

// checkedRoute is what a test came to, as JSON.
type checkedRoute struct {
	Route string `json:"route"`
	Kind  string `json:"kind"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Took  int64  `json:"took_ms"`
}

// Run checks.
func (r *relayCheckCmd) Run(ctx context.Context, c *console, g *grammar) error {
	config, err := relayConfig(c, g)
	if err != nil {
		return err
	}
	checked, err := config.Check(ctx, !r.NoSend, newLogger(c.err, config.LogLevel.String(), config.LogFormat))
	if err != nil {
		return asUsage(err)
	}
	var routes []checkedRoute
	failed := 0
	for _, one := range checked {
		route := checkedRoute{Route: one.Route, Kind: one.Kind, OK: one.Err == nil, Took: one.Took.Milliseconds()}
		if one.Err != nil {
			route.Error = one.Err.Error()
			failed++
		}
		routes = append(routes, route)
	}
	if err := printOne(c, r.JSON, routes, func() { r.words(c, relayFile(g), config, routes) }); err != nil {
		return err
	}
	if failed > 0 {
		return withHint(errors.New("a test did not go through"), "%s relay check --config %s   (when it is mended)", programName, relayFile(g))
	}
	return nil
}

func (r *relayCheckCmd) words(c *console, file string, config *relay.Config, routes []checkedRoute) {
	c.say("%s is as it should be: %s", file, counted(len(config.Routes), "route"))
	if r.NoSend {
		return
	}
	var rows [][]string
	for _, route := range routes {
		state := "ok"
		if !route.OK {
			state = "fail"
		}
		rows = append(rows, []string{route.Route, route.Kind, state, (time.Duration(route.Took) * time.Millisecond).String(), route.Error})
	}
	c.table([]string{"ROUTE", "KIND", "TEST", "TOOK", ""}, rows)
}
