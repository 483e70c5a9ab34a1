package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrKeyFileOpen means that others than its owner may read or change the key file.
var ErrKeyFileOpen = errors.New("key file is open to other users")

const (
	// notOwner are the permissions of the group and of everybody else.
	notOwner fs.FileMode = 0o077
	// maxKeyFile is more than a key with white space needs; a larger file is
	// something else.
	maxKeyFile = 1 << 10
)

// LoadOrCreate reads the key file at path, or makes it with a random key if there is
// none; created says which. The file has mode 0600, appears whole or not at all, and
// never replaces another: when several processes start at once they all get the key of
// the first. A file that others may read is refused with [ErrKeyFileOpen] and a file
// without a key in it with [ErrBadKey]. The folder must exist.
//
// Use [Load] where the database already holds sealed values: a new key could not open
// them.
func LoadOrCreate(path string) (key Key, created bool, err error) {
	key, err = Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	created, err = create(path, newKey())
	if err != nil {
		return Key{}, false, fmt.Errorf("create key file: %w", err)
	}
	// Read back also what this process wrote, so that the key in use is the one on
	// disk whoever won.
	key, err = Load(path)
	if err != nil {
		return Key{}, false, err
	}
	return key, created, nil
}

// Load reads the key file at path. If there is none the error is fs.ErrNotExist; the
// other errors are those of [LoadOrCreate].
func Load(path string) (Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return Key{}, fmt.Errorf("read key file: %w", err)
	}
	defer file.Close()
	if err := checkMode(file); err != nil {
		return Key{}, fmt.Errorf("read key file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return Key{}, fmt.Errorf("read key file: %w", err)
	}
	if len(text) > maxKeyFile {
		return Key{}, fmt.Errorf("read key file %s: %w: it is too long to be one", path, ErrBadKey)
	}
	key, err := Parse(string(text))
	if err != nil {
		return Key{}, fmt.Errorf("read key file %s: %w", path, err)
	}
	return key, nil
}

// checkMode looks at the opened file and not at the path, which may change meanwhile.
func checkMode(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a file", ErrBadKey, file.Name())
	}
	// On Windows access is not in these bits.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&notOwner != 0 {
		return fmt.Errorf("%w: %s has mode %04o; make it private with: chmod 600 %s", ErrKeyFileOpen, file.Name(), mode, file.Name())
	}
	return nil
}

// create writes the key beside path under a temporary name and links it into place.
// Unlike a rename, a link fails if the name is taken, which is no error here: another
// process was first.
func create(path string, key Key) (created bool, err error) {
	temp, err := writeTemp(path, key)
	if err != nil {
		return false, err
	}
	defer os.Remove(temp)
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, syncFolder(filepath.Dir(path))
}

// writeTemp writes the key to a new file in the folder of path and sees it to disk.
func writeTemp(path string, key Key) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if _, err := file.WriteString(key.text() + "\n"); err != nil {
		return "", err
	}
	if err := file.Sync(); err != nil {
		return "", err
	}
	return file.Name(), nil
}

// syncFolder sees a new name in a folder to disk.
func syncFolder(folder string) error {
	// Windows cannot sync a folder and needs no help to keep a name.
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
