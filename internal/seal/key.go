package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrBadKey means that a text is not a key, or that a Key is empty.
var ErrBadKey = errors.New("not a valid key")

const (
	// keySize is the key size of AES-256, and as much as HKDF-SHA256 can use.
	keySize = 32

	redactedKey = "key[redacted]"
)

// Key is the key that everything is sealed under. However it is printed, logged or
// encoded it shows only that it is one. The zero Key is empty and seals nothing.
type Key struct {
	// A function, because fmt prints what lies in unexported fields of other
	// structs without asking their methods, and for a verb that does not fit it
	// even follows pointers; of a function it prints only the address.
	bytes func() []byte
}

// newKey makes a random key.
func newKey() Key {
	random := make([]byte, keySize)
	rand.Read(random) // never fails: crypto/rand ends the program instead
	return keyOf(random)
}

func keyOf(bytes []byte) Key { return Key{func() []byte { return bytes }} }

// Parse reads a key from its text, the padded standard base64 of 32 bytes, as it
// stands in a key file or comes from the environment (made for instance by
// `openssl rand -base64 32`). White space around it does not matter. The error is
// [ErrBadKey] and never quotes the text.
func Parse(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Key{}, fmt.Errorf("%w: it is empty", ErrBadKey)
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return Key{}, fmt.Errorf("%w: it is not padded standard base64", ErrBadKey)
	}
	if len(decoded) != keySize {
		return Key{}, fmt.Errorf("%w: it holds %d bytes instead of %d", ErrBadKey, len(decoded), keySize)
	}
	return keyOf(decoded), nil
}

// text is what Parse reads.
func (k Key) text() string { return base64.StdEncoding.EncodeToString(k.bytes()) }

// IsZero reports whether the key is empty.
func (k Key) IsZero() bool { return k.bytes == nil }

// String redacts.
func (k Key) String() string { return redactedKey }

// GoString redacts.
func (k Key) GoString() string { return redactedKey }

// Format redacts for every verb of package fmt.
func (k Key) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redactedKey) }

// LogValue redacts.
func (k Key) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalJSON redacts.
func (k Key) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedKey + `"`), nil }

// MarshalText redacts, for encoders other than JSON.
func (k Key) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }
