package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

// keyFact is the name under which the check value of the encryption key is kept.
const keyFact = "encryption-key-check"

// box opens the encryption key and makes sure that it is the one the database
// was made with.
func (a *App) box(ctx context.Context) (*seal.Box, error) {
	check, err := keyCheck(ctx, a.db)
	if err != nil {
		return nil, err
	}
	key, source, err := a.key(len(check) == 0)
	if err != nil {
		return nil, err
	}
	box, err := seal.NewBox(key)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("start: encryption key made, its check value not written")
	// Another node may have been first.
	if check, err = a.db.SetValueOnce(ctx, keyFact, box.Check()); err != nil {
		return nil, err
	}
	return box, verify(box, check, source)
}

// keyCheck reads the check value of the key that a database was made with; none
// means that it has none yet.
func keyCheck(ctx context.Context, db store.Upkeep) ([]byte, error) {
	check, err := db.Value(ctx, keyFact)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return check, err
}

func verify(box *seal.Box, check []byte, source string) error {
	if err := box.Verify(check); err != nil {
		return fmt.Errorf("%w: the secrets in this database were sealed with another key than the one from %s; start with that one", store.ErrWrongKey, source)
	}
	return nil
}

// key reads the encryption key. It is made only for a database that has none:
// any other has secrets that a new key could not open.
func (a *App) key(mayMake bool) (seal.Key, string, error) {
	if a.cfg.SecretKey != "" || !mayMake {
		return loadKey(a.cfg)
	}
	path := KeyFile(a.cfg.Database, a.cfg.SecretKeyFile)
	key, created, err := seal.LoadOrCreate(path)
	if created {
		a.log.Info("encryption key made; keep a copy of it apart from the database", slog.String("file", path))
	}
	return key, path, err
}

// loadKey reads a key that is there, and says where it is from.
func loadKey(cfg Config) (seal.Key, string, error) {
	if cfg.SecretKey != "" {
		const source = "COMPLIANCELAYER_SECRET_KEY"
		key, err := seal.Parse(cfg.SecretKey)
		if err != nil {
			err = fmt.Errorf("%s: %w; make a good one with: openssl rand -base64 32", source, err)
		}
		return key, source, err
	}
	path := KeyFile(cfg.Database, cfg.SecretKeyFile)
	key, err := seal.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: the database was made with an encryption key, and there is none in %s; put the key's file there, or name it with --secret-key-file", store.ErrWrongKey, path)
	}
	return key, path, err
}

// KeyFile gives the file of the encryption key: the one that is named, else
// beside a SQLite file, else in the working directory.
func KeyFile(database, named string) string {
	switch {
	case named != "":
		return named
	case sqlstore.IsPostgres(database):
		return "compliancelayer.key"
	}
	return database + ".key"
}

// ExamineKey looks whether the key of the settings opens the secrets of the
// database, which has its tables and may be served. It changes nothing. A database that
// was made with no key yet takes any.
func ExamineKey(ctx context.Context, cfg Config) error {
	db, err := sqlstore.Open(ctx, sqlstore.Config{Database: cfg.Database, ReadOnly: true})
	if err != nil {
		return err
	}
	check, err := keyCheck(ctx, db)
	if err := errors.Join(err, db.Close()); err != nil || len(check) == 0 {
		return err
	}
	key, source, err := loadKey(cfg)
	if err != nil {
		return err
	}
	box, err := seal.NewBox(key)
	if err != nil {
		return err
	}
	return verify(box, check, source)
}
