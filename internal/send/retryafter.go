package send

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// retryAfter reads how long a 429 or 503 asks to wait, counted from the arrival
// of its headers: whole seconds or a date (RFC 9110 section 10.2.3). What is
// not one of these, negative, past or too large for a number is 0; more than
// [delivery.MaxRetryAfter] is cut to it.
func retryAfter(code int, h http.Header, arrived time.Time) time.Duration {
	if code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable {
		return 0
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		// Compared in seconds, because many more would not fit a Duration.
		most := int64(delivery.MaxRetryAfter / time.Second)
		return time.Duration(min(max(seconds, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(arrived), 0), delivery.MaxRetryAfter)
	}
	return 0
}
