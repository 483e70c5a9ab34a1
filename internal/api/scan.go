package api

import (
	"bytes"
	"encoding/json"
)

// maxDepth is how deep lists and objects may be nested in a request: deep enough for
// every real one and shallow enough for whoever reads it by recursion.
const maxDepth = 64

// flaw says what keeps a text from being read, without its place: "" = nothing.
type flaw string

const (
	flawEnd     flaw = "it ends too early"
	flawSyntax  flaw = "it is not valid JSON"
	flawDepth   flaw = "it is nested too deeply: at most 64 levels are allowed"
	flawControl flaw = "it has a control character inside of a text; write it as an escape such as \\n"
)

// scanner goes over JSON once and cuts values out of it, without looking into
// them more than it takes to find their end. Whether a value that it skipped is valid in
// itself is for its reader to say.
type scanner struct {
	b []byte
	i int
}

// next gives the first byte that is no white space, without taking it; 0 at the end.
func (s *scanner) next() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take takes c when it comes next.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.i++
	return true
}

// text takes a string and gives what stands between its quotes, escapes and all.
func (s *scanner) text() (inner []byte, f flaw) {
	if !s.take('"') {
		return nil, flawSyntax
	}
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], ""
		case c == '\\':
			s.i += 2
		case c < ' ':
			return nil, flawControl
		default:
			s.i++
		}
	}
	return nil, flawEnd
}

// plain gives the value of what text took.
func plain(inner []byte) (string, bool) {
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	quoted := make([]byte, 0, len(inner)+2)
	quoted = append(append(append(quoted, '"'), inner...), '"')
	var out string
	err := json.Unmarshal(quoted, &out)
	return out, err == nil
}

// value takes any one value that stands inside depth lists and objects and gives
// its bytes.
func (s *scanner) value(depth int) (raw []byte, f flaw) {
	switch c := s.next(); {
	case c == 0:
		return nil, flawEnd
	case c == '"':
		start := s.i
		if _, f := s.text(); f != "" {
			return nil, f
		}
		return s.b[start:s.i], ""
	case c == '{' || c == '[':
		return s.nested(depth)
	}
	return s.word()
}

// word takes a number, true, false or null.
func (s *scanner) word() (raw []byte, f flaw) {
	start := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != 'E' {
			break
		}
		s.i++
	}
	if s.i == start {
		return nil, flawSyntax
	}
	return s.b[start:s.i], ""
}

// nested takes a list or an object, up to the bracket that closes it.
func (s *scanner) nested(depth int) (raw []byte, f flaw) {
	start, outside := s.i, depth
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if _, f := s.text(); f != "" {
				return nil, f
			}
			continue
		case '{', '[':
			if depth++; depth > maxDepth {
				return nil, flawDepth
			}
		case '}', ']':
			if depth--; depth == outside {
				s.i++
				return s.b[start:s.i], ""
			}
		}
		s.i++
	}
	return nil, flawEnd
}
