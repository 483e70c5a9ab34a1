package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth is how deep lists and objects may be nested: deep enough for every real event, and shallow enough for the
	// JSON readers of all receivers.
	maxDepth = 64
	// maxDocumentBytes keeps every position within an int32. The API's limit is far below.
	maxDocumentBytes = 1 << 28
	// maxNumberBytes and maxExponent bound the work that comparing a number takes: 1e999999999 is eleven bytes long and
	// would be a gigabyte as an exact integer. Both are far beyond what a receiver can hold.
	maxNumberBytes = 1000
	maxExponent    = 1000
	// maxCompareKeys is how many keys an object may have until a map finds its duplicate keys sooner than comparing all.
	maxCompareKeys = 16
)

// kind is the kind of a JSON value.
type kind uint8

const (
	kindNull kind = iota + 1
	kindBool
	kindNumber
	kindString
	kindList
	kindObject
)

// span is a part of the document's bytes.
type span struct{ from, to int32 }

// node is one value of a document. A value inside an object has a key, without its quotes.
type node struct {
	kind       kind
	escaped    bool // the string contains a backslash
	keyEscaped bool
	key        span
	value      span // with quotes or brackets
	next       int32
	children   int32
}

// document is JSON text and the places of all its values, in the order of the text: node 0 is the whole, the children
// of node i begin at i+1, and next leads past a value and all it contains. It can be used again for another text.
type document struct {
	text  []byte
	nodes []node
	pos   int
	depth int // of the deepest list or object
	extra int // for how many more values its numbers count, see extraValues
	work  int // that the quick check may still do
}

// flaw is what is wrong with a text before any schema is asked.
type flaw struct {
	path    []step // innermost first
	message string
}

func (f *flaw) within(s step) *flaw {
	f.path = append(f.path, s)
	return f
}

// steps returns the path from the outside.
func (f *flaw) steps() []step {
	path := slices.Clone(f.path)
	slices.Reverse(path)
	return path
}

func (f *flaw) fieldErrors() *FieldErrors {
	return &FieldErrors{Fields: []FieldError{{Field: dotted(f.steps()), Message: f.message}}}
}

// parse reads text. It accepts what RFC 8259 allows and refuses, beyond that, what two readers of JSON could take for
// different things: repeated keys, bytes that are not UTF-8, numbers beyond all bounds, and nesting deeper than
// maxDepth. The document keeps text, which must not change as long as the document is in use.
func (d *document) parse(text []byte) *flaw {
	d.text, d.nodes, d.pos = text, d.nodes[:0], 0
	d.depth, d.extra = 0, 0
	if len(text) > maxDocumentBytes {
		return &flaw{message: fmt.Sprintf("is longer than %d bytes", maxDocumentBytes)}
	}
	if !utf8.Valid(text) {
		return &flaw{message: "is not valid UTF-8: encode all text as UTF-8"}
	}
	d.skipSpace()
	if f := d.parseValue(span{}, false, 0); f != nil {
		return f
	}
	d.skipSpace()
	if d.pos < len(text) {
		return d.syntax()
	}
	return nil
}

func (d *document) syntax() *flaw {
	if d.pos >= len(d.text) {
		return &flaw{message: "is not valid JSON: it ends too early"}
	}
	return &flaw{message: fmt.Sprintf("is not valid JSON: unexpected character at byte %d", d.pos+1)}
}

