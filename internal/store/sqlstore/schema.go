package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Schema is what a look at a database found.
type Schema struct {
	Version int64    // of its tables; 0 = it has none
	Newest  int64    // that this program knows
	Missing []string // tables and indexes that its version has and it lacks, in order
}

// Examine looks at the tables of a database, which may be served, and changes nothing.
func Examine(ctx context.Context, database string) (Schema, error) {
	s, err := Open(ctx, Config{Database: database, ReadOnly: true})
	if err != nil {
		return Schema{}, err
	}
	found, err := s.schema(ctx)
	return found, errors.Join(reading("look at the tables", err), s.Close())
}

func (s *Store) schema(ctx context.Context) (Schema, error) {
	var found Schema
	query, folder := s.engine.catalog()
	rs, err := s.reads.query(ctx, query)
	names, err := collect(rs, err, func(r scanner) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return found, err
	}
	if slices.Contains(names, "goose_db_version") {
		// Each version that was ended, and at first 0.
		if err := s.reads.row(ctx, `select max(version_id) from goose_db_version`).Scan(&found.Version); err != nil {
			return found, err
		}
	}
	files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
	if err != nil {
		return found, err
	}
	made := regexp.MustCompile(`(?m)^create (?:unique )?(?:table|index) (\w+)`)
	for _, name := range files {
		version, err := strconv.ParseInt(strings.SplitN(name[strings.LastIndex(name, "/")+1:], "_", 2)[0], 10, 64)
		if err != nil {
			return found, fmt.Errorf("migration %s has no number: %w", name, err)
		}
		found.Newest = max(found.Newest, version)
		text, err := migrations.ReadFile(name)
		if err != nil {
			return found, err
		}
		for _, m := range made.FindAllSubmatch(text, -1) {
			if version <= found.Version && !slices.Contains(names, string(m[1])) {
				found.Missing = append(found.Missing, string(m[1]))
			}
		}
	}
	return found, nil
}
