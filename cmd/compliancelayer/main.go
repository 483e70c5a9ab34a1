package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is the release, set by the linker (-X main.version).
var version = "dev"

const (
	programName = "compliancelayer"
	envPrefix   = "COMPLIANCELAYER"

	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:], newConsole(os.Stdin, os.Stdout, os.Stderr)))
}

// run is the program without its process: it gives the exit status.
func run(args []string, c *console) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	dropEmptySettings()

	helpTo, helpStatus := c.out, 0
	if len(args) == 0 { // the help instead of an error
		args, helpTo, helpStatus = []string{"--help"}, c.err, exitUsage
	}
	parser, err := newParser(c, helpTo)
	if err != nil {
		return c.fail(err, "")
	}
	noteMisspelt(c, settingNames(parser.Model.Node))
	parser.Exit = func(int) { os.Exit(helpStatus) } // only --help calls it
	parsed, err := parser.Parse(args)
	if err != nil {
		return c.fail(asUsage(withDash(withoutValue(err), args)), commandOf(err))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(c); err != nil {
		return c.fail(err, commandPath(parsed))
	}
	return 0
}

// newParser makes the parser of the whole command line.
func newParser(c *console, helpTo writer) (*kong.Kong, error) {
	g := &grammar{}
	return kong.New(g,
		kong.Name(programName),
		kong.Description("Webhooks for ComplianceLayer, self-hosted. Try it: compliancelayer demo"),
		kong.Writers(helpTo, c.err),
		kong.PostBuild(nameVariables),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "try", Title: "Try it"},
			{Key: "run", Title: "Run a server"},
			{Key: "use", Title: "Work with a server"},
			{Key: "build", Title: "Build a receiver"},
			{Key: "other", Title: "Other"},
		}),
		kong.Bind(c, g),
	)
}

// dropEmptySettings takes variables that are set to nothing out of the
// environment: in a compose file an empty variable means that it is not set.
func dropEmptySettings() {
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if value == "" && strings.HasPrefix(name, envPrefix+"_") {
			_ = os.Unsetenv(name) // a name that was listed can be unset
		}
	}
}

// withoutValue takes the value of a variable, which the parser quotes, out of an error:
// it may hold a password.
func withoutValue(err error) error {
	text, source, found := strings.Cut(err.Error(), " (from envar ")
	if !found {
		return err
	}
	name, _, _ := strings.Cut(source, "=")
	return fmt.Errorf("%s (from %s)", text, name)
}

// withDash says how a flag gets a value that begins with a dash, such as -1, when one of args
// was taken for another flag.
func withDash(err error, args []string) error {
	flag, _, ok := strings.Cut(err.Error(), ": ")
	at := slices.Index(args, flag)
	if !ok || at < 0 || at+1 == len(args) || !strings.HasPrefix(args[at+1], "-") || strings.HasPrefix(args[at+1], "--") {
		return err
	}
	return fmt.Errorf("%s: a value that begins with - is written with =, such as %s=-1", flag, flag)
}

// commandOf gives the command that a wrong command line was meant for, "" for none.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		return commandPath(parse.Context)
	}
	return ""
}

// commandPath gives the words of a command, such as "endpoints secret rotate".
func commandPath(parsed *kong.Context) string {
	var words []string
	for _, p := range parsed.Path {
		if p.Command != nil {
			words = append(words, p.Command.Name)
		}
	}
	return strings.Join(words, " ")
}
