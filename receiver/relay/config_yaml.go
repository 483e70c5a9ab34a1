package relay

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// reader reads a file's nodes and collects what is wrong with them.
type reader struct {
	mistakes
	env       func(string) (string, bool)
	readFile  secretFile
	dev       bool
	lines     []string // of the file
	variables []string // of the environment, that were read
	// secretFiles were read, or were to be.
	secretFiles []namedFile
}

const empty = `the file is empty: it needs "secrets" and "routes"`

// load gives the file's one document, or nil and a mistake.
func (r *reader) load(text []byte) *yaml.Node {
	if len(text) > maxFile {
		r.add(1, "", "the file is longer than %d bytes", maxFile)
		return nil
	}
	if line, what := unreadable(text); what != "" {
		r.add(line, "", "%s", what)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		r.add(1, "", "%s", err)
		return nil
	}
	r.lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	var file, second yaml.Node
	if err := loader.Load(&file); errors.Is(err, io.EOF) {
		r.add(1, "", empty)
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.syntax(err)
	default:
		r.add(second.Line, "", "a second document begins here; a file has one")
	}
	if len(file.Content) != 1 {
		r.add(1, "", empty)
		return nil
	}
	root := file.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		r.add(1, "", empty)
		return nil
	}
	return root
}

// unreadable finds what the YAML reader refuses without a line.
func unreadable(text []byte) (line int, what string) {
	line = 1
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && size == 1:
			return line, "there is a byte here that is no UTF-8; save the file as UTF-8"
		case c < ' ' && c != '\t' && c != '\n' && c != '\r', c >= 0x7f && c < 0xa0 && c != 0x85, c == 0xfffe, c == 0xffff:
			return line, "there is a control character here, which no text has"
		case c == '\n':
			line++
		}
		text = text[size:]
	}
	return 0, ""
}

// templateHere is the text before the place of an error when a value begins there, or has
// just ended, that was meant as a template: to YAML it is a map within a map.
var templateHere = regexp.MustCompile(`(^ *(- +)+|: +)\{\{[^{}"']*(\}\})? *$`)

// syntax tells an error of the YAML reader, whose own words are about its insides. The line
// is that of the error, or the one where what it is about begins.
func (r *reader) syntax(err error) {
	broken, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		r.add(1, "", "this is no YAML: %s", err)
		return
	}
	mark, begin := broken.Mark, broken.ContextMark
	if mark.Line == 0 {
		mark = begin
	}
	before, rest := r.split(mark.Line, mark.Column-1)
	opened, _ := r.split(begin.Line, begin.Column) // with the bracket
	flow := strings.Contains(broken.ContextMsg, "flow") && begin.Line > 0
	block := strings.Contains(broken.ContextMsg, "block mapping") || strings.Contains(broken.ContextMsg, "block collection")
	quoted := strings.Contains(broken.ContextMsg, "quoted scalar")
	switch {
	case strings.Contains(broken.Message, "unknown anchor"), strings.Contains(broken.ContextMsg, "alias"):
		// Its name is not repeated: it may be a secret that somebody wrote here.
		r.add(mark.Line, "", `a value that begins with * must be in quotes, such as "*.example.com"`)
	case strings.HasPrefix(rest, "\t"), strings.Contains(broken.Message, "tab"):
		r.add(mark.Line, "", "there is a tab; YAML is indented by spaces")
	case flow && templateHere.MatchString(opened):
		r.add(begin.Line, "", inQuotes)
	case !quoted && templateHere.MatchString(before):
		r.add(mark.Line, "", inQuotes)
	case strings.Contains(broken.Message, "mapping values are not allowed"):
		r.add(mark.Line, "", "there is a second key here, or a wrong indentation; a value with a colon and a space in it must be in quotes")
	case strings.Contains(broken.Message, "could not find expected ':'"):
		r.add(cmp.Or(begin.Line, mark.Line), "", "there is no colon after the key")
	case quoted && strings.Contains(broken.Message, "end of stream"):
		r.add(begin.Line, "", "the quote that begins here has no end")
	case flow && strings.HasSuffix(broken.ContextMsg, "node"):
		line := r.lastBefore(mark)
		r.add(line, "", "a value, or the ] or } of a list or map, is missing here%s", r.swallowed(line, mark))
	case flow:
		r.add(begin.Line, "", "the list or map that begins here with [ or { has no end%s%s", noComma(begin, mark, rest), r.swallowed(begin.Line, mark))
	case block:
		r.add(mark.Line, "", "%s", notOfBlock(before, mark.Column))
	default:
		r.add(mark.Line, "", "this is no YAML: %s", broken.Message)
	}
}

