package webhooktest

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// NewEvent makes an event of the given type with a fresh id, created now. Data is its
// JSON, such as `{"domain":"example.com","score":85}`.
func NewEvent(eventType, data string) webhook.Event {
	now := time.Now()
	return webhook.Event{
		ID:        newID(now),
		Type:      eventType,
		CreatedAt: now.UTC().Truncate(time.Millisecond),
		Data:      json.RawMessage(data),
	}
}

// newID makes a UUID of version 7 (RFC 9562 section 5.7), as the server does: 48 bits
// of milliseconds, then random bits around the version and the variant.
func newID(now time.Time) string {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(now.UnixMilli()))
	copy(id[:6], millis[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
