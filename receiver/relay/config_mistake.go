package relay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/nearest"
)

const (
	// maxMistakes is how many are told: nobody reads more at once.
	maxMistakes = 50
	// maxQuoted is how much of a value is quoted, in characters.
	maxQuoted = 60
)

// Mistake is something that is wrong with the file.
type Mistake struct {
	File string
	Line int
	// Key is the full path of the key, such as routes[0].slack.channel, where the
	// first of a list is 0; "" is the file as a whole.
	Key  string
	Text string
}

// Error is FILE:LINE: KEY: TEXT.
func (m *Mistake) Error() string {
	if m.Key == "" {
		return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", m.File, m.Line, m.Key, m.Text)
}

// mistakes collects them.
type mistakes struct {
	file     string
	found    []*Mistake
	warnings []string
}

func (m *mistakes) at(line int, key, format string, args ...any) *Mistake {
	return &Mistake{m.file, max(line, 1), key, fmt.Sprintf(format, args...)}
}

func (m *mistakes) add(line int, key, format string, args ...any) {
	m.found = append(m.found, m.at(line, key, format, args...))
}

func (m *mistakes) warn(line int, key, format string, args ...any) {
	m.warnings = append(m.warnings, m.at(line, key, format, args...).Error())
}

// err joins what was found, in the order of the lines.
func (m *mistakes) err() error {
	slices.SortStableFunc(m.found, func(a, b *Mistake) int { return cmp.Compare(a.Line, b.Line) })
	if more := len(m.found) - maxMistakes; more > 0 {
		next := m.found[maxMistakes]
		m.found = append(m.found[:maxMistakes], m.at(next.Line, "", "and %d more", more))
	}
	errs := make([]error, len(m.found))
	for i, mistake := range m.found {
		errs[i] = mistake
	}
	return errors.Join(errs...)
}

// quoted is a value as errors show it.
func quoted(text string) string {
	if runes := []rune(text[:min(len(text), 4*maxQuoted)]); len(runes) > maxQuoted {
		text = string(runes[:maxQuoted-1]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// meant is the end of an error about a word that is not among those known: the nearest
// of them, or all.
func meant(word string, known []string) string {
	if near := nearest.Name(word, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "there are " + strings.Join(known, ", ")
}

// under is the path of a key below another.
func under(path, key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`."[]`, r) }) || key == "" {
		key = quoted(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
