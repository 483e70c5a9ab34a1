package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll gives head and body of each message, and the error after the last.
func readAll(from io.Reader) (got []string, err error) {
	in := newMessages(from)
	for {
		head, body, err := in.next()
		if err != nil {
			return got, err
		}
		got = append(got, string(head), string(body))
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	const (
		post   = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5"
		lower  = "HTTP/1.1 202 Accepted\r\ncontent-length:2"
		silent = "GET / HTTP/1.1\r\nX-Content-Length: 9"
	)
	long := strings.Repeat("x", 9000)
	tests := []struct {
		name    string
		text    string
		want    []string
		wantErr error
	}{
		{"nothing", "", nil, io.EOF},
		{"one", post + "\r\n\r\nhello", []string{post, "hello"}, io.EOF},
		{"two at once, the second in small letters", post + "\r\n\r\nhello" + lower + "\r\n\r\nok", []string{post, "hello", lower, "ok"}, io.EOF},
		{"no length is no body", silent + "\r\n\r\n" + lower + "\r\n\r\nok", []string{silent, "", lower, "ok"}, io.EOF},
		{"larger than the buffer", fmt.Sprintf("P / H\r\nContent-Length: %d\r\n\r\n%s%s\r\n\r\nhello", len(long), long, post), []string{fmt.Sprintf("P / H\r\nContent-Length: %d", len(long)), long, post, "hello"}, io.EOF},
		{"cut off in the head", "POST / HTTP/1.1\r\nHost", nil, io.ErrUnexpectedEOF},
		{"cut off in the body", post + "\r\n\r\nhell", nil, io.ErrUnexpectedEOF},
		{"chunks", "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", nil, errCoding},
		{"a length that is no number", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", nil, errNoLength},
		{"an empty length", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", nil, errNoLength},
		{"a body without measure", "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", nil, errLong},
		{"a length with too many digits", "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", nil, errLong},
		{"a head without an end", strings.Repeat("x", 2*maxHead), nil, errLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ways := map[string]io.Reader{"at once": strings.NewReader(tt.text), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.text))}
			for way, from := range ways {
				got, err := readAll(from)
				if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.wantErr) {
					t.Errorf("%s: error %v, want %v; messages (-want +got):\n%s", way, err, tt.wantErr, diff)
				}
			}
		})
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		head string
		want int // 0 = an error
	}{
		{"with words", "HTTP/1.1 202 Accepted\r\nA: b", 202},
		{"without words", "HTTP/1.1 503", 503},
		{"cut off", "HTTP/1.1 20", 0},
		{"another version", "HTTP/1.0 200 OK", 0},
		{"no number", "HTTP/1.1 2x0 OK", 0},
		{"empty", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := statusOf([]byte(tt.head))
			if got != tt.want || (err == nil) != (tt.want != 0) {
				t.Errorf("statusOf(%q) = %d, %v; want %d", tt.head, got, err, tt.want)
			}
		})
	}
}
