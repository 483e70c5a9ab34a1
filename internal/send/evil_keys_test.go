package send

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// evilKeyRows are about TLS 1.3 receivers that change their keys, which crypto/tls's
// server cannot be made to do; so their records are made here.
func evilKeyRows() []evilRow {
	closing := framed("Connection: close\r\nContent-Length: 2\r\n", "ok")
	row := func(name string, want verdict, act func(*evilConn, *ownKeys)) evilRow {
		return evilRow{name: name, ways: newTLS, want: want,
			tls: func(c *tls.Config) { c.MinVersion, c.SessionTicketsDisabled = tls.VersionTLS13, true },
			act: func(c *evilConn) { act(c, c.keys()); c.Close() },
		}
	}
	return []evilRow{
		row("changes its keys before the answer", whole("ok"), func(_ *evilConn, k *ownKeys) { k.change(); k.say(closing) }),
		row("changes its keys within the answer", whole("ok"), func(_ *evilConn, k *ownKeys) {
			k.say(closing[:20])
			k.change()
			k.say(closing[20:])
		}),
		row("changes its keys without end", verdict{class: delivery.ProtocolError, or: cutShort}, func(c *evilConn, k *ownKeys) {
			for range 1000 {
				k.change()
			}
			c.hang()
		}),
		row("says nothing in many records", verdict{class: delivery.ProtocolError, or: cutShort}, func(c *evilConn, k *ownKeys) {
			for range 1000 {
				k.say("")
			}
			c.hang()
		}),
	}
}

// keys gives those with which the receiver would encrypt its next record, if it has said
// nothing yet.
func (c *evilConn) keys() *ownKeys {
	k := &ownKeys{conn: c}
	for line := range bytes.Lines(c.secrets.Bytes()) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "SERVER_TRAFFIC_SECRET_0" {
			k.secret, _ = hex.DecodeString(string(fields[2]))
		}
	}
	return k
}

// ownKeys encrypt the records of a receiver (RFC 8446, sections 5.2 and 7), with
// TLS_AES_128_GCM_SHA256.
type ownKeys struct {
	conn   *evilConn
	secret []byte
	number uint64
}

func (k *ownKeys) say(text string) { k.record([]byte(text), 23) }

// change tells the other side to use new keys from now on, and wants it to do the same.
func (k *ownKeys) change() {
	k.record([]byte{24, 0, 0, 1, 1}, 22)
	k.secret, k.number = k.expand("traffic upd", sha256.Size), 0
}

func (k *ownKeys) record(content []byte, kind byte) {
	block, err := aes.NewCipher(k.expand("key", 16))
	if err != nil {
		return // the row fails
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return
	}
	nonce := k.expand("iv", 12)
	last := binary.BigEndian.Uint64(nonce[4:]) ^ k.number
	binary.BigEndian.PutUint64(nonce[4:], last)
	k.number++
	inner := append(content, kind)
	head := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+seal.Overhead()))
	k.conn.tcp.Write(seal.Seal(head, nonce, inner, head))
}

// expand is HKDF-Expand-Label with an empty context.
func (k *ownKeys) expand(label string, length int) []byte {
	label = "tls13 " + label
	info := append(binary.BigEndian.AppendUint16(nil, uint16(length)), byte(len(label)))
	info = append(append(info, label...), 0)
	key, err := hkdf.Expand(sha256.New, k.secret, string(info), length)
	if err != nil {
		return make([]byte, length)
	}
	return key
}