func (d *document) skipSpace() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end. A zero byte is not valid anywhere outside a string, nor inside.
func (d *document) peek() byte {
	if d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

// parseValue reads the value at pos, which stands inside depth lists and objects.
func (d *document) parseValue(key span, keyEscaped bool, depth int) *flaw {
	i := len(d.nodes)
	from := d.pos
	d.nodes = append(d.nodes, node{key: key, keyEscaped: keyEscaped})
	var f *flaw
	var k kind
	switch c := d.peek(); c {
	case '{', '[':
		if depth == maxDepth {
			return &flaw{message: fmt.Sprintf("is nested too deeply: at most %d levels are allowed", maxDepth)}
		}
		if k = kindObject; c == '[' {
			k = kindList
		}
		f = d.parseMembers(i, k, depth+1)
	case '"':
		k = kindString
		d.nodes[i].escaped, f = d.parseString()
	case 't':
		k, f = kindBool, d.parseWord("true")
	case 'f':
		k, f = kindBool, d.parseWord("false")
	case 'n':
		k, f = kindNull, d.parseWord("null")
	default:
		k, f = kindNumber, d.parseNumber()
	}
	if f != nil {
		return f
	}
	n := &d.nodes[i]
	n.kind, n.value, n.next = k, span{int32(from), int32(d.pos)}, int32(len(d.nodes))
	return nil
}

// parseMembers reads the inside of the list or object that is node parent, with both of its brackets.
func (d *document) parseMembers(parent int, k kind, depth int) *flaw {
	end := byte('}')
	if k == kindList {
		end = ']'
	}
	d.depth = max(d.depth, depth)
	d.pos++
	d.skipSpace()
	if d.peek() == end {
		d.pos++
		return nil
	}
	keys := keySet{object: parent}
	for n := int32(0); ; n++ {
		f := d.parseMember(k, &keys, n, depth)
		if f != nil {
			return f
		}
		d.nodes[parent].children++
		d.skipSpace()
		switch c := d.peek(); c {
		case ',':
			d.pos++
			d.skipSpace()
		case end:
			d.pos++
			return nil
		default:
			return d.syntax()
		}
	}
}

// parseMember reads the n-th value of a list, or the n-th key of an object with its value.
func (d *document) parseMember(k kind, keys *keySet, n int32, depth int) *flaw {
	if k == kindList {
		if f := d.parseValue(span{}, false, depth); f != nil {
			return f.within(step{index: int(n), list: true})
		}
		return nil
	}
	if d.peek() != '"' {
		return d.syntax()
	}
	from := d.pos
	escaped, f := d.parseString()
	if f != nil {
		return f
	}
	key := span{int32(from + 1), int32(d.pos - 1)}
	if keys.has(d, key, escaped) {
		f := &flaw{message: "appears twice: send every field once"}
		return f.within(step{key: d.textOf(key, escaped)})
	}
	d.skipSpace()
	if d.peek() != ':' {
		return d.syntax()
	}
	d.pos++
	d.skipSpace()
	if f := d.parseValue(key, escaped, depth); f != nil {
		return f.within(step{key: d.textOf(key, escaped)})
	}
	return nil
}

// keySet finds repeated keys of the object that is being read.
type keySet struct {
	object int
	count  int
	seen   map[string]struct{} // nil as long as the object has few keys
}

// has reports whether the object has the key already, and remembers the key.
func (s *keySet) has(d *document, key span, escaped bool) bool {
	s.count++
	if s.count <= maxCompareKeys {
		for i := s.object + 1; i < len(d.nodes); i = int(d.nodes[i].next) {
			if d.equalKey(i, key, escaped) {
				return true
			}
		}
		return false
	}
	if s.seen == nil {
		s.seen = make(map[string]struct{}, 4*maxCompareKeys)
		for i := s.object + 1; i < len(d.nodes); i = int(d.nodes[i].next) {
			s.seen[d.key(i)] = struct{}{}
		}
	}
	text := d.textOf(key, escaped)
	_, ok := s.seen[text]
	s.seen[text] = struct{}{}
	return ok
}

func (d *document) equalKey(i int, key span, escaped bool) bool {
	n := &d.nodes[i]
	if escaped || n.keyEscaped {
		return d.key(i) == d.textOf(key, escaped)
	}
	return bytes.Equal(d.bytes(n.key), d.bytes(key))
}

func (d *document) parseWord(word string) *flaw {
	for i := range len(word) {
		if d.peek() != word[i] {
			return d.syntax()
		}
		d.pos++
	}
	return nil
}

// parseString reads a string with its quotes and reports whether it contains an escape.
func (d *document) parseString() (escaped bool, f *flaw) {
	for d.pos++; d.pos < len(d.text); d.pos++ {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return escaped, nil
		case c < ' ':
			return false, d.syntax()
		case c == '\\':
			escaped = true
			if f := d.parseEscape(); f != nil {
				return false, f
			}
		}
	}
	return false, d.syntax()
}

