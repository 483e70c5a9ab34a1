package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

const (
	// exitTryLater is EX_TEMPFAIL of sysexits.h: what the program needs is away.
	exitTryLater = 75
	// exitNoUse is EX_DATAERR of sysexits.h: the event is nothing for the program.
	exitNoUse = 65

	// maxSaid bounds what is kept of what a program writes to its standard error.
	maxSaid = 2 << 10
	// lastWords is how long a program may take to end after it was told to.
	lastWords = 2 * time.Second
)

// commandSink starts a program for each event, with the event's body on its standard
// input. Exit status 0 is done, 75 means that it is to be tried later, 65 that trying
// again is of no use; any other counts as an attempt. The program gets none of the
// relay's environment but PATH, HOME and what the route names: there are secrets in it.
type commandSink struct {
	run     []string // the program, by its path or as PATH finds it, and its arguments
	env     []string // NAME=value
	timeout time.Duration
}

// Handle runs the program once.
func (c *commandSink) Handle(parent context.Context, event receiver.Event[json.RawMessage]) error {
	ctx, cancel := context.WithTimeout(parent, c.timeout)
	defer cancel()
	secrets := c.secrets()
	said := &tail{most: maxSaid}
	for _, secret := range secrets {
		said.most = max(said.most, maxSaid+len(secret)) // so that the one across the cut is whole
	}
	program := exec.CommandContext(ctx, c.run[0], c.run[1:]...) //nolint:gosec // which program is the operator's choice, and nothing of the event is in its words
	program.Stdin = bytes.NewReader(event.Body)
	program.Stderr = said
	program.Env = append(c.environment(), eventVariables(event)...)
	ownGroup(program)
	program.WaitDelay = lastWords

	err := program.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrWaitDelay) && program.ProcessState.Success():
		return nil // it has ended well, and left something running
	case parent.Err() != nil:
		return &receiver.Failure{Err: fmt.Errorf("%s was stopped: %w", c.run[0], context.Cause(parent)), Unsure: true}
	case ctx.Err() != nil:
		return &receiver.Failure{Err: fmt.Errorf("%s did not end within %v and was stopped", c.run[0], c.timeout), Unsure: true}
	case !exited:
		return receiver.Unavailable(fmt.Errorf("start %s: %w", c.run[0], err), 0)
	}
	if !exit.Exited() { // by a signal, such as the kernel's for want of memory
		return &receiver.Failure{Err: fmt.Errorf("%s was ended by a signal: %w%s", c.run[0], exit, said.words(secrets)), Unsure: true}
	}
	err = fmt.Errorf("%s ended with status %d%s", c.run[0], exit.ExitCode(), said.words(secrets))
	switch exit.ExitCode() {
	case exitTryLater:
		return receiver.Unavailable(err, 0)
	case exitNoUse:
		return receiver.Permanent(err)
	}
	return err
}

// secrets are the values of the route's variables, the longest first, because one may be
// in another: they are often secrets, and a shell that traces shows them.
func (c *commandSink) secrets() (values []string) {
	for _, pair := range c.env {
		if _, value, _ := strings.Cut(pair, "="); len(value) >= 4 { // shorter ones are no secrets, and are in many words
			values = append(values, value)
		}
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	return values
}

func (c *commandSink) environment() []string {
	env := c.env
	for _, name := range []string{"PATH", "HOME"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env[:len(env):len(env)], name+"="+value)
		}
	}
	return env
}

// eventVariables tell a small program what it would else have to parse. They are
// visible ASCII, as ids and types are.
func eventVariables(event receiver.Event[json.RawMessage]) []string {
	return []string{
		"COMPLIANCELAYER_EVENT_ID=" + event.ID,
		"COMPLIANCELAYER_EVENT_TYPE=" + event.Type,
		fmt.Sprintf("COMPLIANCELAYER_EVENT_TEST=%t", event.Test),
		fmt.Sprintf("COMPLIANCELAYER_TRY=%d", event.Try),
		fmt.Sprintf("COMPLIANCELAYER_UNSURE=%t", event.Unsure),
	}
}

// tail keeps the last bytes that are written to it.
type tail struct {
	most int
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.most; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// words is the end of an error's text: the last of what was written, without secrets.
func (t *tail) words(secrets []string) string {
	text := string(t.kept)
	text = text[cut(text, secrets):]
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	if text = strings.TrimSpace(text); text != "" {
		return ": " + text
	}
	return ""
}

// cut is where the last maxSaid bytes of a text begin, or the first place after that which
// is not within a secret: half of one is not found when secrets are taken out.
func cut(text string, secrets []string) int {
	from := max(0, len(text)-maxSaid)
	for i := 0; i < len(secrets); i++ {
		begin := max(0, from-len(secrets[i])+1)
		if at := strings.Index(text[begin:], secrets[i]); at >= 0 && begin+at < from {
			from, i = begin+at+len(secrets[i]), -1 // which may be within another
		}
	}
	return from
}
