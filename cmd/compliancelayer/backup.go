package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

// backupCmd copies a SQLite database.
type backupCmd struct {
	Dest          string       `arg:"" help:"The new file."`
	Database      databaseName `setting:"" help:"The SQLite file." default:"compliancelayer.db"`
	SecretKeyFile string       `setting:"" help:"The key file, to remind of it." placeholder:"PATH"`
	output
}

// copied says what was written.
type copied struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	Key   string `json:"key_file"`
}

// Run copies the database as it is at one moment; a server may go on using it.
func (k *backupCmd) Run(ctx context.Context, c *console) error {
	b := c.progress("backup")
	err := app.Backup(ctx, string(k.Database), k.Dest, func(done, total int64) {
		b.set(done, total, fmt.Sprintf("%s of %s", size(done), size(total)))
	})
	b.end()
	if err != nil {
		return withHint(err, "%s", k.hint())
	}
	info, err := os.Stat(k.Dest)
	if err != nil {
		return err
	}
	done := copied{File: k.Dest, Bytes: info.Size(), Key: app.KeyFile(string(k.Database), k.SecretKeyFile)}
	return printOne(c, k.JSON, done, func() {
		c.say("%s written, %s", done.File, size(done.Bytes))
		c.note("The signing secrets in it are of no use without the key file, %s: keep a copy of that too, in another place.", done.Key)
	})
}

// hint says what helps when no copy could be made.
func (k *backupCmd) hint() string {
	if app.IsPostgres(string(k.Database)) {
		return "pg_dump -Fc -f NEW-FILE DATABASE-URL"
	}
	if _, err := os.Stat(k.Dest); err == nil {
		return programName + " backup ANOTHER-FILE   (a backup replaces nothing)"
	}
	return programName + " doctor   (checks the database and the disk, with the same --database)"
}

// size writes bytes for people.
func size(bytes int64) string {
	const unit = 1024
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, names := float64(bytes)/unit, "KMGTPE"
	i := 0
	for value >= unit && i < len(names)-1 {
		value /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", value, names[i])
}
