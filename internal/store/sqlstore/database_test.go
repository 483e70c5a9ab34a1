package sqlstore

import (
	"path/filepath"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// databases make an empty database of each kind.
var databases = map[string]func(*testing.T) string{
	"SQLite":     func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "test.db") },
	"PostgreSQL": func(t *testing.T) string { t.Helper(); return pgtest.URL(t) },
}
