package webhook

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What [Verify] and [VerifySimple] refuse a request for; compare with errors.Is.
var (
	// ErrNoSecret: the caller gave no secret, or only empty ones.
	ErrNoSecret = errors.New("webhook: there is no secret to verify with")
	// ErrNoSignature: the request carries no signature of a known kind.
	ErrNoSignature = errors.New("webhook: the request is not signed")
	// ErrBadHeader: a header that the check needs is missing, repeated or malformed.
	ErrBadHeader = errors.New("webhook: a signature header is not as it should be")
	// ErrMismatch: no signature fits the body and any of the secrets.
	ErrMismatch = errors.New("webhook: the signature does not match: the secret is another one or the body was changed")
	// ErrTooOld: the signature is right, but made too long ago.
	ErrTooOld = errors.New("webhook: the request was signed too long ago: it was held up or sent again, or this clock is fast")
	// ErrTooNew: the signature is right, but dated in the future.
	ErrTooNew = errors.New("webhook: the request was signed in the future: one of the clocks is wrong")
)

// DefaultTolerance is how far the time of a request may be from now, both ways: what
// the libraries of Standard Webhooks use.
const DefaultTolerance = 5 * time.Minute

// maxTimestampDigits keeps the seconds far within an int64; eleven digits reach the
// year 5138.
const maxTimestampDigits = 11

// Scheme names the signature that a request was verified by.
type Scheme string

// The two schemes of a request.
const (
	// SchemeSimple is X-ComplianceLayer-Signature: the body alone, without a time.
	SchemeSimple Scheme = "simple"
	// SchemeStandard is webhook-signature: id, time and body.
	SchemeStandard Scheme = "standard"
)

// Result says how a request was verified. It means nothing beside an error.
type Result struct {
	// Scheme is the signature that was checked. A receiver that must not accept an
	// old request sent again can insist on SchemeStandard; with the simple scheme
	// only skipping known event ids protects from that.
	Scheme Scheme
	// SecretIndex is the place of the matching secret among those given: during a
	// rotation it tells whether the sender still uses the old one.
	SecretIndex int
}

// Verify checks that a request was signed with one of the secrets. Body must be the
// raw bytes that arrived. It may be called with anything; it never panics, and all
// comparisons of signatures take constant time.
//
// When webhook-signature is there, it decides: one of its v1 entries must match,
// entries of other versions are skipped, webhook-id and webhook-timestamp must be
// there exactly once, the time must be within tolerance of now in both directions
// (zero or less means [DefaultTolerance]), and if the body has an id it must be the
// same. Otherwise X-ComplianceLayer-Signature decides, see [VerifySimple]. Header
// names must be in net/http's canonical form, as they are in every request that its
// server hands out.
//
// Errors are [ErrNoSecret], [ErrNoSignature], [ErrBadHeader], [ErrMismatch],
// [ErrTooOld] and [ErrTooNew]; answer 401 to all but the first.
func Verify(headers http.Header, body []byte, now time.Time, tolerance time.Duration, secrets ...Secret) (Result, error) {
	if lists := headers.Values(StandardSignatureHeader); len(lists) > 0 {
		return verifyStandard(headers, lists, body, now, tolerance, secrets)
	}
	if len(headers.Values(SignatureHeader)) == 0 {
		return Result{}, fmt.Errorf("%w: it has neither %s nor %s", ErrNoSignature, StandardSignatureHeader, SignatureHeader)
	}
	signature, err := single(headers, SignatureHeader)
	if err != nil {
		return Result{}, err
	}
	index, err := VerifySimple(body, signature, secrets...)
	if err != nil {
		return Result{}, err
	}
	return Result{Scheme: SchemeSimple, SecretIndex: index}, nil
}

// VerifySimple checks a value of X-ComplianceLayer-Signature against the raw body and
// gives the place of the matching secret. The value must be 64 lower-case hexadecimal
// characters, else it is [ErrBadHeader]; the other errors are [ErrNoSecret] and
// [ErrMismatch].
func VerifySimple(body []byte, signature string, secrets ...Secret) (int, error) {
	if !lowerHex(signature) {
		return 0, fmt.Errorf("%w: %s is not %d lower-case hexadecimal characters", ErrBadHeader, SignatureHeader, simpleLength)
	}
	return match([]string{signature}, secrets, func(secret Secret) string {
		return Sign(secret, body)
	})
}

