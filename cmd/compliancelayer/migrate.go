package main

import (
	"context"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

// migrateCmd brings a database up to date.
type migrateCmd struct {
	Database databaseName `setting:"" help:"A SQLite file, made if missing, or postgres://..." default:"compliancelayer.db"`
	output
}

// migrated is one step that was done.
type migrated struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
}

// Run migrates. Migrations only go forward, and a server of the release before can
// still use the result.
func (m *migrateCmd) Run(ctx context.Context, c *console) error {
	steps := []migrated{}
	b := c.progress("migrate")
	err := app.Migrate(ctx, string(m.Database), func(version int64, name string) {
		steps = append(steps, migrated{version, name})
		b.set(version, 0, name)
	})
	b.end()
	if err != nil {
		return withHint(err, "%s doctor   (checks the database, with the same --database)", programName)
	}
	return printOne(c, m.JSON, map[string][]migrated{"migrations": steps}, func() {
		for _, s := range steps {
			c.say("%s %s", c.mark(true), s.Name)
		}
		c.say("The database is up to date; %s made now.", count(len(steps), "migration", "migrations"))
	})
}
