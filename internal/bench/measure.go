package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	// arrivalLimit is how long the last events may take to arrive: long enough for a
	// first retry, which comes after a minute and then shows in the latency.
	arrivalLimit = 90 * time.Second

	// rowLimit ends a row that hangs.
	rowLimit = 10 * time.Minute

	// sectionLimit ends a section that hangs: filling a large database takes minutes.
	sectionLimit = time.Hour
)

// bench is a whole run.
type bench struct {
	opts                options
	receiver, publisher *child
	receiverAddress     string
	databases           *databases
	runs                int // measurements so far, warm-ups included
}

// measure does all rows, prints them as they come and writes the result file. It
// reports false when an event was lost or came twice, or a row could not be measured.
func measure(ctx context.Context, opts options, out io.Writer) (ok bool, err error) {
	dir, err := os.MkdirTemp(opts.dir, "compliancelayer-bench-")
	if err != nil {
		return false, fmt.Errorf("make a folder for temporary files: %w", err)
	}
	b := &bench{opts: opts, databases: &databases{dir: dir, parent: opts.dir}}
	defer func() { err = errors.Join(err, b.close(), os.RemoveAll(dir)) }()
	if err := b.open(ctx, dir); err != nil {
		return false, err
	}
	report := newReport(ctx, opts, dir)
	report.printHead(out)
	for _, r := range plan(opts) {
		if r.name != "ceiling" && !opts.only.MatchString(r.name) {
			continue
		}
		done, err := b.row(ctx, r)
		if err != nil && (r.name == "ceiling" || ctx.Err() != nil) {
			return false, fmt.Errorf("%s: %w", r.title, err)
		}
		if err != nil { // the other rows can still be measured
			done = result{Name: r.name, Title: r.title, Error: err.Error()}
		}
		report.add(done)
		report.printRow(out, len(report.Rows)-1)
	}
	if err := b.sections(ctx, report, out); err != nil {
		return false, err
	}
	report.printFoot(out)
	return report.clean(), report.write(resultFile)
}

// open starts the two ends, which serve all rows.
func (b *bench) open(ctx context.Context, dir string) (err error) {
	if b.opts.profile {
		if err := os.MkdirAll(profileFolder, 0o755); err != nil {
			return fmt.Errorf("make the folder of the profiles: %w", err)
		}
	}
	if b.receiver, err = startChild(ctx, "receiver", dir); err != nil {
		return err
	}
	if b.publisher, err = startChild(ctx, "publisher", dir); err != nil {
		return err
	}
	return b.receiver.ask("address", struct{}{}, &b.receiverAddress)
}

func (b *bench) close() error {
	var errs []error
	for _, c := range []*child{b.publisher, b.receiver} {
		if c != nil {
			errs = append(errs, c.stop())
		}
	}
	return errors.Join(append(errs, b.databases.close())...)
}

// row measures one row, from an empty database to the last outcome.
func (b *bench) row(ctx context.Context, r row) (_ result, err error) {
	ctx, cancel := context.WithTimeout(ctx, rowLimit)
	defer cancel()
	s, err := b.newSubject(ctx, r)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := b.warmUp(ctx, s, r); err != nil {
		return result{}, err
	}
	if err := b.profile(s, "profile", r.name+".cpu.pprof"); err != nil {
		return result{}, err
	}
	memory := watchMemory(ctx, s.db.server)
	before, err := b.read(s)
	if err != nil {
		return result{}, err
	}
	sent, came, err := b.publish(ctx, s, r.load)
	if err != nil {
		return result{}, err
	}
	after, err := b.read(s)
	if err != nil {
		return result{}, err
	}
	if err := b.profile(s, "write profile", r.name+".heap.pprof"); err != nil {
		return result{}, err
	}
	done := newResult(r, sent, came, before, after)
	done.PeakMiB, err = peak(s, memory)
	return done, err
}

// warmUp publishes the events of a row that are not measured.
func (b *bench) warmUp(ctx context.Context, s *subject, r row) error {
	l := r.load
	l.Events = r.warmUp
	_, came, err := b.publish(ctx, s, l)
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	if came.Lost+came.Duplicates+came.Strays > 0 {
		return fmt.Errorf("warm up: of %d events %d were lost; there were %d duplicates and %d strays", l.Events, came.Lost, came.Duplicates, came.Strays)
	}
	return nil
}

// publish makes a load and waits until all of it has arrived and is written down,
// or for arrivalLimit.
func (b *bench) publish(ctx context.Context, s *subject, l load) (sent published, came arrivals, err error) {
	b.runs++
	began := time.Now()
	l.Address, l.Key, l.Run = s.address, s.key, b.runs
	counts := cmp.Or(s.counts, b.receiver)
	if err := counts.ask("expect", expectation{Run: l.Run, Events: l.Events}, nil); err != nil {
		return sent, came, err
	}
	if err := b.publisher.ask("publish", l, &sent); err != nil {
		return sent, came, fmt.Errorf("%w%s", err, s.log())
	}
	if err := counts.ask("wait", arrivalLimit, nil); err != nil {
		return sent, came, err
	}
	if err := s.settle(ctx, began); err != nil {
		return sent, came, err
	}
	return sent, came, counts.ask("count", struct{}{}, &came)
}

// profile asks the program for a profile, if one is wanted and there is a program.
func (b *bench) profile(s *subject, verb, file string) error {
	if !b.opts.profile || s.program == nil {
		return nil
	}
	path, err := filepath.Abs(filepath.Join(profileFolder, file))
	if err != nil {
		return fmt.Errorf("name a profile: %w", err)
	}
	return s.program.ask(verb, path, nil)
}

// reading is the CPU time that everybody has used up to a moment.
type reading struct {
	at                                             time.Time
	program, database, publisher, receiver, itself time.Duration
	machine                                        time.Duration // all that ran on it, strangers too
}

func (b *bench) read(s *subject) (reading, error) {
	all, err := processes()
	if err != nil {
		return reading{}, err
	}
	r := reading{
		at: time.Now(), database: cpuOf(all, s.db.server), itself: cpuOf(all, os.Getpid()),
		publisher: cpuOf(all, b.publisher.pid()), receiver: cpuOf(all, b.receiver.pid()),
	}
	if s.program != nil {
		r.program = cpuOf(all, s.program.pid())
	}
	r.machine, err = machineCPU()
	return r, err
}

// strangers gives the share of the machine, 0 to 1, that others used between two readings.
func strangers(before, after reading) float64 {
	whole := after.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	if whole <= 0 {
		return 0
	}
	others := (after.machine - before.machine) - (after.itself - before.itself)
	return min(max(float64(others)/float64(whole), 0), 1)
}

// peak gives the most MiB that the program and its database had in memory.
func peak(s *subject, memory *memorySampler) (float64, error) {
	bytes, err := memory.end()
	if err != nil || s.program == nil {
		return 0, err
	}
	own, err := peakMemory(s.program.pid())
	return float64(bytes+own) / (1 << 20), err
}
