package datadog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText is the longest text in characters
	// (https://docs.datadoghq.com/api/latest/events/#post-an-event); Datadog drops what is over.
	maxText = 4000
	// maxTitle is the longest title in characters that every edition of the documentation
	// of this call allows: it said 100, and now says nothing; that of its successor says 500.
	maxTitle = 100

	// apart is a space without width: it keeps two characters from being read as one sign.
	apart = "\u200b"
)

// harmless makes a value of an event safe to stand in a text or a title. Datadog reads a
// text from %%% on as Markdown, with links and pictures from anywhere, and takes
// @somebody as who is to be notified. Neither may come from what a scanned site says
// about itself. A template of the settings may have both.
func harmless(value string) string {
	var b strings.Builder
	before := ' '
	for _, c := range strings.ToValidUTF8(value, "\ufffd") {
		switch {
		case c == '%' && before == '%':
			b.WriteString(apart)
		case c == '\r', c < ' ' && c != '\n' && c != '\t', c == 0x7f:
			continue
		}
		b.WriteRune(c)
		// An address of e-mail is left alone; nobody is notified by it.
		if c == '@' && !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			b.WriteString(apart)
		}
		before = c
	}
	return b.String()
}

// cut shortens a text to so many characters and shows that it did. One that ends within
// a block of Markdown is closed.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	const end = "…"
	closing := ""
	if strings.HasPrefix(text, markdown) {
		closing = "\n " + markdown
	}
	runes := []rune(text)
	return string(runes[:most-utf8.RuneCountInString(end+closing)]) + end + closing
}

// markdown begins and ends a block of it.
const markdown = "%%%"

// line makes one line of a text.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
