package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

const (
	// fullEvents and fullLight make a run of minutes, in which a row takes seconds:
	// long enough for checkpoints and garbage collections to be in it.
	fullEvents = 20_000
	fullLight  = 20 * time.Second

	quickEvents = 2_000
	quickLight  = 3 * time.Second

	// What the sections wait beside: a backlog that an endpoint leaves which is away
	// for half an hour at 50 events a second, and what the program promises to bear.
	fullDead     = 100_000
	fullWaiting  = 1_000_000
	fullFinished = 5_000_000
	quickDead    = 2_000
	quickWaiting = 20_000
	// quickFinished is as much smaller.
	quickFinished = 100_000

	// fullRounds turns make medians that one bad moment of the machine does not move.
	fullRounds = 5
	fullTurn   = 6 * time.Second
	fullIdle   = 20 * time.Second

	resultFile    = "bench-result.json"
	profileFolder = "bench-profile"
)

// options are what the command line and the environment ask for.
type options struct {
	events  int           // of each row at full speed
	light   time.Duration // how long the rows at a light rate take
	only    *regexp.Regexp
	dir     string // parent of the temporary files; "" = the system's
	profile bool

	dead     int           // deliveries that wait for a dead endpoint beside a healthy one
	waiting  int           // deliveries of the large backlog
	finished int           // delivered ones in the log of a third database; 0 = there is none
	rounds   int           // turns of those that are compared
	turn     time.Duration // how long one takes at a light rate
	idle     time.Duration // how long nothing is done
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == childArgument {
		os.Exit(runChild(os.Args[2]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command without its process: it gives the exit status.
func run(args []string, out, errOut io.Writer) int {
	opts, err := parseOptions(args, errOut)
	if err != nil {
		return 2 // the flag package has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := measure(ctx, opts, out)
	if ctx.Err() != nil { // its processes were ended in the middle of something, and say so
		fmt.Fprintln(errOut, "error: interrupted")
		return 1
	}
	if err != nil {
		fmt.Fprintf(errOut, "error: %v\n", err)
		return 1
	}
	if !ok {
		fmt.Fprintln(errOut, "error: a row failed, or events were lost or came more than once: see the table")
		return 1
	}
	return 0
}

func parseOptions(args []string, errOut io.Writer) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	n := flags.Int("n", 0, "events of each row at full speed (default 20000, with -quick 2000)")
	quick := flags.Bool("quick", false, "few events: two minutes, and figures that are only a hint")
	big := flags.Bool("big", false, "grow with five million deliveries in the log, too: a quarter of an hour more, and 20 GB of disk")
	only := flags.String("only", "", "measure only the rows whose name matches this regular expression")
	dir := flags.String("dir", "", "make the temporary databases in this folder, to measure its disk")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	opts := options{
		events: fullEvents, light: fullLight, dir: *dir, profile: asksFor(os.Getenv("PROFILE")),
		dead: fullDead, waiting: fullWaiting, rounds: fullRounds, turn: fullTurn, idle: fullIdle,
	}
	if *quick {
		opts.events, opts.light = quickEvents, quickLight
		opts.dead, opts.waiting, opts.rounds, opts.turn, opts.idle = quickDead, quickWaiting, 1, quickLight, quickLight
	}
	switch {
	case *big && *quick:
		opts.finished = quickFinished
	case *big:
		opts.finished = fullFinished
	}
	if *n != 0 {
		opts.events = *n
	}
	var err error
	if opts.only, err = regexp.Compile(*only); err == nil && (opts.events < 1 || opts.events > maxEvents || flags.NArg() > 0) {
		err = fmt.Errorf("-n must be 1 to %d, and there are no arguments beside the flags", maxEvents)
	}
	if err != nil {
		fmt.Fprintf(errOut, "bench: %v\n", err)
	}
	return opts, err
}

// asksFor reports whether an environment variable is set to mean yes.
func asksFor(value string) bool { return value != "" && value != "0" }
