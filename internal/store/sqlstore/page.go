package sqlstore

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// position is where a page ended: a creation time and what tells rows of the
// same time apart. Lists run from the newest down.
type position struct {
	at   int64
	text string // for rows with a text id
	id   int64  // for rows with a number
}

// top is before the first row of every list.
func top() position { return position{at: math.MaxInt64, id: math.MaxInt64} }

// below is where a list that begins behind p begins when it has only what is older than to. Of two bounds
// PostgreSQL may take the wider one, and walk from there to the other.
func (p position) below(to time.Time) position {
	if to.IsZero() || p.at < ms(to) {
		return p
	}
	return position{at: ms(to)} // numbers begin at 1
}

func (p position) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d.%s", p.at, p.id, p.text))
}

// parsePosition reads a cursor; "" is the top.
func parsePosition(text string) (position, error) {
	if text == "" {
		return top(), nil
	}
	bad := store.Conflictf("cursor %.40q is not one of ours; take next_cursor of the page before as it is, or leave it out", text)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return position{}, bad
	}
	parts := strings.SplitN(string(raw), ".", 3)
	if len(parts) != 3 {
		return position{}, bad
	}
	at, err1 := strconv.ParseInt(parts[0], 10, 64)
	id, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil || strings.ToValidUTF8(parts[2], "") != parts[2] || strings.ContainsRune(parts[2], 0) {
		return position{}, bad
	}
	return position{at: at, id: id, text: parts[2]}, nil
}

// cut takes the page off a list that was read with one row more, and gives the
// cursor of the next page.
func cut[T any](list []T, limit int, where func(T) position) ([]T, string) {
	if len(list) <= limit {
		return list, ""
	}
	list = list[:limit]
	return list, where(list[limit-1]).String()
}
