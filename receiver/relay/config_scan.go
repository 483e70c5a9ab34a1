package relay

import (
	"regexp"
	"strings"
)

// scan is what can be said of a file that is perhaps no YAML: where its comments are, and
// which bracket is not closed. A # that was meant as part of a value begins a comment, and
// the YAML reader gives up only lines later.
type scan struct {
	open      int          // the line of a [ or { that has no end; 0: there is none
	comments  map[int]bool // the lines with one
	templates map[int]bool // the lines with a value that begins as one and has no quotes
}

// scanner goes through a text as YAML does, and cares for brackets, quotes and comments
// alone.
type scanner struct {
	scan
	brackets []bracket // that are open
	quote    byte      // that is open; 0: none
	block    int       // what is indented further than this is text; -1: nothing is
}

type bracket struct {
	end  byte
	line int
}

// blockText is the end of a line after which a text follows, indented.
var blockText = regexp.MustCompile(`[:-] +[|>][0-9+-]*\s*$`)

func scanLines(lines []string) scan {
	s := &scanner{scan: scan{comments: map[int]bool{}, templates: map[int]bool{}}, block: -1}
	for i, line := range lines {
		if s.line(i+1, line); s.open > 0 {
			return s.scan
		}
	}
	if len(s.brackets) > 0 && s.quote == 0 {
		s.open = s.brackets[0].line
	}
	return s.scan
}

// line goes through one line. Value says that what comes next is the beginning of a
// value, where alone brackets and quotes have their meaning outside of other brackets.
func (s *scanner) line(number int, line string) {
	plain := strings.TrimLeft(line, " -")
	if s.block >= 0 && (plain == "" || indent(line, " ") > s.block) {
		return
	}
	s.block = -1
	value := true
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case s.quote != 0:
			i += s.quoted(line[i:])
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			s.comments[number] = true
			return
		case value && (c == '"' || c == '\''):
			s.quote, value = c, false
		case value && strings.HasPrefix(line[i:], "{{"):
			s.templates[number] = true
			s.bracket(number, c, value) // it opens one, in which a value may follow
		case !s.bracket(number, c, value):
			return
		default:
			value = s.before(c, strings.HasPrefix(line[i+1:]+" ", " "), value)
		}
	}
	if s.quote == 0 && len(s.brackets) == 0 && blockText.MatchString(line) {
		s.block = indent(line, " -")
	}
}

// quoted goes on within quotes, of which rest may be the end, and tells how many more
// characters belong to the first.
func (s *scanner) quoted(rest string) int {
	switch {
	case s.quote == '"' && rest[0] == '\\', s.quote == '\'' && strings.HasPrefix(rest, "''"):
		return 1
	case rest[0] == s.quote:
		s.quote = 0
	}
	return 0
}

// bracket opens or closes one, and reports false when it closes another than the last.
func (s *scanner) bracket(line int, c byte, value bool) bool {
	inside := len(s.brackets) > 0
	switch {
	case c == '[' && (inside || value):
		s.brackets = append(s.brackets, bracket{']', line})
	case c == '{' && (inside || value):
		s.brackets = append(s.brackets, bracket{'}', line})
	case inside && (c == ']' || c == '}'):
		last := s.brackets[len(s.brackets)-1]
		if last.end != c {
			s.open = last.line
			return false
		}
		s.brackets = s.brackets[:len(s.brackets)-1]
	}
	return true
}

// before reports whether a value may begin after c; spaced says that a space follows it.
func (s *scanner) before(c byte, spaced, value bool) bool {
	switch c {
	case ' ', '\t':
		return value
	case '[', '{', ',':
		return len(s.brackets) > 0
	case ':':
		return spaced || len(s.brackets) > 0
	case '-':
		return spaced && value
	}
	return false
}

// indent is how many of the characters the line begins with.
func indent(line, of string) int { return len(line) - len(strings.TrimLeft(line, of)) }
