package publish

import (
	"encoding/json"
	"sync"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
)

// schemas keeps what was compiled, by the text of the schema: compiling takes
// far longer than reading an account, and an account is read again whenever one
// of its endpoints changes.
type schemas struct {
	compile func(json.RawMessage) (*catalog.Validator, error)

	mu    sync.Mutex // never held while compiling
	ready map[string]func() (*catalog.Validator, error)
	bytes int // of the texts
}

// Beyond these bounds one goes for each that comes. A compiled schema takes up
// to a hundred times the memory of its text.
const (
	maxSchemas     = 2000
	maxSchemaBytes = 4 << 20
)

func newSchemas() *schemas {
	return &schemas{compile: catalog.Compile, ready: map[string]func() (*catalog.Validator, error){}}
}

// validator gives the validator of a schema. Many who need the same one wait for
// the first; nobody waits for another one.
func (s *schemas) validator(schema json.RawMessage) (*catalog.Validator, error) {
	return s.entry(schema)()
}

func (s *schemas) entry(schema json.RawMessage) func() (*catalog.Validator, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.ready[string(schema)]; ok {
		return made
	}
	for text := range s.ready { // any: which one is used again cannot be known
		if len(s.ready) < maxSchemas && s.bytes+len(schema) <= maxSchemaBytes {
			break
		}
		delete(s.ready, text)
		s.bytes -= len(text)
	}
	made := sync.OnceValues(func() (*catalog.Validator, error) { return s.compile(schema) })
	s.ready[string(schema)] = made
	s.bytes += len(schema)
	return made
}
