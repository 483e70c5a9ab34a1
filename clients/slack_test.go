package clients

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	slackToken   = "xoxb-1-example"
	slackChannel = "#security-alerts"
)

// slack stands for Slack's chat.postMessage: it takes what the documentation of that
// method asks for, and first is away in each way that it has, more often than a handler
// gets attempts.
type slack struct {
	*httptest.Server
	posted chan string
}

func newSlack(t *testing.T) *slack {
	t.Helper()
	s := &slack{posted: make(chan string, 1000)}
	away := make(chan int, 3)
	away <- http.StatusServiceUnavailable
	away <- http.StatusTooManyRequests
	away <- http.StatusOK
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var message struct{ Channel, Text string }
		err := json.NewDecoder(req.Body).Decode(&message)
		switch {
		case req.URL.Path != "/chat.postMessage" || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json; charset=utf-8":
			t.Errorf("Slack was sent %s %s, %s", req.Method, req.URL, req.Header.Get("Content-Type"))
		case err != nil || message.Channel != slackChannel || message.Text == "" || strings.Contains(message.Text, "<"):
			t.Errorf("Slack was sent %+v, %v", message, err)
		case req.Header.Get("Authorization") != "Bearer "+slackToken:
			_, _ = io.WriteString(w, `{"ok":false,"error":"invalid_auth"}`)
			return
		}
		select {
		case status := <-away:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"ok":false,"error":"ratelimited"}`)
		default:
			s.posted <- message.Text
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// want waits until a message was posted.
func (s *slack) want(t *testing.T, pattern string) {
	t.Helper()
	for limit := time.After(time.Minute); ; {
		select {
		case text := <-s.posted:
			if regexp.MustCompile(pattern).MatchString(text) {
				return
			}
		case <-limit:
			t.Errorf("within a minute Slack was not sent %s", pattern)
			return
		}
	}
}
