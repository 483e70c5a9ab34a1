package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// vendorName is what Slack is called in errors.
const vendorName = "Slack"

const (
	// metadataType marks the messages of this package.
	metadataType = "compliancelayer_event"
	// earlier is how much older than the event a message may be by Slack's
	// clock.
	earlier = 10 * time.Minute
	// perPage is what Slack recommends (at most 200); it may give less.
	perPage = 200
	// maxPages bounds a look: in a channel with more messages than that since the
	// event came, nobody misses a second one.
	maxPages = 25
)

// reply is what every method of the Web API answers with, and status 200:
// https://docs.slack.dev/apis/web-api/#responses
type reply struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error"`
	Needed   string `json:"needed"`
	Channel  string `json:"channel"`
	Messages []struct {
		Metadata metadata `json:"metadata"`
	} `json:"messages"`
	ResponseMetadata struct {
		NextCursor string   `json:"next_cursor"`
		Messages   []string `json:"messages"`
	} `json:"response_metadata"`
}

// post is https://docs.slack.dev/reference/methods/chat.postMessage
func (s *Sink) post(ctx context.Context, m message) error {
	got, err := s.call(ctx, vendor.Request{URL: s.cfg.API + "/chat.postMessage", Body: m})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channel = got.Channel
	return nil
}

// posted looks for the message of an event in the channel:
// https://docs.slack.dev/reference/methods/conversations.history
func (s *Sink) posted(ctx context.Context, event receiver.Event[json.RawMessage]) (bool, error) {
	since := event.CreatedAt // the machine's clock may have been ahead when it came
	if !event.ReceivedAt.IsZero() && event.ReceivedAt.Before(since) {
		since = event.ReceivedAt
	}
	query := url.Values{
		"channel": {s.channelID()}, "include_all_metadata": {"true"}, "limit": {fmt.Sprint(perPage)},
		"oldest": {fmt.Sprintf("%d.000000", max(0, since.Add(-earlier).Unix()))},
	}
	for range maxPages {
		got, err := s.call(ctx, vendor.Request{Method: http.MethodGet, URL: s.cfg.API + "/conversations.history?" + query.Encode()})
		if told, ok := errors.AsType[*refusal](err); ok && told.settings {
			s.cannotLook(told)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, m := range got.Messages {
			if m.Metadata.EventType == metadataType && m.Metadata.EventPayload.ID == event.ID {
				return true, nil
			}
		}
		if got.ResponseMetadata.NextCursor == "" {
			return false, nil
		}
		query.Set("cursor", got.ResponseMetadata.NextCursor)
	}
	return false, nil
}

func (s *Sink) channelID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.channel, s.cfg.Channel)
}

// cannotLook logs once that messages may be posted twice.
func (s *Sink) cannotLook(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blind {
		return
	}
	s.blind = true
	s.log.Warn("slack cannot be asked whether a message was posted, so it may be posted twice: give the bot the scope channels:history or groups:history, and set the channel by its ID", slog.String("error", why.Error()))
}

// call makes one call of the Web API. Its arguments are in the address or JSON, the
// token is in the header: https://docs.slack.dev/apis/web-api/
func (s *Sink) call(ctx context.Context, r vendor.Request) (reply, error) {
	r.Header = http.Header{"Authorization": {"Bearer " + s.cfg.Token}}
	r.Said = func(body []byte) string {
		var got reply
		_ = json.Unmarshal(body, &got) // if it is not JSON, it is shown as it is
		return got.Error
	}
	answer, err := s.client.Send(ctx, r)
	var got reply
	broken := json.Unmarshal(answer.Body, &got)
	if err != nil && got.Error == "" {
		return got, err
	}
	switch {
	case err == nil && broken == nil && got.OK:
		return got, nil
	case err == nil && got.Error == "":
		err = &receiver.Failure{Err: fmt.Errorf("%s: answered 200 with something else than its own JSON", vendorName), Unavailable: true, Answered: true, Unsure: r.Method == ""}
		return got, err
	case answer.Status >= http.StatusMultipleChoices:
		return got, err // the status says more than the word
	}
	return got, s.refused(answer, got, r.Method == "")
}

