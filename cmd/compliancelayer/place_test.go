package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// A name that was not meant as a path made an empty SQLite file, and a server that had
// lost everything.
func TestWhatIsNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want string // in the error; "" = accepted
	}{
		{"hooks.db", ""},
		{"/var/lib/compliancelayer/hooks.db", ""},
		{"./mysql:odd.db", ""},
		{`C:\hooks.db`, ""},
		{"postgres/hooks.db", ""},
		{"a=b.db", ""},
		{"postgres://me:secret@db.example.com:5432/hooks?sslmode=verify-full", ""},
		{"postgresql:///hooks?host=/run/postgresql", ""},
		{"", "empty"},
		{".", "a folder"},
		{"missing/", "a folder"},
		{":memory:", "in memory"},
		{"mysql://root:secret@localhost/hooks", "mysql: is no database"},
		{"MongoDB+srv://root:secret@localhost", "MongoDB+srv: is no database"},
		{"mysql:hooks", "mysql: is no database"},
		{"sqlite:///var/hooks.db", "without sqlite:"},
		{"sqlite3:hooks.db", "without sqlite3:"},
		{"file:hooks.db?mode=rwc", "without file:"},
		{"postgresql//me:secret@localhost/hooks", "begins with postgres://"},
		{"postgres//localhost/hooks", "begins with postgres://"},
		{"postgres:/me:secret@localhost/hooks", "begins with postgres://"},
		{"Postgres://me:secret@localhost/hooks", "begins with postgres://"},
		{"postgress://me:secret@localhost/hooks", "begins with postgres://"},
		{"postgres://me:sec/ret@localhost/hooks", "cannot be read"},
		{"host=localhost password=secret dbname=hooks", "by a URL"},
	}
	for _, tt := range tests {
		var got databaseName
		err := got.UnmarshalText([]byte(tt.name))
		if tt.want == "" && (err != nil || string(got) != tt.name) {
			t.Errorf("database %q = %q, %v; want it as it is", tt.name, got, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "postgres://USER@HOST:PORT/NAME")) {
			t.Errorf("database %q = %q, %v; want an error with %q and what is accepted", tt.name, got, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "sec") {
			t.Errorf("database %q: the password is in the error: %v", tt.name, err)
		}
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"127.0.0.1:8080": true, "127.0.0.1:0": true, ":8080": true, "[::1]:8080": true, "localhost:65535": true,
		"": false, "8080": false, "127.0.0.1": false, "127.0.0.1:": false, "127.0.0.1:http": false, "127.0.0.1:65536": false,
		"127.0.0.1:-1": false, "::1:8080": false, "http://127.0.0.1:8080": false,
	} {
		var got address
		if err := got.UnmarshalText([]byte(text)); (err == nil) != good {
			t.Errorf("address %q = %q, %v; want it accepted: %t", text, got, err, good)
		}
	}
}

// The advice for a port that is taken was given for every error of listening.
func TestTheAdviceAboutAnAddressFitsTheError(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]string{
		syscall.EADDRINUSE:         "stop what listens there",
		syscall.EADDRNOTAVAIL:      "an address of this machine",
		syscall.EACCES:             "above 1023",
		errors.New("no such host"): "correct --listen",
	} {
		c, _, notes := quiet()
		c.fail(listenHint(fmt.Errorf("listen: %w", cause), "--listen or COMPLIANCELAYER_LISTEN"), "serve")
		if !strings.Contains(notes.String(), want) || !strings.Contains(notes.String(), "--listen or COMPLIANCELAYER_LISTEN") {
			t.Errorf("%v: printed %q, want %q in it and what to change", cause, notes, want)
		}
	}
}
