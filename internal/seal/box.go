package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// What [Box.Open] and [Box.Verify] fail with; compare with errors.Is.
var (
	// ErrWrongKey means that the value belongs to another key.
	ErrWrongKey = errors.New("sealed with another key: start with the key that the database was made with")
	// ErrTampered means that the value was changed or cut off, or was sealed for
	// another purpose, account or row.
	ErrTampered = errors.New("sealed value was changed or belongs to another row")
)

// A sealed value is
//
//	version (1) | key id (4) | nonce (12) | ciphertext | tag (16)
//
// The key id tells a wrong key from a changed value, and a later release which of two
// keys it was.
const (
	version    = 1
	keyIDSize  = 4
	headerSize = 1 + keyIDSize
	checkSize  = sha256.Size
)

// What a derived key is for (the info of HKDF, RFC 5869). The name of a purpose
// follows infoPurpose, so that no purpose can ask for one of the others.
const (
	infoKeyID   = "compliancelayer seal 1: key id"
	infoCheck   = "compliancelayer seal 1: check"
	infoPurpose = "compliancelayer seal 1: purpose "
)

// Box seals and opens values under one key. It may be used by many goroutines.
type Box struct {
	derive func(info string, size int) []byte // holds the key where fmt cannot print it
	header []byte                             // version and key id
}

// NewBox makes a Box. The zero Key is [ErrBadKey].
func NewBox(key Key) (*Box, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("%w: it is empty", ErrBadKey)
	}
	prk, err := hkdf.Extract(sha256.New, key.bytes(), nil)
	if err != nil {
		return nil, fmt.Errorf("derive keys: %w", err)
	}
	b := &Box{derive: func(info string, size int) []byte {
		derived, err := hkdf.Expand(sha256.New, prk, info, size)
		if err != nil {
			// Only for a size over 255 hashes, and the sizes are constants.
			panic("seal: derive key: " + err.Error())
		}
		return derived
	}}
	b.header = append([]byte{version}, b.derive(infoKeyID, keyIDSize)...)
	return b, nil
}

// Seal encrypts plaintext with AES-256-GCM under the key of the purpose, such as
// "endpoint secret". Only [Box.Open] with the same purpose, account and row opens it,
// so that a sealed value cannot be moved to another row. Sealing the same twice gives
// different bytes. The result is 33 bytes longer than the plaintext. One key must not
// seal more than 2^32 values per purpose (NIST SP 800-38D section 8.3).
func (b *Box) Seal(purpose, accountID, rowID string, plaintext []byte) []byte {
	sealed := bytes.Clone(b.header)
	return b.aead(purpose).Seal(sealed, nil, plaintext, b.bound(purpose, accountID, rowID))
}

// Open decrypts what Seal made for the same purpose, account and row. The errors are
// [ErrWrongKey] and [ErrTampered].
func (b *Box) Open(purpose, accountID, rowID string, sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize || sealed[0] != version {
		return nil, fmt.Errorf("open sealed value: %w", ErrTampered)
	}
	if !bytes.Equal(sealed[:headerSize], b.header) {
		return nil, fmt.Errorf("open sealed value: %w", ErrWrongKey)
	}
	plaintext, err := b.aead(purpose).Open(nil, nil, sealed[headerSize:], b.bound(purpose, accountID, rowID))
	if err != nil {
		return nil, fmt.Errorf("open sealed value: %w", ErrTampered)
	}
	return plaintext, nil
}

// Check is a value to store in the database when it is made. It is always the same for
// the same key and says nothing about it.
func (b *Box) Check() []byte {
	return append(bytes.Clone(b.header), b.derive(infoCheck, checkSize)...)
}

// Verify compares a stored Check with this key: nil, or [ErrWrongKey] when the check
// is of another key, or [ErrTampered] when it is no check at all.
func (b *Box) Verify(check []byte) error {
	want := b.Check()
	if len(check) != len(want) || check[0] != version {
		return fmt.Errorf("verify key: %w", ErrTampered)
	}
	if subtle.ConstantTimeCompare(check, want) != 1 {
		return fmt.Errorf("verify key: %w", ErrWrongKey)
	}
	return nil
}

// aead is the cipher with the key of a purpose. It is derived every time: that takes a
// few microseconds, and secrets are opened once and then kept as signers.
func (b *Box) aead(purpose string) cipher.AEAD {
	block, err := aes.NewCipher(b.derive(infoPurpose+purpose, keySize))
	if err != nil {
		panic("seal: " + err.Error()) // only for a wrong size, and it is a constant
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error()) // only for a cipher other than AES
	}
	return aead
}

// bound is the additional data that a value is bound to. Every part has its length
// before it, so that no two different lists of parts give the same bytes.
func (b *Box) bound(purpose, accountID, rowID string) []byte {
	data := bytes.Clone(b.header)
	for _, part := range []string{purpose, accountID, rowID} {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}