// parseEscape reads an escape and stops at its last byte.
func (d *document) parseEscape() *flaw {
	d.pos++
	switch d.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			d.pos++
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(d.peek())) {
				return d.syntax()
			}
		}
		return nil
	}
	return d.syntax()
}

func (d *document) parseNumber() *flaw {
	from := d.pos
	if d.peek() == '-' {
		d.pos++
	}
	if d.peek() == '0' {
		d.pos++
	} else if d.skipDigits() == 0 {
		return d.syntax()
	}
	if d.peek() == '.' {
		d.pos++
		if d.skipDigits() == 0 {
			return d.syntax()
		}
	}
	exponent := 0
	if c := d.peek(); c == 'e' || c == 'E' {
		d.pos++
		if c := d.peek(); c == '+' || c == '-' {
			d.pos++
		}
		start := d.pos
		if d.skipDigits() == 0 {
			return d.syntax()
		}
		exponent = smallInt(d.text[start:d.pos])
	}
	if d.pos-from > maxNumberBytes || exponent > maxExponent {
		return &flaw{message: fmt.Sprintf("is a number beyond all bounds: use at most %d digits and an exponent of at most %d, or send it as a string", maxNumberBytes, maxExponent)}
	}
	d.extra += extraValues(d.pos-from, exponent)
	return nil
}

func (d *document) skipDigits() int {
	from := d.pos
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.pos++
	}
	return d.pos - from
}

// smallInt reads decimal digits and stops counting above maxExponent.
func smallInt(digits []byte) int {
	n := 0
	for _, c := range digits {
		if n = n*10 + int(c-'0'); n > maxExponent {
			return n
		}
	}
	return n
}

func (d *document) bytes(s span) []byte { return d.text[s.from:s.to] }

// textOf returns what the inside of a string means.
func (d *document) textOf(s span, escaped bool) string {
	if !escaped {
		return string(d.bytes(s))
	}
	var text string
	// The string has been read before, so with its quotes it is valid.
	if err := json.Unmarshal(d.text[s.from-1:s.to+1], &text); err != nil {
		return string(d.bytes(s))
	}
	return text
}

// key returns the key of node i, which is in an object.
func (d *document) key(i int) string { return d.textOf(d.nodes[i].key, d.nodes[i].keyEscaped) }

// inside returns what is between the quotes of node i, which is a string.
func (d *document) inside(i int) span {
	s := d.nodes[i].value
	return span{s.from + 1, s.to - 1}
}

// count returns how many values are of that kind.
func (d *document) count(k kind) int {
	n := 0
	for i := range d.nodes {
		if d.nodes[i].kind == k {
			n++
		}
	}
	return n
}

// child returns the node with that key inside the object i, or -1.
func (d *document) child(i int, key string) int {
	for c := i + 1; c < int(d.nodes[i].next); c = int(d.nodes[c].next) {
		if d.key(c) == key {
			return c
		}
	}
	return -1
}

// item returns the n-th node inside the list i, or -1.
func (d *document) item(i, n int) int {
	for c := i + 1; c < int(d.nodes[i].next); c = int(d.nodes[c].next) {
		if n == 0 {
			return c
		}
		n--
	}
	return -1
}

// any builds node i of the values that package encoding/json uses; numbers stay text.
func (d *document) any(i int) any {
	n := &d.nodes[i]
	switch n.kind {
	case kindBool:
		return d.text[n.value.from] == 't'
	case kindNumber:
		return json.Number(d.bytes(n.value))
	case kindString:
		return d.textOf(d.inside(i), n.escaped)
	case kindList:
		list := make([]any, 0, n.children)
		for c := i + 1; c < int(n.next); c = int(d.nodes[c].next) {
			list = append(list, d.any(c))
		}
		return list
	case kindObject:
		object := make(map[string]any, n.children)
		for c := i + 1; c < int(n.next); c = int(d.nodes[c].next) {
			object[d.key(c)] = d.any(c)
		}
		return object
	}
	return nil
}
