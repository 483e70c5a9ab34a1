package relay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// Open opens the inbox, and makes it if there is none.
func (i Inbox) Open(ctx context.Context) (*sqlstore.Store, error) {
	if !i.Postgres.IsZero() {
		return sqlstore.OpenPostgres(ctx, i.Postgres.Reveal())
	}
	return sqlstore.OpenSQLite(ctx, i.SQLite)
}

// OpenExisting opens the inbox of a relay that has run: whoever looks at one must not
// make another by a slip of the pen.
func (i Inbox) OpenExisting(ctx context.Context) (*sqlstore.Store, error) {
	if i.Postgres.IsZero() {
		if _, err := os.Stat(i.SQLite); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no inbox at %s: the relay has not run here yet", i.SQLite)
		}
	}
	return i.Open(ctx)
}

// ReadInbox reads of a file only where the inbox is, so that it can be looked at without
// the secrets of the routes, and while the file has a mistake elsewhere.
func ReadInbox(path string) (Inbox, error) {
	text, err := readFile(path)
	if err != nil {
		return Inbox{}, err
	}
	r := &reader{mistakes: mistakes{file: path}, env: os.LookupEnv, readFile: readSecretFile}
	inbox := Inbox{SQLite: r.beside(DefaultInbox)}
	if root := r.load(text); root != nil {
		if v := r.object(&value{root, ""}).take("inbox"); v != nil {
			inbox = r.inbox(v)
		}
	}
	return inbox, r.err()
}

// ReadRoutes reads of a file only what its routes are called, whatever else is wrong with
// it. It asks for no secrets. When it finds no name at all, the error tells of the mistakes
// that [Read] would tell of.
func ReadRoutes(path string) ([]string, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	none := func(string) ([]byte, bool, error) { return nil, false, fs.ErrNotExist }
	r := &reader{mistakes: mistakes{file: path}, env: func(string) (string, bool) { return "", false }, readFile: none}
	var names []string
	if root := r.load(text); root != nil {
		if v := r.object(&value{root, ""}).take("routes"); v != nil {
			for _, route := range r.routes(v) {
				if route.Name != "" {
					names = append(names, route.Name)
				}
			}
		}
	}
	if len(names) == 0 {
		_, err = Parse(path, text, os.LookupEnv)
	}
	return names, err
}
