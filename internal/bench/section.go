package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// section is a part of the run that holds one promise to what it says.
type section struct {
	name     string // for -only: the database comes before it
	database string
	measure  func(ctx context.Context, b *bench, database string) ([]finding, error)
}

// The sections, as they are headed.
const (
	isolation = "isolation"
	growth    = "growth"
	idle      = "idle"
	inbox     = "inbox"
)

// sections lists what is measured after the table.
func sections() []section {
	var all []section
	for _, one := range []section{{name: isolation, measure: measureIsolation}, {name: growth, measure: measureGrowth}, {name: idle, measure: measureIdle}} {
		for _, database := range []string{sqlite, postgres} {
			all = append(all, section{name: database + "-" + one.name, database: database, measure: one.measure})
		}
	}
	return append(all, section{name: sqlite + "-" + inbox, database: sqlite, measure: measureInbox})
}

// sections measures all that are asked for, and prints each as it is done.
func (b *bench) sections(ctx context.Context, report *report, out io.Writer) error {
	for _, s := range sections() {
		if !b.opts.only.MatchString(s.name) {
			continue
		}
		within, cancel := context.WithTimeout(ctx, sectionLimit)
		found, err := s.measure(within, b, s.database)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err != nil { // the others can still be measured
			found = append(found, finding{Section: s.name, Name: s.name, Title: s.name, Error: err.Error()})
		}
		report.Findings = append(report.Findings, found...)
		printSection(out, s.name, found)
	}
	return nil
}

// fleet is the subjects of a section, which are ended together.
type fleet []*subject

// add makes a subject on a new database, with its program running.
func (f *fleet) add(ctx context.Context, b *bench, database string) (*subject, error) {
	s := newProgram()
	s.keepTrying = true // a section measures endpoints that fail; disabled ones are another matter
	*f = append(*f, s)
	return s, s.start(ctx, b.databases, database, place(len(*f) > 1))
}

// end stops all programs and removes their databases.
func (f fleet) end() error {
	var errs []error
	for _, s := range f {
		errs = append(errs, s.end())
	}
	return errors.Join(errs...)
}
