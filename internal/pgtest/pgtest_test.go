package pgtest

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestEveryTestGetsADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	first, second := URL(t), URL(t)
	run(t, first, "create table note (text text)")
	run(t, second, "create table note (text text)")
	run(t, first, "insert into note values ('first')")
	if got := query(t, first, "select count(*)::text from note"); got != "1" {
		t.Errorf("rows in the first database = %s, want 1", got)
	}
	if got := query(t, second, "select count(*)::text from note"); got != "0" {
		t.Errorf("rows in the second database = %s, want 0", got)
	}
	const serverStart = "select pg_postmaster_start_time()::text"
	if a, b := query(t, first, serverStart), query(t, second, serverStart); a != b {
		t.Errorf("the databases are on servers started at %s and %s, want one server", a, b)
	}
}

func TestTheDatabaseIsRemovedAfterTheTest(t *testing.T) {
	t.Parallel()
	cluster := New(t)
	admin := cluster.URL("postgres")
	address, err := cluster.CreateDatabase(t.Context())
	if err != nil {
		t.Fatalf("CreateDatabase: %v", err)
	}
	left := connect(t, address) // a session that a test forgot must not hold it
	if err := dropDatabase(t.Context(), admin, address); err != nil {
		t.Fatalf("dropDatabase: %v", err)
	}
	if err := left.Ping(t.Context()); err == nil {
		t.Error("a session lived on in a removed database")
	}
	if got := query(t, admin, countTestDatabases); got != "0" {
		t.Errorf("databases left = %s, want 0", got)
	}
}

const countTestDatabases = "select count(*)::text from pg_database where datname like 'test\\_%'"

// Not parallel: it changes the environment.
func TestAnExistingServerIsUsedWhenTheEnvironmentNamesOne(t *testing.T) {
	admin := New(t).URL("postgres")
	t.Setenv(EnvURL, admin)
	t.Run("a test that uses it", func(t *testing.T) {
		run(t, URL(t), "create table note (text text)")
		if got := query(t, admin, countTestDatabases); got != "1" {
			t.Errorf("databases made on the existing server = %s, want 1", got)
		}
	})
	if got := query(t, admin, countTestDatabases); got != "0" {
		t.Errorf("databases left on the existing server = %s, want 0", got)
	}
}

func TestAnAddressThatIsNoURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	_, err := createDatabase(t.Context(), "postgres://user:s3cret@host:port with spaces/db")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("createDatabase: error %v, want one without the password", err)
	}
}

func TestURLNamesTheDatabase(t *testing.T) {
	t.Parallel()
	cluster := &Cluster{port: 20000, password: "p/w"}
	parsed, err := url.Parse(cluster.URL("one"))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Host != "127.0.0.1:20000" || parsed.Path != "/one" {
		t.Errorf("URL = %s, want host 127.0.0.1:20000 and path /one", parsed.Redacted())
	}
	config, err := pgx.ParseConfig(cluster.URL("one"))
	if err != nil || config.Password != "p/w" {
		t.Errorf("the driver reads password %q (error %v), want \"p/w\"", config.Password, err)
	}
}

// Not parallel: it changes the environment.
func TestFindBinaries(t *testing.T) {
	install := func(t *testing.T, dir string, programs ...string) string {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range programs {
			if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	both := []string{"initdb", "postgres"}

	t.Run("none says what to install", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := findBinaries(filepath.Join(t.TempDir(), "*", "bin"))
		if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "apt-get install postgresql") {
			t.Errorf("findBinaries: error %v, want ErrNotInstalled with the package to install", err)
		}
	})
	t.Run("the newest complete version wins", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		root := t.TempDir()
		install(t, filepath.Join(root, "9", "bin"), both...)
		want := install(t, filepath.Join(root, "15", "bin"), both...)
		install(t, filepath.Join(root, "17", "bin"), "postgres") // no initdb: only an extension's leftovers
		got, err := findBinaries(filepath.Join(root, "*", "bin"))
		if err != nil || got != want {
			t.Errorf("findBinaries = %q, %v; want %q", got, err, want)
		}
	})
	t.Run("PATH wins, through a link", func(t *testing.T) {
		root := t.TempDir()
		want := install(t, filepath.Join(root, "opt"), both...)
		path := install(t, filepath.Join(root, "path"))
		if err := os.Symlink(filepath.Join(want, "initdb"), filepath.Join(path, "initdb")); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", path)
		install(t, filepath.Join(root, "99", "bin"), both...)
		got, err := findBinaries(filepath.Join(root, "*", "bin"))
		if err != nil || got != want {
			t.Errorf("findBinaries = %q, %v; want %q", got, err, want)
		}
	})
}