func verifyStandard(headers http.Header, lists []string, body []byte, now time.Time, tolerance time.Duration, secrets []Secret) (Result, error) {
	id, err := single(headers, IDHeader)
	if err != nil {
		return Result{}, err
	}
	// A full stop would let the border between id and timestamp be moved.
	if strings.Contains(id, ".") {
		return Result{}, fmt.Errorf("%w: %s contains a full stop", ErrBadHeader, IDHeader)
	}
	at, err := timestamp(headers)
	if err != nil {
		return Result{}, err
	}
	entries := knownEntries(lists)
	if len(entries) == 0 {
		return Result{}, fmt.Errorf("%w: %s lists no v1 signature", ErrNoSignature, StandardSignatureHeader)
	}
	index, err := match(entries, secrets, func(secret Secret) string {
		return SignStandard(secret, id, at, body)
	})
	if err != nil {
		return Result{}, err
	}

	// From here on the request is known to be genuine, so that the errors below
	// tell the truth about its time and its id.
	if err := checkAge(now.Sub(at), tolerance); err != nil {
		return Result{}, err
	}
	if inBody := bodyID(body); inBody != "" && inBody != id {
		return Result{}, fmt.Errorf("%w: %s is not the id in the body", ErrBadHeader, IDHeader)
	}
	return Result{Scheme: SchemeStandard, SecretIndex: index}, nil
}

// match finds the first secret whose signature is among the candidates. What a
// signature is compared with always has the length of a genuine one, so that only the
// candidate's length, which is no secret, can end a comparison early.
func match(candidates []string, secrets []Secret, sign func(Secret) string) (int, error) {
	tried := false
	for i, secret := range secrets {
		if secret.IsZero() {
			continue
		}
		tried = true
		want := []byte(sign(secret))
		for _, candidate := range candidates {
			if subtle.ConstantTimeCompare([]byte(candidate), want) == 1 {
				return i, nil
			}
		}
	}
	if !tried {
		return 0, ErrNoSecret
	}
	return 0, ErrMismatch
}

// knownEntries picks the v1 entries out of the lists, which are separated by spaces.
func knownEntries(lists []string) []string {
	var known []string
	for _, list := range lists {
		for entry := range strings.FieldsSeq(list) {
			if strings.HasPrefix(entry, versionPrefix) {
				known = append(known, entry)
			}
		}
	}
	return known
}

// single is the value of a header that must be there exactly once: of a repeated one
// nobody knows which value the next reader takes.
func single(headers http.Header, name string) (string, error) {
	values := headers.Values(name)
	if len(values) == 0 || values[0] == "" {
		return "", fmt.Errorf("%w: %s is missing", ErrBadHeader, name)
	}
	if len(values) > 1 {
		return "", fmt.Errorf("%w: %s is there %d times", ErrBadHeader, name, len(values))
	}
	return values[0], nil
}

// timestamp reads webhook-timestamp: digits only and without leading zeros, so that
// writing the number again gives the text that was signed.
func timestamp(headers http.Header) (time.Time, error) {
	text, err := single(headers, TimestampHeader)
	if err != nil {
		return time.Time{}, err
	}
	seconds, ok := unixSeconds(text)
	if !ok {
		return time.Time{}, fmt.Errorf("%w: %s is not whole unix seconds", ErrBadHeader, TimestampHeader)
	}
	return time.Unix(seconds, 0), nil
}

func unixSeconds(text string) (int64, bool) {
	if len(text) > maxTimestampDigits {
		return 0, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || strconv.FormatInt(seconds, 10) != text {
		return 0, false
	}
	return seconds, true
}

func checkAge(age, tolerance time.Duration) error {
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	if age > tolerance {
		return ErrTooOld
	}
	if age < -tolerance {
		return ErrTooNew
	}
	return nil
}

func lowerHex(s string) bool {
	if len(s) != simpleLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
