package relay

import (
	"os"
	"path/filepath"
)

// place is a file as others may call it, too.
type place struct {
	path string      // whole and without links, as far as there is something
	info os.FileInfo // nil: there is none yet
}

// mostLinks is how many links to links are followed; those in a circle have no end.
const mostLinks = 40

// placeOf follows links, also to a file that is not there yet.
func placeOf(path string) place {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	info, _ := os.Stat(path) // what cannot be asked is compared by its path
	for range mostLinks {
		if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(folder, filepath.Base(path))
		}
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return place{path, info}
}

// is reports whether two are the same file.
func (p place) is(other place) bool {
	return p.path == other.path || p.info != nil && other.info != nil && os.SameFile(p.info, other.info)
}

// has reports whether a file is that of the inbox, or one that SQLite makes beside it.
func (i Inbox) has(p place) bool {
	if i.SQLite == "" {
		return false
	}
	own := placeOf(i.SQLite)
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if p.is(placeOf(own.path + end)) {
			return true
		}
	}
	return false
}

// inboxOwns is said of a route's file that belongs to the inbox. Lines in it would break
// it, and whoever closes such a file ends all locks that SQLite has on it in this process.
const inboxOwns = "it belongs to the inbox; give the route a file of its own"

// ownFiles refuses files of routes that are something else, too. Two routes with one file
// would take each other's lines for their own after a kill, and leave theirs out.
func (r *reader) ownFiles(c *Config) {
	config := placeOf(r.file)
	var written []namedFile
	for i := range c.Routes {
		route := &c.Routes[i]
		if route.File == nil || route.File.Path == "" {
			continue
		}
		file, key := placeOf(route.File.Path), under(route.at.Key, "path")
		switch secret, other := namedBy(file, r.secretFiles), namedBy(file, written); {
		case c.Inbox.has(file):
			r.add(route.at.Line, key, inboxOwns)
		case file.is(config):
			r.add(route.at.Line, key, "it is the relay's own file; give the route another")
		case secret > 0:
			r.add(route.at.Line, key, "there is a secret in it, by line %d; give the route another file", secret)
		case other > 0:
			r.add(route.at.Line, key, "the route of line %d writes to this file already; give each its own", other)
		}
		written = append(written, namedFile{file, route.at.Line})
	}
}

// namedFile is one that a line of the relay's file names.
type namedFile struct {
	place
	line int
}

// namedBy is the first line that names a file, or 0.
func namedBy(p place, named []namedFile) int {
	for _, file := range named {
		if p.is(file.place) {
			return file.line
		}
	}
	return 0
}
