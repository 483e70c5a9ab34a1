package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a password's hash: what OWASP's cheat sheet asks of argon2id at the least. It takes
// about 50 ms and 19 MiB.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	saltBytes   = 16
	hashBytes   = 32
)

// Limits of a password, in characters.
const (
	MinPassword = 12
	MaxPassword = 128 // what is longer is not even hashed
)

// What is wrong with a password that is to be set.
var (
	ErrShortPassword  = fmt.Errorf("use %d characters or more; a few words in a row are easy to remember", MinPassword)
	ErrLongPassword   = fmt.Errorf("use %d characters at the most", MaxPassword)
	ErrSamePassword   = errors.New("this is your present password: use another one")
	ErrCommonPassword = errors.New("this is among the first that somebody would try: use another one")
)

// common are pieces that passwords of many people consist of.
var common = []string{
	"password", "passwort", "qwerty", "qwertz", "azerty", "letmein", "welcome", "iloveyou", "admin", "administrator", "secret", "changeme", "default",
	"compliancelayer", "webhook", "abc", "asdf", "zxcv", "monkey", "dragon", "football", "baseball", "sunshine", "princess", "master", "login", "test",
}

// CheckPassword says what is wrong with a password that is to be set for an address.
func CheckPassword(password, email string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return ErrShortPassword
	case n > MaxPassword || len(password) > 4*MaxPassword:
		return ErrLongPassword
	}
	rest := strings.ToLower(password)
	name, host, _ := strings.Cut(strings.ToLower(email), "@")
	for _, piece := range append([]string{strings.ToLower(email), name, host}, common...) {
		if len(piece) > 2 {
			rest = strings.ReplaceAll(rest, piece, "")
		}
	}
	if distinct(rest) < 5 {
		return ErrCommonPassword
	}
	return nil
}

// distinct counts different letters; digits and signs at an end of a common word do not make it rare.
func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	for i, run := 1, 1; i < len(s); i++ { // 123456789012 and abcdefghijkl are no better than one letter
		if s[i] == s[i-1]+1 || s[i] == '0' && s[i-1] == '9' {
			if run++; run == len(s) {
				return 1
			}
		} else {
			run = 1
		}
	}
	return len(seen)
}

// ErrBusy means that more passwords are being checked than this node takes on at once.
var ErrBusy = errors.New("too many people sign in at this moment: try again in a few seconds")

// hasher bounds how many passwords are hashed at once and wait for that, so that a flood of them takes neither all
// processors nor the memory.
type hasher struct{ running, waiting chan struct{} }

const (
	hashesAtOnce  = 2
	hashesWaiting = 8
)

func newHasher() *hasher {
	return &hasher{running: make(chan struct{}, hashesAtOnce), waiting: make(chan struct{}, hashesAtOnce+hashesWaiting)}
}

// do runs f when there is room, ErrBusy when too many wait already.
func (h *hasher) do(ctx context.Context, f func()) error {
	select {
	case h.waiting <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-h.waiting }()
	select {
	case h.running <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.running }()
	f()
	return nil
}

// hashPassword gives the PHC string of a password.
func hashPassword(password string) string {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails: crypto/rand ends the program instead
	hash := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, hashBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes, b64.EncodeToString(salt), b64.EncodeToString(hash))
}

// matches reports whether a PHC string is of a password. A text that is none matches nothing,
// and takes as long.
func matches(phc, password string) bool {
	p, ok := parsePHC(phc)
	if !ok {
		p = parameters{memory: argonMemory, time: argonTime, lanes: argonLanes, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}
	}
	got := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.lanes, uint32(len(p.hash))) //nolint:gosec // checked by parsePHC
	return subtle.ConstantTimeCompare(got, p.hash) == 1 && ok
}

type parameters struct {
	memory, time uint32
	lanes        uint8
	salt, hash   []byte
}

// parsePHC reads a PHC string. The cost is bounded, because it is spent before anything is known.
func parsePHC(phc string) (p parameters, ok bool) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil {
		return p, false
	}
	var errSalt, errHash error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	p.hash, errHash = base64.RawStdEncoding.DecodeString(parts[5])
	sane := p.memory >= 8 && p.memory <= 256<<10 && p.time >= 1 && p.time <= 16 && p.lanes >= 1 && p.lanes <= 16 && len(p.hash) >= 16 && len(p.hash) <= 64
	return p, errSalt == nil && errHash == nil && sane
}
