package send

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// FuzzRetryAfter: whatever a receiver writes, the pause is within its bounds, and it is what
// was written when that is a number.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"1", "-1", "+5", "86401", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Sun, 08 Mar 2026 12:35:56 GMT", " 7 ", "1.5", "0x10", "\x00", ""} {
		f.Add(seed)
	}
	arrived := time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Retry-After": {value}}
		got := retryAfter(http.StatusTooManyRequests, h, arrived)
		if got < 0 || got > delivery.MaxRetryAfter {
			t.Fatalf("Retry-After: %q is a pause of %s", value, got)
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n >= 0 && n < 86400 && got != time.Duration(n)*time.Second {
			t.Fatalf("Retry-After: %q is a pause of %s", value, got)
		}
		if other := retryAfter(http.StatusInternalServerError, h, arrived); other != 0 {
			t.Fatalf("Retry-After: %q of a 500 is a pause of %s", value, other)
		}
	})
}
