package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	trimmed       = "The body has white space at its start or end that was not there when it was signed: sign the raw bytes as they arrived."
	lineAdded     = "The body was signed with a line break at its end that is not there now: sign the raw bytes as they arrived."
	byteOrderMark = "The body begins with a byte order mark that was not signed: sign the raw bytes as they arrived."
	rewritten     = "The body was parsed and written again (%s) before it was signed or given here: sign the raw bytes as they arrived."
	lineEnds      = "The line ends of the body were changed: sign the raw bytes as they arrived."
)

const (
	// maxDiagnosed bounds the bodies that are written again in other ways: twice
	// the largest body that can be published (contract section 4).
	maxDiagnosed = 512 << 10
	// maxIndented and maxIndentedDepth bound those that are indented, because deep
	// nesting makes a text many times longer.
	maxIndented      = 64 << 10
	maxIndentedDepth = 32
)

// bodyVariants are a body and what programs make of it by mistake, the unchanged one
// first. Variants that come out the same as an earlier one are left out.
func bodyVariants(body []byte) []variant {
	variants := []variant{
		{bytes: body},
		wrong(bytes.TrimSpace(body), trimmed),
		wrong(slices.Concat(body, []byte("\n")), lineAdded),
		wrong(slices.Concat(body, []byte("\r\n")), lineAdded),
		wrong(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), lineEnds),
		wrong(bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n")), lineEnds),
		wrong(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), byteOrderMark),
		wrong(nil, "The body was empty when it was signed: something else had read it before."),
	}
	if len(body) <= maxDiagnosed {
		variants = append(variants, rewrittenBodies(body)...)
	}
	var distinct []variant
	for _, v := range variants {
		if !slices.ContainsFunc(distinct, func(d variant) bool { return bytes.Equal(d.bytes, v.bytes) }) {
			distinct = append(distinct, v)
		}
	}
	return distinct
}

// rewrittenBodies are what common libraries write after parsing the body.
func rewrittenBodies(body []byte) []variant {
	// Valid also bounds how deep the values are nested.
	if !json.Valid(body) {
		return nil
	}
	var variants []variant
	add := func(how string, text []byte) {
		variants = append(variants, wrong(text, fmt.Sprintf(rewritten, how)))
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		add("without white space", compact.Bytes())
	}
	if len(body) <= maxIndented && depth(body) <= maxIndentedDepth {
		for _, indent := range []string{"  ", "    ", "\t"} {
			var indented bytes.Buffer
			if json.Indent(&indented, body, "", indent) == nil {
				add("indented", indented.Bytes())
			}
		}
	}
	add("as JavaScript's JSON.stringify does", rewrite(body, style{comma: ",", colon: ":", shortNumbers: true}))
	add("as Python's json.dumps does", rewrite(body, style{comma: ", ", colon: ": ", asciiOnly: true}))
	add("as Python's json.dumps does with ensure_ascii=False", rewrite(body, style{comma: ", ", colon: ": "}))
	add("as PHP's json_encode does", rewrite(body, style{comma: ",", colon: ":", asciiOnly: true, escapeSlash: true}))
	var value any
	if json.Unmarshal(body, &value) == nil {
		if text, err := json.Marshal(value); err == nil {
			add("with sorted keys, as Go's json.Marshal does", text)
		}
	}
	return variants
}

// depth is how deep the values of valid JSON are nested.
func depth(body []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(body))
	now, deepest := 0, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			deepest = max(deepest, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// style is how a library writes JSON.
type style struct {
	comma, colon string
	asciiOnly    bool // other characters as \u escapes
	escapeSlash  bool
	shortNumbers bool // 1.0 as 1
}

// rewrite writes valid JSON again in another style. The order of keys stays.
func rewrite(body []byte, s style) []byte {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	w := rewriter{style: s}
	for {
		token, err := decoder.Token()
		if err != nil {
			return w.out
		}
		w.write(token)
	}
}

// rewriter is the text so far and where in it the next token stands.
type rewriter struct {
	style
	out  []byte
	open []container
}

// container is an object or array that is not closed yet.
type container struct {
	object bool
	count  int // tokens so far; in an object keys and values both count
}

func (w *rewriter) write(token json.Token) {
	if closing, ok := token.(json.Delim); ok && (closing == '}' || closing == ']') {
		w.out = append(w.out, byte(closing))
		w.open = w.open[:len(w.open)-1]
		return
	}
	w.separate()
	switch t := token.(type) {
	case json.Delim:
		w.out = append(w.out, byte(t))
		w.open = append(w.open, container{object: t == '{'})
	case string:
		w.out = w.appendText(w.out, t)
	case json.Number:
		w.out = append(w.out, w.number(t)...)
	case bool:
		w.out = strconv.AppendBool(w.out, t)
	case nil:
		w.out = append(w.out, "null"...)
	}
}

// separate writes what stands between the token before and the next.
func (w *rewriter) separate() {
	if len(w.open) == 0 {
		return
	}
	in := &w.open[len(w.open)-1]
	if in.object && in.count%2 == 1 {
		w.out = append(w.out, w.colon...)
	}
	if in.count > 0 && !(in.object && in.count%2 == 1) {
		w.out = append(w.out, w.comma...)
	}
	in.count++
}

// number writes a number, in JavaScript's form if numbers are to be short.
func (s style) number(n json.Number) string {
	if !s.shortNumbers {
		return n.String()
	}
	value, err := n.Float64()
	if err != nil {
		return n.String()
	}
	if value == 0 {
		return "0"
	}
	// ECMAScript, Number::toString: an exponent from 1e21 up and below 1e-6.
	if size := math.Abs(value); size < 1e21 && size >= 1e-6 {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	// Go writes two digits of exponent at least, JavaScript as few as possible.
	return strings.Replace(strconv.FormatFloat(value, 'e', -1, 64), "e-0", "e-", 1)
}

// appendText writes a JSON string with no more escapes than the style asks for.
func (s style) appendText(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for _, r := range text {
		if short := strings.IndexRune("\"\\\b\f\n\r\t", r); short >= 0 {
			dst = append(dst, '\\', `"\bfnrt`[short])
			continue
		}
		switch {
		case r == '/' && s.escapeSlash:
			dst = append(dst, `\/`...)
		case r < ' ' || (s.asciiOnly && r > '~' && r < 0x10000):
			dst = fmt.Appendf(dst, `\u%04x`, r)
		case s.asciiOnly && r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
