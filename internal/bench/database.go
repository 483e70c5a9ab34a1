package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// The databases that a row can be measured on.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// databases gives each row a new, empty database. PostgreSQL is a private server
// that is started when the first row needs it.
type databases struct {
	dir     string // of all temporary files
	parent  string // of the server's folder, which another account must be able to reach
	made    int
	cluster *pgtest.Cluster
}

// database is an empty database.
type database struct {
	kind    string
	address string // what --database takes; holds a password when it is PostgreSQL
	dir     string // for what belongs to it: the key, and with SQLite the file
	server  int    // the process of the database server; 0 = there is none
}

// place says whether a database may find others in its server.
type place bool

const (
	alone  place = false // the server is started anew
	beside place = true  // it goes on with what it has in memory
)

// create makes a database of a kind.
func (d *databases) create(ctx context.Context, kind string, where place) (database, error) {
	d.made++
	db := database{kind: kind, dir: filepath.Join(d.dir, fmt.Sprintf("%s-%d", kind, d.made))}
	if err := os.Mkdir(db.dir, 0o700); err != nil {
		return db, fmt.Errorf("make a folder for the database: %w", err)
	}
	if kind == sqlite {
		db.address = filepath.Join(db.dir, "bench.db")
		return db, nil
	}
	if where == alone || d.cluster == nil {
		if err := d.freshServer(ctx); err != nil {
			return db, err
		}
	}
	var err error
	if db.address, err = d.cluster.CreateDatabase(ctx); err != nil {
		return db, err
	}
	all, err := processes()
	if err != nil {
		return db, err
	}
	if db.server = childNamed(all, os.Getpid(), "postgres"); db.server == 0 {
		return db, errors.New("the process of PostgreSQL was not found")
	}
	return db, nil
}

// freshServer starts the server, or starts it again, so that no row inherits the
// memory and the unwritten pages of the one before.
func (d *databases) freshServer(ctx context.Context) (err error) {
	if d.cluster != nil {
		return d.cluster.Restart(ctx, pgtest.Fast)
	}
	// Two settings that every operator of a busy server makes; all that has to do
	// with durability stays as it is.
	d.cluster, err = pgtest.Start(ctx, pgtest.Config{Dir: d.parent, Settings: map[string]string{"shared_buffers": "512MB", "max_wal_size": "4GB"}})
	return err
}

// remove deletes the files of a database. What is in a server goes with the server.
func (db database) remove() error { return os.RemoveAll(db.dir) }

// close ends the server.
func (d *databases) close() error {
	if d.cluster == nil {
		return nil
	}
	return d.cluster.Stop()
}