// refusal is an error that Slack named.
type refusal struct {
	code, text string
	settings   bool
}

func (r *refusal) Error() string { return r.text }

// refused says what ok: false means for the event.
func (s *Sink) refused(answer vendor.Answer, got reply, writes bool) error {
	words := strings.Join(append([]string{got.Error}, got.ResponseMetadata.Messages...), " ")
	told := &refusal{code: got.Error, text: "Slack: refused: " + s.client.Clean(words)}
	f := &receiver.Failure{Err: told}
	hint, isSetting := settings[got.Error]
	switch {
	case limits[got.Error]:
		f.Unavailable, f.After = true, vendor.RetryAfter(answer.Header)
	case trouble[got.Error]:
		f.Unavailable, f.Answered, f.Unsure = true, true, writes
	case isSetting:
		f.Unavailable, told.settings = true, true
		told.text += ": " + hint
		if got.Needed != "" {
			told.text += " (needed: " + s.client.Clean(got.Needed) + ")"
		}
	default:
		f.Permanent = true
	}
	return f
}

// postToWebhook is
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
func (s *Sink) postToWebhook(ctx context.Context, m message) error {
	answer, err := s.client.Send(ctx, vendor.Request{URL: s.cfg.WebhookURL, Body: m})
	f, refused := errors.AsType[*receiver.Failure](err)
	if !refused || answer.Status == 0 || answer.Status >= http.StatusInternalServerError {
		return err
	}
	word := strings.TrimSpace(string(answer.Body))
	if hint, ok := settings[word]; ok && f.Permanent {
		return receiver.Unavailable(fmt.Errorf("%s: refused: %s: %s", vendorName, word, hint), 0)
	}
	return err
}

const (
	hintToken   = "set a valid token of a bot"
	hintChannel = "set a channel that is there, and invite the bot to it"
	hintHook    = "the incoming webhook is gone: make another and set its URL"
	hintAdmin   = "an administrator of the workspace must allow it"
)

// settings are errors that are no event's fault, with what to do. The events wait.
// They are documented with each method.
var settings = map[string]string{
	"not_authed": hintToken, "invalid_auth": hintToken, "account_inactive": hintToken, "token_revoked": hintToken, "token_expired": hintToken,
	"not_allowed_token_type": hintToken, "no_permission": hintToken, "missing_scope": "give the bot the scope",
	"not_in_channel": hintChannel, "channel_not_found": hintChannel, "is_archived": hintChannel, "channel_is_archived": hintChannel, "messages_tab_disabled": hintChannel,
	"restricted_action": hintAdmin, "restricted_action_read_only_channel": hintAdmin, "restricted_action_thread_only_channel": hintAdmin,
	"restricted_action_non_threadable_channel": hintAdmin, "team_access_not_granted": hintAdmin, "access_denied": hintAdmin, "accesslimited": hintAdmin,
	"ekm_access_denied": hintAdmin, "enterprise_is_restricted": hintAdmin, "org_login_required": hintAdmin, "two_factor_setup_required": hintAdmin,
	"action_prohibited": hintAdmin, "posting_to_general_channel_denied": hintAdmin, "team_disabled": hintAdmin, "message_limit_exceeded": hintAdmin,
	"no_service": hintHook, "no_service_id": hintHook, "no_active_hooks": hintHook, "no_team": hintHook, "invalid_token": hintHook,
}

// limits are errors that ask for a pause.
var limits = map[string]bool{"ratelimited": true, "rate_limited": true}

// trouble is Slack's own: some of what was asked for may have been done.
var trouble = map[string]bool{
	"internal_error": true, "fatal_error": true, "service_unavailable": true, "request_timeout": true, "team_added_to_org": true,
}
