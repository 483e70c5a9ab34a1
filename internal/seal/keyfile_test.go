package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/seal"
)

func checkOf(t *testing.T, key seal.Key) []byte {
	t.Helper()
	box, err := seal.NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	return box.Check()
}

func TestKeyFileIsCreatedOnceAndReadAgain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "compliancelayer.key")

	first, created, err := seal.LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("first LoadOrCreate: created %v, %v, want a new key", created, err)
	}
	second, created, err := seal.LoadOrCreate(path)
	if err != nil || created {
		t.Fatalf("second LoadOrCreate: created %v, %v, want the key that is there", created, err)
	}
	loaded, err := seal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(checkOf(t, first), checkOf(t, second)) || !bytes.Equal(checkOf(t, first), checkOf(t, loaded)) {
		t.Error("the key that was read is not the one that was created")
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(text), "\n")); err != nil || len(decoded) != 32 {
		t.Errorf("the key file holds %d bytes in base64, %v, want 32", len(decoded), err)
	}
	if !bytes.Equal(checkOf(t, mustKey(t, string(text))), checkOf(t, first)) {
		t.Error("the text of the key file is another key when it comes from the environment")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
		t.Errorf("the key file has mode %04o, want 0600", mode)
	}
	expectAlone(t, folder)
}

// expectAlone fails if anything but the key file was left in its folder.
func expectAlone(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("the folder holds %v, want only the key file", entries)
	}
}

func TestNewKeysDiffer(t *testing.T) {
	t.Parallel()
	a, _, err := seal.LoadOrCreate(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := seal.LoadOrCreate(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(checkOf(t, a), checkOf(t, b)) {
		t.Error("two new keys are the same")
	}
}

func TestConcurrentStartsGetOneKey(t *testing.T) {
	t.Parallel()
	for range 20 {
		folder := t.TempDir()
		path := filepath.Join(folder, "key")
		const starters = 8
		keys := make([]seal.Key, starters)
		var created atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range starters {
			wg.Go(func() {
				<-start
				key, isNew, err := seal.LoadOrCreate(path)
				if err != nil {
					t.Errorf("LoadOrCreate: %v", err)
					return
				}
				if isNew {
					created.Add(1)
				}
				keys[i] = key
			})
		}
		close(start)
		wg.Wait()
		if t.Failed() {
			return
		}
		if n := created.Load(); n != 1 {
			t.Errorf("%d starters say that they created the key, want 1", n)
		}
		for _, key := range keys {
			if !bytes.Equal(checkOf(t, key), checkOf(t, keys[0])) {
				t.Fatal("two starters have different keys")
			}
		}
		expectAlone(t, folder)
	}
}

func TestOpenKeyFilesAreRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // access is not in the mode there, see checkMode
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(keyText(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode := fs.FileMode(0); mode <= 0o777; mode++ {
		mode := mode | 0o400 // always readable for the owner
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		key, created, err := seal.LoadOrCreate(path)
		if mode&0o077 == 0 {
			if err != nil || key.IsZero() || created {
				t.Errorf("LoadOrCreate with mode %04o: %v, want the key", mode, err)
			}
			continue
		}
		if !errors.Is(err, seal.ErrKeyFileOpen) || !key.IsZero() {
			t.Errorf("LoadOrCreate with mode %04o: %v, want ErrKeyFileOpen", mode, err)
			continue
		}
		if !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("the error %q does not say what to do", err)
		}
	}
}

func TestBadKeyFilesAreRefusedAndKept(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, content string }{
		{"empty", ""},
		{"cut off", keyText(1)[:20]},
		{"something else", "-----BEGIN PRIVATE KEY-----\n"},
		{"a key and then far more", keyText(1) + strings.Repeat("\n", 2000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			key, created, err := seal.LoadOrCreate(path)
			if !errors.Is(err, seal.ErrBadKey) || created || !key.IsZero() {
				t.Errorf("LoadOrCreate = %v, created %v, %v, want ErrBadKey", key, created, err)
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("the error %q does not name the file", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != tt.content {
				t.Errorf("the file was changed to %q, %v", after, err)
			}
		})
	}
}

func TestKeyFileInPlacesThatHaveNone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if key, err := seal.Load(filepath.Join(folder, "key")); !errors.Is(err, fs.ErrNotExist) || !key.IsZero() {
		t.Errorf("Load without a file = %v, %v, want fs.ErrNotExist", key, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("Load left %v, %v, want nothing", entries, err)
	}
	if key, created, err := seal.LoadOrCreate(filepath.Join(folder, "missing", "key")); err == nil || !strings.Contains(err.Error(), "create key file") || created || !key.IsZero() {
		t.Errorf("LoadOrCreate in a missing folder = %v, created %v, %v, want an error about creating the file", key, created, err)
	}
	if key, created, err := seal.LoadOrCreate(folder); !errors.Is(err, seal.ErrBadKey) || created || !key.IsZero() {
		t.Errorf("LoadOrCreate of a folder = %v, created %v, %v, want ErrBadKey", key, created, err)
	}
}

// The file of a secret store is often a symbolic link.
func TestKeyFileMayBeALink(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	if err := os.WriteFile(target, []byte(keyText(1)+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	key, created, err := seal.LoadOrCreate(link)
	if err != nil || created || !bytes.Equal(checkOf(t, key), mustBox(t, 1).Check()) {
		t.Errorf("LoadOrCreate of a link: created %v, %v, want the key it leads to", created, err)
	}
}
