package vendortest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
)

// Slack is a local server with two methods of Slack's Web API and one incoming webhook.
//
//   - https://docs.slack.dev/reference/methods/chat.postMessage
//   - https://docs.slack.dev/reference/methods/conversations.history
//   - https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
type Slack struct {
	*Local
	Token       string // of the bot
	ChannelID   string
	ChannelName string
	HookPath    string // of the incoming webhook

	mu       sync.Mutex
	posts    []SlackPost
	page     int
	noScope  bool
	refusals []string // errors that the next calls of chat.postMessage answer with
}

// SlackPost is a message as Slack has it.
type SlackPost struct {
	EventID string // of its metadata; "" for one that came by the webhook
	TS      string
	SlackMessage
}

// SlackMessage is a message as it is sent. Fields that are not here, Slack does have,
// and the integration does not use.
type SlackMessage struct {
	Channel     string            `json:"channel"`
	Text        string            `json:"text"`
	Blocks      []SlackBlock      `json:"blocks"`
	Attachments []SlackAttachment `json:"attachments"`
	Metadata    *SlackMetadata    `json:"metadata"`
	UnfurlLinks *bool             `json:"unfurl_links"`
	UnfurlMedia *bool             `json:"unfurl_media"`
}

// SlackAttachment is https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
type SlackAttachment struct {
	Color  string       `json:"color"`
	Blocks []SlackBlock `json:"blocks"`
}

// SlackBlock is https://docs.slack.dev/reference/block-kit/blocks
type SlackBlock struct {
	Type     string      `json:"type"`
	Text     *SlackText  `json:"text"`
	Fields   []SlackText `json:"fields"`
	Elements []SlackText `json:"elements"`
}

// SlackText is https://docs.slack.dev/reference/block-kit/composition-objects/text-object
type SlackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji"`
	Verbatim *bool  `json:"verbatim"`
}

// SlackMetadata is https://docs.slack.dev/messaging/message-metadata
type SlackMetadata struct {
	EventType    string `json:"event_type"`
	EventPayload struct {
		ID string `json:"id"`
	} `json:"event_payload"`
}

// NewSlack starts a server that ends with the test.
func NewSlack(t testing.TB) *Slack {
	t.Helper()
	s := &Slack{
		Token: "xoxb-0000-test-token", ChannelID: "C0123456789", ChannelName: "#security",
		HookPath: "/services/T0000/B0000/hook-secret", page: 100,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat.postMessage", s.postMessage)
	mux.HandleFunc("GET /api/conversations.history", s.history)
	mux.HandleFunc("POST "+s.HookPath, s.hook)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(r, "there is no such method")
		http.Error(w, "no_service", http.StatusNotFound)
	})
	s.Local = newLocal(t, "Slack", mux)
	return s
}

// API is the address of the Web API, HookURL that of the incoming webhook.
func (s *Slack) API() string { return s.URL + "/api" }

// HookURL is the address of the incoming webhook, a secret.
func (s *Slack) HookURL() string { return s.URL + s.HookPath }

// Posts gives all messages, in the order in which they came.
func (s *Slack) Posts() []SlackPost {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

// Count tells how many messages carry the id of an event.
func (s *Slack) Count(eventID string) (n int) {
	for _, post := range s.Posts() {
		if post.EventID == eventID {
			n++
		}
	}
	return n
}

// Page bounds how many messages conversations.history gives at once.
func (s *Slack) Page(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = most
}

// NoHistory takes the scope for conversations.history away from the token.
func (s *Slack) NoHistory() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noScope = true
}

// Refuse lets the next calls of chat.postMessage be answered with 200 and an error.
func (s *Slack) Refuse(errors ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, errors...)
}

func (s *Slack) postMessage(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	var message SlackMessage
	if r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		s.wrong(w, r, "invalid_post_type", "the content type of the Web API is application/json; charset=utf-8")
		return
	}
	if err := exactly(r, &message); err != nil {
		s.wrong(w, r, "invalid_json", err.Error())
		return
	}
	if code, why := checkMessage(message, true); code != "" {
		s.wrong(w, r, code, why)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refusals) > 0 {
		code := s.refusals[0]
		s.refusals = s.refusals[1:]
		say(w, http.StatusOK, map[string]any{"ok": false, "error": code})
		return
	}
	if message.Channel != s.ChannelID && message.Channel != s.ChannelName {
		say(w, http.StatusOK, map[string]any{"ok": false, "error": "channel_not_found"})
		return
	}
	ts := s.keep(message.Metadata.EventPayload.ID, message)
	say(w, http.StatusOK, map[string]any{"ok": true, "channel": s.ChannelID, "ts": ts, "message": map[string]string{"text": message.Text}})
}

// keep remembers a message. mu is held.
func (s *Slack) keep(eventID string, message SlackMessage) string {
	ts := fmt.Sprintf("%d.%06d", time.Now().Unix(), len(s.posts)+1)
	s.posts = append(s.posts, SlackPost{EventID: eventID, TS: ts, SlackMessage: message})
	return ts
}

