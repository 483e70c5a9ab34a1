package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// childArgument makes this binary play the role that the next argument names.
	childArgument = "child"

	// stopLimit is how long a child may take to end: the program finishes what is on
	// the wire, which here takes no time at all.
	stopLimit = 20 * time.Second

	// logTailBytes is how much of a child's log goes into an error.
	logTailBytes = 2 << 10
)

// request asks a child to do something; it answers each with a response. They
// travel as JSON over its standard input and output, one at a time.
type request struct {
	Verb string          `json:"verb"`
	With json.RawMessage `json:"with"`
}

type response struct {
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// handlers are the verbs of a role.
type handlers map[string]func(with json.RawMessage) (any, error)

// verb makes a handler of a function.
func verb[In, Out any](do func(In) (Out, error)) func(json.RawMessage) (any, error) {
	return func(with json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(with, &in); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		return do(in)
	}
}

// roles are what this binary can play; each gives its verbs and how it ends.
func roles() map[string]func(context.Context) (handlers, func() error, error) {
	return map[string]func(context.Context) (handlers, func() error, error){
		"receiver": receiverRole, "publisher": publisherRole, "program": programRole, "kit": kitRole,
	}
}

// runChild plays a role until standard input ends, which it does at the latest
// when the process that started this one is gone. It gives the exit status.
func runChild(role string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begin, ok := roles()[role]
	if !ok {
		fmt.Fprintf(os.Stderr, "there is no role %q\n", role)
		return 2
	}
	verbs, end, err := begin(ctx)
	if err == nil {
		err = errors.Join(answer(os.Stdin, os.Stdout, verbs), end())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// answer serves requests until there are no more.
func answer(in io.Reader, out io.Writer, verbs handlers) error {
	from, to := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var asked request
		if err := from.Decode(&asked); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		if err := to.Encode(respond(asked, verbs)); err != nil {
			return fmt.Errorf("answer %s: %w", asked.Verb, err)
		}
	}
}

func respond(asked request, verbs handlers) response {
	do, ok := verbs[asked.Verb]
	if !ok {
		return response{Error: fmt.Sprintf("there is no verb %q", asked.Verb)}
	}
	result, err := do(asked.With)
	if err != nil {
		return response{Error: err.Error()}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return response{Error: err.Error()}
	}
	return response{Result: text}
}

// child is another process of this binary.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	to   *json.Encoder
	from *json.Decoder
	log  string // the file with its standard error
}

// startChild starts a role; its log goes to a file in dir. The process is killed
// when ctx ends before stop was called.
func startChild(ctx context.Context, role, dir string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's file: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, role+".log"))
	if err != nil {
		return nil, fmt.Errorf("make the log of the %s: %w", role, err)
	}
	defer log.Close()
	c := &child{role: role, log: log.Name(), cmd: exec.CommandContext(ctx, self, childArgument, role)}
	c.cmd.Stderr = log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("connect to the %s: %w", role, err)
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("connect to the %s: %w", role, err)
	}
	c.to, c.from = json.NewEncoder(c.in), json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	return c, nil
}

// pid is the number of the process.
func (c *child) pid() int { return c.cmd.Process.Pid }

// ask sends a request and reads the answer into result, which may be nil.
func (c *child) ask(verb string, with, result any) error {
	text, err := json.Marshal(with)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.role, verb, err)
	}
	if err := c.to.Encode(request{Verb: verb, With: text}); err != nil {
		return fmt.Errorf("%s: %s: %w\n%s", c.role, verb, err, c.logTail())
	}
	var answered response
	if err := c.from.Decode(&answered); err != nil {
		return fmt.Errorf("%s: %s: %w\n%s", c.role, verb, err, c.logTail())
	}
	if answered.Error != "" {
		return fmt.Errorf("%s: %s: %s\n%s", c.role, verb, answered.Error, c.logTail())
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answered.Result, result); err != nil {
		return fmt.Errorf("%s: %s: %w", c.role, verb, err)
	}
	return nil
}

// stop lets the process end by itself and waits for it; after stopLimit it is killed.
func (c *child) stop() error {
	late := time.AfterFunc(stopLimit, func() { _ = c.cmd.Process.Kill() }) // it may just have ended
	defer late.Stop()
	if err := c.in.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("stop the %s: %w", c.role, err)
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("end of the %s: %w\n%s", c.role, err, c.logTail())
	}
	return nil
}

// logTail gives the end of the child's log; empty when it cannot be read, since it
// only ever adds to another error.
func (c *child) logTail() []byte {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return nil
	}
	return text[max(0, len(text)-logTailBytes):]
}
