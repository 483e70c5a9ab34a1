package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// databaseName says where the data is: the path of a SQLite file, or a PostgreSQL URL.
// Whatever looks like something else is refused, because as a path it would make an
// empty database that nobody meant.
type databaseName string

// UnmarshalText reads a name. The error never quotes more than a scheme: the rest may
// hold a password.
func (d *databaseName) UnmarshalText(text []byte) error {
	if wrong := wrongDatabase(string(text)); wrong != "" {
		return fmt.Errorf("%s; give the path of a SQLite file, such as hooks.db, or postgres://USER@HOST:PORT/NAME", wrong)
	}
	*d = databaseName(text)
	return nil
}

// wrongDatabase says why a name is none, "" when it is one.
func wrongDatabase(name string) string {
	if name == "" {
		return "it is empty"
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() || os.IsPathSeparator(name[len(name)-1]) {
		return "it is a folder"
	}
	if key, _, isPair := strings.Cut(name, "="); isPair && slices.Contains([]string{"host", "hostaddr", "port", "user", "dbname", "password", "service"}, key) {
		return "PostgreSQL is named by a URL"
	}
	scheme, rest, hasColon := strings.Cut(name, ":")
	switch {
	case hasColon && (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		return wrongURL(name)
	case hasColon && strings.HasPrefix(strings.ToLower(scheme), "postgres"), strings.HasPrefix(name, "postgres//"), strings.HasPrefix(name, "postgresql//"):
		return "a PostgreSQL URL begins with postgres://"
	case hasColon && slices.Contains([]string{"sqlite", "sqlite3", "file"}, scheme):
		return "the path of a SQLite file stands alone, without " + scheme + ":"
	case strings.HasPrefix(name, ":memory:"):
		return "a database in memory would lose what was accepted"
	case hasColon && isScheme(scheme):
		return fmt.Sprintf("%s: is no database that this program knows (a file of that name is one with ./ before it)", scheme)
	}
	return ""
}

// isScheme reports whether a text can be the scheme of a URL. One letter is a drive.
func isScheme(text string) bool {
	return len(text) > 1 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+-.", r)
	})
}

func wrongURL(text string) string {
	if _, err := url.Parse(text); err != nil {
		return "the URL cannot be read (in a password write / as %2F, @ as %40, : as %3A, # as %23, % as %25)"
	}
	return ""
}

// address is where to listen.
type address string

// UnmarshalText reads HOST:PORT.
func (a *address) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%q is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8080", text)
	}
	*a = address(text)
	return nil
}

// listenHint says what to do about an address that cannot be listened on; set is what it
// is set with.
func listenHint(err error, set string) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return withHint(err, "stop what listens there, or choose another port with %s", set)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return withHint(err, "choose an address of this machine with %s: 127.0.0.1 for itself alone, 0.0.0.0 for all", set)
	case errors.Is(err, syscall.EACCES):
		return withHint(err, "choose a port above 1023 with %s, or allow this program to use lower ones", set)
	}
	return withHint(err, "correct %s: HOST:PORT, such as 127.0.0.1:8080", set)
}
