package vendor

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxText is the longest output of a template, in bytes; what is longer is cut.
const MaxText = 64 << 10

// Template maps an event to one text, in the language of text/template. It sees a
// [Data]; what the event does not have writes nothing. Beside what text/template has,
// it may use
//
//	upper, lower, title     of a text
//	default "-" .Grade      .Grade, or - when it is missing or empty
//	truncate 20 .Message    the first 20 characters at most, the last of them …
//	json .Data              as JSON
//	raw .Title              past the escaping of the vendor
//
// so that pipes read well: {{.Title | default .Type | truncate 80}}. What an event says
// is escaped the vendor's way where it is written out; what the template says is not.
type Template struct {
	field string
	parts *template.Template
}

// raw is text that is not escaped.
type raw string

// Parse reads a template and tries it. Field is what errors call it. Escape makes a text
// of an event harmless to the vendor; nil leaves it as it is.
func Parse(field, text string, escape func(string) string) (*Template, error) {
	if escape == nil {
		escape = func(text string) string { return text }
	}
	functions := template.FuncMap{
		"upper":    func(v any) string { return strings.ToUpper(show(v)) },
		"lower":    func(v any) string { return strings.ToLower(show(v)) },
		"title":    func(v any) string { return titled(show(v)) },
		"default":  orElse,
		"truncate": func(most int, v any) string { return Truncate(show(v), most) },
		"json":     asJSON,
		"raw":      func(v any) raw { return raw(show(v)) },
		escaping: func(v any) string {
			if text, ok := v.(raw); ok {
				return string(text)
			}
			return escape(show(v))
		},
	}
	parts, err := template.New(field).Option("missingkey=zero").Funcs(functions).Parse(text)
	if err != nil {
		return nil, told(field, err)
	}
	for _, part := range parts.Templates() {
		if part.Tree != nil {
			escapeAll(part.Root)
		}
	}
	t := &Template{field: field, parts: parts}
	for _, sample := range samples() {
		// What depends on the sample is no mistake of the template; a field that no
		// event has is.
		if _, err := t.Text(sample); err != nil && strings.Contains(err.Error(), "in type vendor.Data") {
			return nil, err
		}
	}
	return t, nil
}

// samples reach most branches of a template.
func samples() []Data {
	return []Data{
		{Type: "scan.completed", Domain: "example.com", Score: 85, HasScore: true, Grade: "B", Data: map[string]any{}},
		{Type: "alert.triggered", Domain: "example.com", Severity: "critical", AlertType: "score_drop", Title: "Dropped", Message: "By 14", Data: map[string]any{}},
		{Type: "scan.completed", Test: true, Data: map[string]any{}},
	}
}

// Text writes an event.
func (t *Template) Text(d Data) (string, error) {
	var out bounded
	err := t.parts.Execute(&out, d)
	if err != nil && !errors.Is(err, errFull) {
		return "", told(t.field, err)
	}
	return strings.ToValidUTF8(out.String(), ""), nil
}

// told makes an error of text/template one of the field: it has the position.
func told(field string, err error) error {
	text := strings.TrimPrefix(err.Error(), "template: ")
	text = strings.TrimPrefix(text, field+":")
	return fmt.Errorf("the template of %s, line %s", field, text)
}

// escaping cannot be written in a template.
const escaping = "_escape"

// escapeAll makes every action that writes something write it escaped.
func escapeAll(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			escapeAll(child)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand, Pos: n.Pos,
				Args: []parse.Node{parse.NewIdentifier(escaping).SetPos(n.Pos).SetTree(nil)},
			})
		}
	case *parse.IfNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	case *parse.RangeNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	case *parse.WithNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	}
}

var errFull = errors.New("the text is long enough")

// bounded takes MaxText bytes.
type bounded struct{ strings.Builder }

// Write fails when there is no more room.
func (b *bounded) Write(p []byte) (int, error) {
	if room := MaxText - b.Len(); len(p) > room {
		b.Builder.Write(p[:room])
		return room, errFull
	}
	return b.Builder.Write(p)
}

// show writes a value as people would.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.Format(time.RFC3339)
	default:
		return fmt.Sprint(v)
	}
}

func orElse(other, v any) any {
	if v == nil || v == "" {
		return other
	}
	return v
}

func titled(text string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		first := !unicode.IsLetter(before) && !unicode.IsDigit(before) && before != '\''
		before = r
		if first {
			return unicode.ToTitle(r)
		}
		return r
	}, text)
}

func asJSON(v any) (string, error) {
	written, err := json.Marshal(v)
	return string(written), err
}

// Truncate gives the first characters of a text, the last of them … if there are more.
func Truncate(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	if most <= 0 {
		return ""
	}
	return string([]rune(text)[:most-1]) + "…"
}

// Fit cuts a text to a number of characters as JavaScript counts them, which is how
// vendors do who do not say: the stricter way. The last of them is … if there were more.
func Fit(text string, most int) string {
	if len(utf16.Encode([]rune(text))) <= most {
		return text
	}
	length := 1 // of the …
	for i, r := range text {
		if length += utf16.RuneLen(r); length > most {
			return text[:i] + "…"
		}
	}
	return text
}
