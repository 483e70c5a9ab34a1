package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the tables up to date, telling progress of each step. A
// database that is ahead of this program is refused and left as it is. The
// caller holds the lock under which no other process migrates.
func migrate(ctx context.Context, db *sql.DB, dialect database.Dialect, folder string, progress func(version int64, name string)) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	sources := p.ListSources()
	newest := sources[len(sources)-1].Version
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have > newest {
		return fmt.Errorf("%w: its schema is version %d and this program knows %d; start the release that made it, or a later one", store.ErrNewer, have, newest)
	}
	for {
		failpoint.Hit("migration: before a step")
		r, err := p.UpByOne(ctx)
		if isNoNext(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		failpoint.Hit("migration: after a step")
		if progress != nil {
			progress(r.Source.Version, r.Source.Path)
		}
	}
}

func isNoNext(err error) bool { return errors.Is(err, goose.ErrNoNextVersion) }