// notOfBlock says what is wrong with something that does not go on with the lines above it.
func notOfBlock(before string, column int) string {
	if strings.Trim(before, " -") == "" {
		return "the indentation is wrong here, or in the line before"
	}
	return fmt.Sprintf("the value has ended before column %d; put all of it in quotes, or correct those that are there", column)
}

// noComma says what else may be wrong with a list or map than that it has no end. At the end
// of the file, where there is no rest, nothing else is.
func noComma(begin, mark yaml.Mark, rest string) string {
	switch {
	case rest == "":
		return ""
	case begin.Line == mark.Line:
		return ", or a comma is missing"
	}
	return fmt.Sprintf(", or a comma is missing up to line %d", mark.Line)
}

// split cuts a line of the file after some of its characters.
func (r *reader) split(line, characters int) (before, rest string) {
	if line < 1 || line > len(r.lines) {
		return "", ""
	}
	text := []rune(r.lines[line-1])
	at := min(max(characters, 0), len(text))
	return string(text[:at]), string(text[at:])
}

// lastBefore is the last line before a mark, or its own, that has more there than a comment.
func (r *reader) lastBefore(mark yaml.Mark) int {
	text, _ := r.split(mark.Line, mark.Column-1)
	line := mark.Line
	for ; line > 1 && (strings.TrimSpace(text) == "" || comment.MatchString(text)); line-- {
		text, _ = r.split(line-1, maxFile)
	}
	return line
}

var (
	// comment is the text of a line that is one.
	comment = regexp.MustCompile(`^\s*#`)
	// inComment is a bracket in what may be a comment: whether it is in quotes instead is not
	// looked at, so that no more is said of it than what is always right.
	inComment = regexp.MustCompile(`\s#.*[]}]`)
)

const hash = "; a # begins a comment, so a value with a # must be in quotes"

// swallowed says of a list or map that has no end why that may be: its bracket may be in a
// comment, between a line and a mark.
func (r *reader) swallowed(line int, mark yaml.Mark) string {
	for ; line <= mark.Line; line++ {
		text, _ := r.split(line, maxFile)
		if line == mark.Line {
			text, _ = r.split(line, mark.Column-1)
		}
		if inComment.MatchString(text) {
			return hash + `, such as "#security-alerts"`
		}
	}
	return ""
}

// form finds what YAML allows and the file does not have: it says each thing once, where
// it is meant.
func (r *reader) form(node *yaml.Node, path string) {
	r.plain(node, path)
	switch node.Kind {
	case yaml.AliasNode:
		r.add(node.Line, path, "there is an alias (*); write it out, or put it in quotes")
	case yaml.SequenceNode:
		for i, item := range node.Content {
			r.form(item, index(path, i))
		}
	case yaml.MappingNode:
		lines := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			switch {
			case isTemplate(node):
				r.add(key.Line, path, inQuotes)
				continue
			case key.Kind != yaml.ScalarNode:
				r.add(key.Line, path, "a key must be a word")
				continue
			}
			own := under(path, key.Value)
			r.plain(key, own)
			if key.Value == "<<" {
				r.add(key.Line, own, "maps are not merged; write the keys out")
				continue
			}
			if first := lines[key.Value]; first > 0 {
				r.add(key.Line, own, "it is there twice; first in line %d", first)
			} else {
				lines[key.Value] = key.Line
			}
			r.form(node.Content[i+1], own)
		}
	}
}

// inQuotes is said of a template that stands there as it is.
const inQuotes = `a value that begins with { must be in quotes, such as "{{.Domain}}"`

// isTemplate reports whether a node is a template without quotes: to YAML {{.Domain}} is a
// map whose one key is a map. It was told by form.
func isTemplate(node *yaml.Node) bool {
	return node.Kind == yaml.MappingNode && node.Style&yaml.FlowStyle != 0 && len(node.Content) > 0 && node.Content[0].Kind == yaml.MappingNode
}

// plain finds what a node has beside its value.
func (r *reader) plain(node *yaml.Node, path string) {
	if node.Anchor != "" {
		r.add(node.Line, path, "there is an anchor (&); write it out where it is needed, or put it in quotes")
	}
	if node.Style&yaml.TaggedStyle != 0 {
		r.add(node.Line, path, "there is a tag (!); write the value alone, or put it in quotes")
	}
}
