package send

import (
	"net/http"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	arrived := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		code  int
		value string
		want  time.Duration
	}{
		{"seconds", 429, "120", 2 * time.Minute},
		{"seconds with space around", 503, " 7 ", 7 * time.Second},
		{"zero", 429, "0", 0},
		{"negative", 429, "-5", 0},
		{"exactly the most", 429, "86400", delivery.MaxRetryAfter},
		{"more than the most", 429, "86401", delivery.MaxRetryAfter},
		{"more than a Duration holds", 429, "9223372036854775807", delivery.MaxRetryAfter},
		{"more than a number holds", 429, "99999999999999999999", 0},
		{"a fraction", 429, "1.5", 0},
		{"words", 429, "soon", 0},
		{"nothing", 429, "", 0},
		{"a date", 503, "Sun, 08 Mar 2026 12:01:30 GMT", 90 * time.Second},
		{"an old kind of date", 503, "Sunday, 08-Mar-26 12:01:30 GMT", 90 * time.Second},
		{"a past date", 503, "Sun, 08 Mar 2026 11:59:59 GMT", 0},
		{"a date next year", 503, "Mon, 08 Mar 2027 12:00:00 GMT", delivery.MaxRetryAfter},
		{"another status", 500, "120", 0},
		{"a success", 200, "120", 0},
	}
	for _, tt := range tests {
		h := http.Header{"Retry-After": {tt.value, "3600"}}
		if got := retryAfter(tt.code, h, arrived); got != tt.want {
			t.Errorf("%s: retryAfter(%d, %q) = %v, want %v", tt.name, tt.code, tt.value, got, tt.want)
		}
	}
}

func TestRetryAfterIsRecorded(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answerOnce("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"))
	if a, _ := attemptTo(t, setup{}, r.url()); a.RetryAfter != 2*time.Minute {
		t.Errorf("Retry-After: 120 was recorded as %v", a.RetryAfter)
	}
}
