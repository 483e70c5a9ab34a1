package webhook

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// ErrBadSecret means that a text is not a secret, or that a secret is empty.
var ErrBadSecret = errors.New("webhook: not a valid secret")

const (
	secretPrefix = "whsec_"
	// Standard Webhooks 1.0.0 allows keys of 24 to 64 bytes.
	minSecretBytes = 24
	maxSecretBytes = 64
	// newSecretBytes is the size of SHA-256's output: a longer key adds nothing.
	newSecretBytes = 32

	redactedSecret = secretPrefix + "[redacted]"
	// fingerprintLength is long enough to tell an account's secrets apart and
	// says nothing useful about 192 random bits.
	fingerprintLength = 12
)

// Secret is the signing secret of an endpoint. However it is printed, logged or
// encoded it shows only that it is one; [Secret.Reveal] gives the text. The zero
// Secret is empty: it signs nothing and no signature matches it. A Secret never
// changes and may be used by many goroutines.
type Secret struct {
	// A function, because fmt prints what lies in unexported fields of other
	// structs without asking their methods, and for a verb that does not fit it
	// even follows pointers; of a function it prints only the address.
	content func() secretContent
}

type secretContent struct {
	text string // whole, with whsec_: the key of the simple scheme
	key  []byte // decoded: the key of the standard scheme
}

func newSecret(text string, key []byte) Secret {
	return Secret{func() secretContent { return secretContent{text, key} }}
}

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	key := make([]byte, newSecretBytes)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	text := secretPrefix + base64.StdEncoding.EncodeToString(key)
	return newSecret(text, key)
}

// ParseSecret reads a secret: whsec_ and the padded standard base64 of 24 to 64
// bytes. Nothing is trimmed, because every character counts in the simple scheme. The
// error is [ErrBadSecret], says what is wrong and never quotes the text.
func ParseSecret(text string) (Secret, error) {
	// The decoder skips line breaks, so they are refused here with the rest.
	if strings.ContainsAny(text, " \t\r\n") {
		return Secret{}, fmt.Errorf("%w: it has white space or a line break in it", ErrBadSecret)
	}
	encoded, found := strings.CutPrefix(text, secretPrefix)
	if !found {
		return Secret{}, fmt.Errorf("%w: it does not begin with %s", ErrBadSecret, secretPrefix)
	}
	// Strict refuses a second spelling of the same bytes.
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Secret{}, fmt.Errorf("%w: what follows %s is not padded standard base64", ErrBadSecret, secretPrefix)
	}
	if n := len(key); n < minSecretBytes || n > maxSecretBytes {
		return Secret{}, fmt.Errorf("%w: it holds %d bytes instead of %d to %d", ErrBadSecret, n, minSecretBytes, maxSecretBytes)
	}
	return newSecret(text, key), nil
}

// Reveal gives the whole text of the secret. It is shown once, when the secret is
// made, and sealed for the database; it belongs nowhere else.
func (s Secret) Reveal() string {
	if s.content == nil {
		return ""
	}
	return s.content().text
}

// Fingerprint is the first 12 hexadecimal characters of the SHA-256 of the whole
// text. It may be shown and stored. The zero Secret has the fingerprint "".
func (s Secret) Fingerprint() string {
	if s.content == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(s.content().text))
	return hex.EncodeToString(sum[:])[:fingerprintLength]
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.content == nil }

// Equal compares two secrets in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String redacts.
func (s Secret) String() string { return redactedSecret }

// GoString redacts.
func (s Secret) GoString() string { return redactedSecret }

// Format redacts for every verb of package fmt.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redactedSecret) }

// LogValue redacts.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redactedSecret) }

// MarshalJSON redacts.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedSecret + `"`), nil }

// MarshalText redacts, for encoders other than JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redactedSecret), nil }
