package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// OpenSQLite opens a file of its own for a receiver's events; it makes one if there is
// none, readable for nobody else, in a folder that must exist. A program that looks at
// the file beside the receiver may open it too.
func OpenSQLite(ctx context.Context, path string) (*Store, error) {
	if path == "" {
		return nil, errors.New("sqlstore: the path of the SQLite file is empty")
	}
	if folder := filepath.Dir(path); !isFolder(folder) {
		return nil, fmt.Errorf("sqlstore: the folder %s of the SQLite file is missing: make it first", folder)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: open the SQLite file: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("sqlstore: open the SQLite file: %w", err)
	}
	// Whole, because ":memory:" would be no file, and connections that are opened later must
	// find the same one wherever the program has gone to.
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: find the SQLite file: %w", err)
	}
	// WAL lets readers read while somebody writes. FULL syncs each commit, so that what
	// was answered with 200 outlives a power cut. immediate takes the lock when a
	// transaction begins, where waiting for it works.
	query := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)"}, "_txlock": {"immediate"}}
	uri := url.URL{Scheme: "file", Opaque: url.PathEscape(whole), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, fmt.Errorf("sqlstore: open the SQLite file: %w", err)
	}
	s, err := New(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.owned = true
	return s, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// checkDurable refuses a SQLite database that answers before what it was given is on
// disk.
func checkDurable(ctx context.Context, db *sql.DB) error {
	var synchronous int
	if err := db.QueryRowContext(ctx, "pragma synchronous").Scan(&synchronous); err != nil {
		return fmt.Errorf("sqlstore: ask SQLite how it syncs: %w", err)
	}
	if synchronous < 2 {
		return errors.New("sqlstore: this SQLite database does not sync every commit, so events that were answered with 200 could be lost: open it with synchronous=FULL (_pragma=synchronous(full))")
	}
	return nil
}
