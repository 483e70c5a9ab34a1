package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The text of a key is cl_, 8 characters to recognise it by, _, and 52 characters
// of base32 that hold 256 random bits.
const (
	keyPrefix   = "cl_"
	keyIDBytes  = 5  // 8 characters of base32
	secretBytes = 32 // 52 characters of base32 without padding

	// shownLength of a key's text is kept to recognise it by: cl_ and the 8 characters.
	shownLength = len(keyPrefix) + 8
)

// NewKey makes a key: the text, which is shown once and kept nowhere, and the
// row to store. A zero expires means never.
func NewKey(accountID, name string, scopes Scopes, expires, now time.Time) (text string, key store.Key) {
	shown := keyPrefix + random(keyIDBytes)
	text = shown + "_" + random(secretBytes)
	return text, store.Key{
		ID:        newKeyID(),
		AccountID: accountID,
		Name:      name,
		Prefix:    shown,
		Hash:      Hash(text),
		Scopes:    scopes.Strings(),
		CreatedAt: now,
		ExpiresAt: expires,
	}
}

// Hash gives what is kept of the text of a key or a link. A plain SHA-256 is
// enough because the text holds 256 random bits: there is nothing to guess from.
func Hash(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// newKeyID makes the id of a key's row, which is no part of its text.
func newKeyID() string { return "key_" + random(10) }

// random gives n random bytes in lower-case base32, which survives being read
// aloud, selected by a double click and typed.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
