package publish

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
)

// Every account used to wait for one that was having a large schema compiled.
func TestASchemaThatIsBeingCompiledHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	began, open := make(chan struct{}), make(chan struct{})
	var compiled atomic.Int32
	s := newSchemas()
	s.compile = func(schema json.RawMessage) (*catalog.Validator, error) {
		if string(schema) == "true" {
			compiled.Add(1)
			close(began)
			<-open
		}
		return catalog.Compile(schema)
	}
	var slow sync.WaitGroup
	for range 4 {
		slow.Go(func() {
			if v, err := s.validator(json.RawMessage("true")); err != nil || v == nil {
				t.Errorf("the slow one: %v, %v", v, err)
			}
		})
	}
	<-began
	if v, err := s.validator(json.RawMessage("{}")); err != nil || v == nil {
		t.Errorf("another one meanwhile: %v, %v", v, err)
	}
	close(open)
	slow.Wait()
	if n := compiled.Load(); n != 1 {
		t.Errorf("the same schema was compiled %d times", n)
	}
}

func TestWhenSchemasAreTooManyOneGoesForOneThatComes(t *testing.T) {
	t.Parallel()
	s := newSchemas()
	for i := range maxSchemas + 10 {
		s.entry(json.RawMessage(strconv.Itoa(i)))
	}
	if n := len(s.ready); n != maxSchemas {
		t.Errorf("%d are kept, want %d", n, maxSchemas)
	}
	long := strings.Repeat(" ", 60_000)
	for i := range 200 {
		s.entry(json.RawMessage(long + strconv.Itoa(i)))
	}
	kept := 0
	for text := range s.ready {
		kept += len(text)
	}
	if kept != s.bytes || kept > maxSchemaBytes || kept < maxSchemaBytes-len(long)-3 {
		t.Errorf("%d bytes are kept and %d counted, want %d or a little less", kept, s.bytes, maxSchemaBytes)
	}
}

func TestAnEventThatFindsNoTurnToBeCheckedIsNotCalledInvalid(t *testing.T) {
	t.Parallel()
	if err := invalidData(3, catalog.ErrBusy); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy, so that the publisher tries again", err)
	}
}
