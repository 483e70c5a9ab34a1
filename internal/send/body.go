package send

import (
	"errors"
	"io"
	"sync"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// firstRead holds most answers; only a longer one takes a buffer of the full size.
const firstRead = 4 << 10

// buffers lends out the memory into which answers are read. An attempt holds
// it only while it reads, and keeps a copy of what arrived.
type buffers struct {
	small, large sync.Pool // *[firstRead]byte, *[delivery.MaxResponseBody]byte
}

func newBuffers() *buffers {
	return &buffers{
		small: sync.Pool{New: func() any { return new([firstRead]byte) }},
		large: sync.Pool{New: func() any { return new([delivery.MaxResponseBody]byte) }},
	}
}

// read gives the first [delivery.MaxResponseBody] bytes of an answer, and whether
// there was more or it did not end well. More is not read, but for the byte that shows
// whether the answer ends there.
func (b *buffers) read(r io.Reader) (body []byte, truncated bool) {
	small := b.small.Get().(*[firstRead]byte)
	defer b.small.Put(small)
	n, err := fill(r, small[:])
	if err != nil {
		return exactly(small[:n]), !errors.Is(err, io.EOF)
	}
	large := b.large.Get().(*[delivery.MaxResponseBody]byte)
	defer b.large.Put(large)
	n = copy(large[:], small[:])
	more, err := fill(r, large[n:])
	body = exactly(large[:n+more])
	if err != nil {
		return body, !errors.Is(err, io.EOF)
	}
	n, err = fill(r, small[:1])
	return body, n > 0 || !errors.Is(err, io.EOF)
}

// fill reads until dst is full, which gives a nil error, or until r ends. Unlike
// io.ReadFull it keeps an end before the promised length apart from a good one.
func fill(r io.Reader, dst []byte) (n int, err error) {
	for n < len(dst) && err == nil {
		var m int
		m, err = r.Read(dst[n:])
		n += m
	}
	return n, err
}

func exactly(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	kept := make([]byte, len(b))
	copy(kept, b)
	return kept
}
