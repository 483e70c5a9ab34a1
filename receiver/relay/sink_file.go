package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// lookBack is how much of the end of a file is searched for an event whose write was
// perhaps cut off. After it comes what the same route wrote since, because others pass the
// event until its lease is over: this is room for thousands, and is read in a moment.
const lookBack = 4 << 20

// fileSink appends each event to a file, as one line of JSON, and syncs it.
type fileSink struct {
	path string
	mu   sync.Mutex // see [files]
}

// files are the files of routes, by path. No two routes have the same one at a time, but
// after a reload a route of another name may, while the one before still has an event in
// hand: they take turns, because neither may see a line of the other that is half written.
type files struct{ byPath sync.Map }

func (f *files) at(path string) *fileSink {
	path = filepath.Clean(path)
	sink, _ := f.byPath.LoadOrStore(path, &fileSink{path: path})
	return sink.(*fileSink)
}

// Handle writes one line, whole or, as far as a reader of lines can see, not at all: a
// line that a crash cut off is ended before the next.
func (f *fileSink) Handle(_ context.Context, event receiver.Event[json.RawMessage]) error {
	line, err := oneLine(event.Body)
	if err != nil {
		return receiver.Permanent(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.write(line, event); err != nil {
		// A full disk or a missing folder is not the event's fault.
		return &receiver.Failure{Err: err, Unavailable: true, Unsure: true}
	}
	return nil
}

func (f *fileSink) write(line []byte, event receiver.Event[json.RawMessage]) (err error) {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the file of the route: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s is not an ordinary file", f.path), err)
	}
	most := int64(1)
	if event.Unsure {
		most = lookBack
	}
	tail, err := tailOf(file, most)
	if err != nil {
		return fmt.Errorf("read the end of %s: %w", f.path, err)
	}
	if event.Unsure && holds(tail, event.ID) {
		return file.Sync()
	}
	if len(tail) > 0 && tail[len(tail)-1] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := file.Write(line); err != nil {
		return fmt.Errorf("write to %s: %w", f.path, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.path, err)
	}
	if len(tail) > 0 {
		return nil
	}
	return syncName(f.path)
}

// tailOf reads the last bytes of a file.
func tailOf(file *os.File, most int64) ([]byte, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	from := max(0, end-most)
	tail := make([]byte, end-from)
	_, err = io.ReadFull(io.NewSectionReader(file, from, end-from), tail)
	return tail, err
}

// holds reports whether a whole line of the tail is the event.
func holds(tail []byte, id string) bool {
	for line := range bytes.Lines(tail) {
		var event struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(line, &event) == nil && event.ID == id {
			return true
		}
	}
	return false
}

// oneLine writes a body without line breaks; those within its strings are escaped
// already.
func oneLine(body []byte) ([]byte, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, fmt.Errorf("the event is not JSON: %w", err)
	}
	line.WriteByte('\n')
	return line.Bytes(), nil
}
