package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// publish is POST /v1/events, the way that must cost next to nothing: the body is read
// once into a buffer that is used again, looked through once, and the answer is
// appended by hand.
func (s *Server) publish(x *exchange, r *http.Request) error {
	key, buf, err := receive(r, maxEvent)
	if err != nil {
		return err
	}
	in, err := parseEvent(buf.b)
	if err != nil {
		buf.free()
		return err
	}
	in.Key = key
	out, err := s.Publisher.Publish(r.Context(), x.caller.AccountID, []publish.Input{in})
	if err != nil {
		return err
	}
	// The answer goes behind the body, in the same buffer.
	size := len(buf.b)
	buf.b = appendPublished(buf.b, &out[0], false)
	writeAccepted(x, out, buf.b[size:])
	buf.free()
	return nil
}

// publishBatch is POST /v1/events/batch.
func (s *Server) publishBatch(x *exchange, r *http.Request) error {
	key, buf, err := receive(r, maxBatch)
	if err != nil {
		return err
	}
	in, err := parseBatch(buf.b)
	if err != nil {
		buf.free()
		return err
	}
	for i := range in {
		if key != "" {
			in[i].Key = key + "#" + strconv.Itoa(i)
		}
	}
	out, err := s.Publisher.Publish(r.Context(), x.caller.AccountID, in)
	if err != nil {
		return inBatch(err)
	}
	size := len(buf.b)
	buf.b = append(buf.b, `{"events":[`...)
	for i := range out {
		if i > 0 {
			buf.b = append(buf.b, ',')
		}
		buf.b = appendPublished(buf.b, &out[i], true)
	}
	buf.b = append(buf.b, "]}"...)
	writeAccepted(x, out, buf.b[size:])
	buf.free()
	return nil
}

// receive reads what both calls take: the key and the body. The buffer is the
// caller's to free.
func receive(r *http.Request, limit int64) (key string, buf *buffer, err error) {
	if r.URL.RawQuery != "" {
		if err := (&input{}).readParams(r, noParams); err != nil {
			return "", nil, err
		}
	}
	if key, err = idempotencyKey(r); err != nil {
		return "", nil, err
	}
	if err := jsonBody(r); err != nil {
		return "", nil, err
	}
	buf = buffers.Get().(*buffer)
	if err := buf.fill(r, limit); err != nil {
		buf.free()
		return "", nil, err
	}
	failpoint.Hit("publish: request read")
	return key, buf, nil
}

// inBatch puts the index of the item before the names of its fields.
func inBatch(err error) error {
	var (
		invalid  *publish.Invalid
		conflict *store.Conflict
	)
	switch {
	case errors.As(err, &invalid):
		return problemOfEvent(invalid, fmt.Sprintf("events[%d]", invalid.Index))
	case errors.As(err, &conflict):
		item := fmt.Sprintf("events[%d]", conflict.Index)
		p := conflictWith("Nothing was accepted, because of " + item + ": " + sentence(conflict.Message))
		p.fields = []client.Field{{Name: item, Message: conflict.Message}}
		return p
	}
	return err
}

// writeAccepted answers 202, or 200 when every event had been accepted before.
func writeAccepted(x *exchange, out []store.Published, body []byte) {
	status := http.StatusOK
	for i := range out {
		if !out[i].Replayed {
			status = http.StatusAccepted
		}
	}
	header := x.Header()
	if status == http.StatusOK {
		header["Idempotent-Replayed"] = yes
	}
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	failpoint.Hit("publish: answer ready, not sent")
	x.WriteHeader(status)
	_, _ = x.Write(body) // the caller has gone away; there is nobody to tell
}

// appendPublished writes client.AcceptedEvent by hand.
func appendPublished(b []byte, p *store.Published, batch bool) []byte {
	b = append(b, `{"id":`...)
	b = appendText(b, p.EventID)
	b = append(b, `,"type":`...)
	b = appendText(b, p.Type)
	b = append(b, `,"created_at":"`...)
	b = p.CreatedAt.UTC().AppendFormat(b, client.TimeLayout)
	b = append(b, `","deliveries":[`...)
	for i, d := range p.Deliveries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":"`...)
		b = strconv.AppendInt(b, int64(d.ID), 10)
		b = append(b, `","endpoint_id":`...)
		b = appendText(b, d.EndpointID)
		b = append(b, '}')
	}
	b = append(b, ']')
	if batch && p.Replayed {
		b = append(b, `,"replayed":true`...)
	}
	return append(b, '}')
}

// appendText writes a JSON string. Ids and names of types are plain ASCII, which needs
// no escape.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				return append(b, `""`...) // a text always encodes
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// buffers holds the bodies of publishing requests. A body is only used again after the
// publisher said that its event is on disk: after an error it may still be at
// work with it, so that one is left to the garbage collector.
var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 2<<10)} }}

// maxPooled keeps a rare large body from being held for good.
const maxPooled = 64 << 10

type buffer struct{ b []byte }

func (b *buffer) free() {
	if cap(b.b) <= maxPooled {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// fill reads a body of at most limit bytes. A declared length bounds the body by itself.
func (b *buffer) fill(r *http.Request, limit int64) error {
	body := io.Reader(r.Body)
	switch {
	case r.ContentLength > limit:
		return tooLong(limit)
	case r.ContentLength < 0:
		body = http.MaxBytesReader(nil, r.Body, limit)
	case int(r.ContentLength) >= cap(b.b): // one byte more, to see the end without growing
		b.b = make([]byte, 0, r.ContentLength+512)
	}
	for {
		if len(b.b) == cap(b.b) {
			b.b = append(b.b, 0)[:len(b.b)]
		}
		n, err := body.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		switch {
		case err == io.EOF && len(b.b) == 0:
			return unreadable("body", "it is empty; send JSON")
		case err == io.EOF:
			return nil
		case err != nil:
			return broken(err)
		}
	}
}
