package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"sync"
	"time"
)

// versionPrefix begins an entry of webhook-signature that is an HMAC-SHA256
// (Standard Webhooks 1.0.0).
const versionPrefix = "v1,"

// simpleLength is the length of a simple signature: SHA-256 in hexadecimal.
const simpleLength = 2 * sha256.Size

// Sign makes the simple signature of a body: HMAC-SHA256 with the bytes of the whole
// secret text as the key, as 64 lower-case hexadecimal characters. A zero Secret gives
// "", which no receiver accepts. Use a [Signer] to sign often.
func Sign(secret Secret, body []byte) string {
	signer, err := NewSigner(secret)
	if err != nil {
		return ""
	}
	return signer.Sign(body)
}

// SignStandard makes one entry of webhook-signature: "v1," and the base64 of the
// HMAC-SHA256 of "id.timestamp.body", where the timestamp is at in whole unix seconds
// and the key is the decoded secret. The id must have no full stop. A zero Secret
// gives "", which no receiver accepts. Use a [Signer] to sign often.
func SignStandard(secret Secret, id string, at time.Time, body []byte) string {
	signer, err := NewSigner(secret)
	if err != nil {
		return ""
	}
	return signer.SignStandard(id, at, body)
}

// Signer signs with one secret again and again without preparing its keys each time.
// It may be used by many goroutines at once.
type Signer struct {
	simple   *macPool
	standard *macPool
}

// NewSigner prepares a secret for signing. The zero Secret is [ErrBadSecret].
func NewSigner(secret Secret) (*Signer, error) {
	if secret.IsZero() {
		return nil, fmt.Errorf("%w: it is empty", ErrBadSecret)
	}
	return &Signer{
		simple:   newMACPool([]byte(secret.content().text)),
		standard: newMACPool(secret.content().key),
	}, nil
}

// Sign is [Sign] with the Signer's secret.
func (s *Signer) Sign(body []byte) string {
	var buf [simpleLength]byte
	return string(s.AppendSign(buf[:0], body))
}

// AppendSign appends the simple signature of body to dst.
func (s *Signer) AppendSign(dst, body []byte) []byte {
	m := s.simple.get()
	defer s.simple.put(m)
	m.mac.Write(body)
	return hex.AppendEncode(dst, m.mac.Sum(m.sum[:0]))
}

// SignStandard is [SignStandard] with the Signer's secret.
func (s *Signer) SignStandard(id string, at time.Time, body []byte) string {
	var buf [64]byte // more than len("v1,") and the 44 characters of base64
	return string(s.AppendStandard(buf[:0], id, at, body))
}

// AppendStandard appends one entry of webhook-signature to dst.
func (s *Signer) AppendStandard(dst []byte, id string, at time.Time, body []byte) []byte {
	m := s.standard.get()
	defer s.standard.put(m)
	m.prefix = append(m.prefix[:0], id...)
	m.prefix = append(m.prefix, '.')
	m.prefix = strconv.AppendInt(m.prefix, at.Unix(), 10)
	m.prefix = append(m.prefix, '.')
	m.mac.Write(m.prefix)
	m.mac.Write(body)
	dst = append(dst, versionPrefix...)
	return base64.StdEncoding.AppendEncode(dst, m.mac.Sum(m.sum[:0]))
}

// macPool lends out HMAC states for one key. Go's HMAC keeps the hashed key across
// Reset, which saves two of the blocks of every signature and all allocations. The key
// lives only in the function that makes a new state, where fmt cannot print it.
type macPool struct {
	free sync.Pool
}

// macState is an HMAC and the memory that its use needs.
type macState struct {
	mac    hash.Hash
	prefix []byte
	sum    [sha256.Size]byte
}

func newMACPool(key []byte) *macPool {
	return &macPool{free: sync.Pool{New: func() any {
		return &macState{mac: hmac.New(sha256.New, key)}
	}}}
}

func (p *macPool) get() *macState { return p.free.Get().(*macState) }

func (p *macPool) put(m *macState) {
	m.mac.Reset()
	p.free.Put(m)
}
