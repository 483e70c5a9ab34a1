package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

// doctorCmd checks what a server needs, with the server's own flags.
type doctorCmd struct {
	serverFlags
	Resolve string `setting:"" help:"A host name to look up." default:"example.com"`
	output
}

// Help says what the words mean.
func (d *doctorCmd) Help() string {
	return `Give it the flags, environment and settings file of the server. Nothing is changed. "warn" is worth a look, "fail" keeps the server from working and makes the exit status 1.`
}

// health is the result of a check.
type health string

const (
	healthOK   health = "ok"
	healthWarn health = "warn"
	healthFail health = "fail"
)

// finding is what a check found.
type finding struct {
	Check   string `json:"check"`
	Health  health `json:"status"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"` // what to do; empty when it is ok
}

func fine(format string, args ...any) finding {
	return finding{Health: healthOK, Message: fmt.Sprintf(format, args...)}
}

func warning(fix, format string, args ...any) finding {
	return finding{Health: healthWarn, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func failure(fix, format string, args ...any) finding {
	return finding{Health: healthFail, Message: fmt.Sprintf(format, args...), Fix: fix}
}

var errSick = errors.New("something keeps the server from working")

// Run makes all checks; one that fails does not keep the others from being made.
func (d *doctorCmd) Run(ctx context.Context, c *console) error {
	findings := d.examine(ctx)
	err := printOne(c, d.JSON, map[string][]finding{"checks": findings}, func() {
		for _, f := range findings {
			c.say("%s %s  %s", c.paint(styleOf(string(f.Health)), fmt.Sprintf("%-4s", f.Health)), painted(fmt.Sprintf("%-9s", f.Check)), f.Message)
			if f.Fix != "" {
				c.say("                 do: %s", f.Fix)
			}
		}
	})
	if err != nil {
		return err
	}
	for _, f := range findings {
		if f.Health == healthFail {
			return withHint(errSick, "%s doctor   (again, after what it says under \"do\")", programName)
		}
	}
	return nil
}

// examine makes the checks in the order in which a server needs what they check.
func (d *doctorCmd) examine(ctx context.Context) []finding {
	cfg, err := d.config()
	p := &patient{cfg: cfg, resolve: d.Resolve}
	settings := fine("flags, environment and file can be used")
	if err != nil {
		settings = failure("correct the setting", "%s", err)
	}
	settings.Check = "settings"
	findings := []finding{settings}
	for _, check := range []struct {
		name string
		run  func(context.Context) finding
	}{
		{"port", p.port}, {"database", p.database}, {"schema", p.schema}, {"key", p.key}, {"disk", p.disk},
		{"clock", p.clock}, {"egress", p.egress}, {"proxy", p.proxy}, {"resolver", p.resolver}, {"mail", p.mail},
	} {
		f := check.run(ctx)
		f.Check = check.name
		findings = append(findings, f)
	}
	return findings
}

// patient is what is examined, and what was found on the way.
type patient struct {
	cfg     app.Config
	resolve string
	serving bool // a healthy server is at the address
	tables  bool // the database has this program's tables
}
