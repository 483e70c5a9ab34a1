package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
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
	if isFolder(path) {
		return nil, fmt.Errorf("sqlstore: %s is a folder, and must be a file", path)
	}
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("sqlstore: make the SQLite file: %w", err)
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
	s, err := open(ctx, db, sqlite)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: the SQLite file %s: %w", path, errors.Join(err, db.Close()))
	}
	s.owned = true
	return s, nil
}

// makeFile makes a file if there is none. One that is there it does not open: to close it
// again would end all locks that this process has on it, and another one would remove the
// log that is being written.
func makeFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if _, err = os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // a symbolic link to a file that is to be made
	}
	if err != nil {
		return err
	}
	return file.Close()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// checkDurable refuses a SQLite database that answers before what it was given is on
// disk, or that a power cut could leave in pieces.
func checkDurable(ctx context.Context, db *sql.DB) error {
	var file, journal string
	var synchronous int
	const ask = "select l.file, j.journal_mode, s.synchronous from pragma_database_list as l, pragma_journal_mode as j, pragma_synchronous as s where l.name = 'main'"
	if err := db.QueryRowContext(ctx, ask).Scan(&file, &journal, &synchronous); err != nil {
		return fmt.Errorf("ask SQLite how it keeps what it is given: %w", err)
	}
	const lose = "so events that were answered with 200 could be lost"
	switch {
	case file == "":
		return errors.New("this SQLite database is in memory, " + lose + ": open a file (for a test there is package memstore)")
	case journal == "memory" || journal == "off":
		return fmt.Errorf("this SQLite database has journal_mode=%s, %s: open it with journal_mode=WAL (_pragma=journal_mode(wal))", journal, lose)
	case synchronous < 2: // 2 is FULL, 3 EXTRA
		return errors.New("this SQLite database does not sync every commit, " + lose + ": open it with synchronous=FULL (_pragma=synchronous(full))")
	}
	return nil
}
