package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Bounds of what the two ends read of one message.
const (
	maxHead = 16 << 10
	maxBody = 8 << 20 // the answer to a batch
)

var (
	errLong     = errors.New("the message is too long")
	errCoding   = errors.New("the message has a transfer coding: only Content-Length is read here")
	errNoLength = errors.New("the Content-Length is no number")
)

var headEnd = []byte("\r\n\r\n")

// messages reads HTTP/1.1 requests or responses, one after the other, from a
// connection that stays open. It knows bodies with a Content-Length and nothing
// else: enough for both ends of a measurement that must cost little, and no more.
type messages struct {
	from       io.Reader
	buf        []byte
	start, end int // what was read and not yet given out
}

func newMessages(from io.Reader) *messages { return &messages{from: from, buf: make([]byte, 4<<10)} }

// next gives the head of a message, without its empty line, and the body. Both are
// good until the next call. At the end between two messages the error is io.EOF.
func (m *messages) next() (head, body []byte, err error) {
	length := -1
	for from := 0; length < 0; {
		if at := bytes.Index(m.buf[m.start+from:m.end], headEnd); at >= 0 {
			length = from + at
			break
		}
		if m.end-m.start > maxHead {
			return nil, nil, errLong
		}
		from = max(0, m.end-m.start-len(headEnd)+1)
		if err := m.fill(); err != nil {
			return nil, nil, err
		}
	}
	bodyLength, err := contentLength(m.buf[m.start : m.start+length])
	if err != nil {
		return nil, nil, err
	}
	bodyAt := length + len(headEnd)
	for m.end-m.start < bodyAt+bodyLength {
		if err := m.fill(); err != nil {
			return nil, nil, err
		}
	}
	message := m.buf[m.start : m.start+bodyAt+bodyLength]
	m.start += len(message)
	return message[:length], message[bodyAt:], nil
}

// fill reads more, and makes room first.
func (m *messages) fill() error {
	if m.start > 0 {
		m.end = copy(m.buf, m.buf[m.start:m.end])
		m.start = 0
	}
	if m.end == len(m.buf) {
		m.buf = append(m.buf, make([]byte, len(m.buf))...)
	}
	n, err := m.from.Read(m.buf[m.end:])
	m.end += n
	switch {
	case n > 0:
		return nil
	case err == io.EOF && m.end > 0:
		return io.ErrUnexpectedEOF
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// contentLength reads how long the body of a message is; 0 when it does not say.
func contentLength(head []byte) (int, error) {
	if _, coded := headerValue(head, "Transfer-Encoding"); coded {
		return 0, errCoding
	}
	value, says := headerValue(head, "Content-Length")
	if !says {
		return 0, nil
	}
	if len(value) > 9 {
		return 0, errLong
	}
	n, ok := digits(value)
	if !ok {
		return 0, errNoLength
	}
	if n > maxBody {
		return 0, errLong
	}
	return int(n), nil
}

// headerValue gives the value of the first header line of that name, whatever its
// capitals; false when there is none.
func headerValue(head []byte, name string) (value []byte, ok bool) {
	_, lines, _ := bytes.Cut(head, []byte("\r\n"))
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:]), true
		}
	}
	return nil, false
}

// statusOf reads the status code of a response.
func statusOf(head []byte) (int, error) {
	const version = "HTTP/1.1 "
	if len(head) < len(version)+3 || !bytes.HasPrefix(head, []byte(version)) {
		return 0, fmt.Errorf("%q does not begin a response", head[:min(len(head), 20)])
	}
	status, ok := digits(head[len(version):][:3])
	if !ok {
		return 0, fmt.Errorf("%q is no status", head[len(version):][:3])
	}
	return int(status), nil
}
