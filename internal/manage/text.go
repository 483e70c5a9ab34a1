package manage

import (
	"crypto/rand"
	"encoding/base32"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Lengths of texts that people write, in characters.
const (
	maxName = 100
	maxText = 500 // a description or a reason
)

// text checks what a person wrote: its length, and that every database, terminal
// and page can show it.
func (m *mistakes) text(name, value string, least, most int) {
	length := utf8.RuneCountInString(value)
	switch {
	case !utf8.ValidString(value):
		m.add(name, "is not valid UTF-8 text")
	case strings.ContainsFunc(value, unprintable):
		m.add(name, "contains a control character; remove it")
	case least > 0 && strings.TrimSpace(value) == "":
		m.add(name, "is missing")
	case length > most:
		m.add(name, "has %d characters; the most is %d", length, most)
	}
}

// unprintable reports control characters, but for line breaks and tabs.
func unprintable(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// maxID is longer than any id or type name that we know.
const maxID = 128

// known refuses what cannot be the id of a row, so that no query sees it.
func known(id string) error {
	if !plain(id) {
		return store.ErrNotFound
	}
	return nil
}

// plain reports whether s could be an id or the name of a type.
func plain(s string) bool {
	return s != "" && len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// counted writes a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// newID makes an id: the prefix and 80 random bits in lower-case base32.
func newID(prefix string) string {
	var b [10]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// hostOf is what an audit row may say of a URL: people put tokens into paths and queries.
func hostOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Host
}