func (s *Slack) history(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"channel", "cursor", "include_all_metadata", "inclusive", "latest", "limit", "oldest"}, name) {
			s.wrong(w, r, "invalid_arg_name", name)
			return
		}
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > 999 {
		s.wrong(w, r, "invalid_limit", query.Get("limit"))
		return
	}
	oldest, err := strconv.ParseFloat(query.Get("oldest"), 64)
	if err != nil {
		s.wrong(w, r, "invalid_ts_oldest", query.Get("oldest"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.noScope:
		say(w, http.StatusOK, map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"})
		return
	case query.Get("channel") != s.ChannelID: // a name will not do here
		say(w, http.StatusOK, map[string]any{"ok": false, "error": "channel_not_found"})
		return
	}
	say(w, http.StatusOK, s.listed(oldest, min(limit, s.page), query.Get("cursor"), query.Get("include_all_metadata") == "true"))
}

// listed gives a page of messages, the newest first. mu is held.
func (s *Slack) listed(oldest float64, most int, cursor string, withMetadata bool) any {
	type listed struct {
		Type     string         `json:"type"`
		Text     string         `json:"text"`
		TS       string         `json:"ts"`
		Metadata map[string]any `json:"metadata,omitempty"`
	}
	skip, _ := strconv.Atoi(strings.TrimPrefix(cursor, "after:")) // no cursor skips none
	found, more := []listed{}, false
	for _, post := range slices.Backward(s.posts) {
		if ts, _ := strconv.ParseFloat(post.TS, 64); ts <= oldest {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if more = len(found) == most; more {
			break
		}
		one := listed{Type: "message", Text: post.Text, TS: post.TS}
		if post.Metadata != nil {
			one.Metadata = map[string]any{"event_type": post.Metadata.EventType}
			if withMetadata {
				one.Metadata["event_payload"] = post.Metadata.EventPayload
			}
		}
		found = append(found, one)
	}
	next := ""
	if more {
		before, _ := strconv.Atoi(strings.TrimPrefix(cursor, "after:"))
		next = fmt.Sprintf("after:%d", before+most)
	}
	return map[string]any{"ok": true, "messages": found, "has_more": more, "response_metadata": map[string]string{"next_cursor": next}}
}

func (s *Slack) hook(w http.ResponseWriter, r *http.Request) {
	var message SlackMessage
	err := exactly(r, &message)
	code, why := "", ""
	if err == nil {
		code, why = checkMessage(message, false)
	}
	if err != nil || code != "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.refuse(r, fmt.Sprint(err, code, why))
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep("", message)
	_, _ = io.WriteString(w, "ok")
}

// authorized checks https://docs.slack.dev/authentication/tokens: the token goes into
// the header alone.
func (s *Slack) authorized(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Query().Has("token") {
		s.wrong(w, r, "not_allowed_token_type", "a token in the address would be in logs")
		return false
	}
	if r.Header.Get("Authorization") != "Bearer "+s.Token {
		say(w, http.StatusOK, map[string]any{"ok": false, "error": "invalid_auth"})
		return false
	}
	return true
}

func (s *Slack) wrong(w http.ResponseWriter, r *http.Request, code, why string) {
	s.refuse(r, code+": "+why)
	say(w, http.StatusOK, map[string]any{"ok": false, "error": code, "response_metadata": map[string]any{"messages": []string{"[ERROR] " + why}}})
}

// checkMessage finds what Slack would not take, and what it would cut.
func checkMessage(m SlackMessage, api bool) (code, why string) {
	switch {
	case api && m.Channel == "":
		return "channel_not_found", "no channel"
	case !api && (m.Channel != "" || m.Metadata != nil):
		return "invalid_payload", "a webhook has its own channel, and takes no metadata"
	case api && (m.Metadata == nil || m.Metadata.EventType == "" || m.Metadata.EventPayload.ID == ""):
		return "invalid_metadata_format", "no metadata with the id of an event"
	case m.Text == "":
		return "no_text", "without text there is nothing to notify of"
	case units(m.Text) > 4000:
		return "msg_too_long", "a text should have at most 4,000 characters"
	case len(m.Attachments) > 100:
		return "too_many_attachments", ""
	}
	blocks := slices.Clone(m.Blocks)
	for _, a := range m.Attachments {
		if !slices.Contains([]string{"", "good", "warning", "danger"}, a.Color) && (len(a.Color) != 7 || a.Color[0] != '#') {
			return "invalid_attachments", "color " + a.Color
		}
		blocks = append(blocks, a.Blocks...)
	}
	if len(blocks) > 50 {
		return "invalid_blocks", "more than 50 blocks"
	}
	for _, b := range blocks {
		if why := checkBlock(b); why != "" {
			return "invalid_blocks", b.Type + ": " + why
		}
	}
	return "", ""
}

func checkBlock(b SlackBlock) string {
	switch b.Type {
	case "header":
		if b.Text == nil || b.Text.Type != "plain_text" || b.Fields != nil || b.Elements != nil {
			return "a header has one plain text"
		}
		return checkText(*b.Text, 150)
	case "section":
		if b.Text == nil && b.Fields == nil || b.Elements != nil || len(b.Fields) > 10 {
			return "a section has a text or up to 10 fields"
		}
		if b.Text != nil {
			return checkText(*b.Text, 3000)
		}
		return checkTexts(b.Fields, 2000)
	case "context":
		if b.Text != nil || b.Fields != nil || len(b.Elements) == 0 || len(b.Elements) > 10 {
			return "a context has 1 to 10 elements"
		}
		return checkTexts(b.Elements, 3000)
	}
	return "not a block that is used here"
}

func checkTexts(texts []SlackText, most int) string {
	for _, t := range texts {
		if why := checkText(t, most); why != "" {
			return why
		}
	}
	return ""
}

func checkText(t SlackText, most int) string {
	switch {
	case t.Type != "plain_text" && t.Type != "mrkdwn":
		return "type " + t.Type
	case t.Type == "plain_text" && t.Verbatim != nil || t.Type == "mrkdwn" && t.Emoji != nil:
		return "emoji is for plain_text, verbatim for mrkdwn"
	case t.Text == "" || units(t.Text) > most:
		return fmt.Sprintf("a text of 1 to %d characters", most)
	}
	return ""
}

// units is the length of a text as JavaScript counts it, which is the strictest.
func units(text string) int { return len(utf16.Encode([]rune(text))) }
