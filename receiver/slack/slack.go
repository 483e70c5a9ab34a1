// Package slack posts events to a channel of Slack: with the token of a bot, by
// chat.postMessage, or with the secret URL of an incoming webhook. [Sink.Handle] is a
// handler for package receiver; it makes one try and leaves waiting and repeating to
// the inbox.
//
// # Not twice
//
// A message of a bot carries the id of its event as metadata. When a try may have
// posted and its end is not known ([receiver.Event.Unsure]), the next one first looks
// for that id in the channel, by conversations.history, and posts only what is not
// there. That needs a scope beside chat:write: channels:history, or groups:history for
// a private channel, and the channel's ID in [Config.Channel] rather than its name.
// Without them the message is posted again, and the log says so once. Nobody can ask an
// incoming webhook what it posted, so there it is at least once, too.
//
// A message that Slack takes so long over that it is not there yet when the next try
// looks, is posted again, too.
//
// # Templates
//
// Templates are those of text/template. They see .ID, .Type, .CreatedAt, .ReceivedAt,
// .Test, .Domain, .Score and .HasScore, .Grade, .Severity, .AlertType, .Title, .Message,
// .OldValue, .NewValue, and in .Data everything else by its name: {{.Data.high_issues}}.
// What an event does not have is empty. Beside the usual functions there are upper,
// lower, title, default, truncate, json and raw:
//
//	{{.Title | default .Type | truncate 80}} at {{.Data.score | default "?"}}
//
// What an event says is escaped: a domain or a title can neither mention a channel nor
// make a link. What a template says is not, so it may.
package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// DefaultAPI is where Slack's Web API is.
const DefaultAPI = "https://slack.com/api"

// Config is what a Sink is made of: Token and Channel, or WebhookURL.
type Config struct {
	// Token is that of a bot (xoxb-...) with the scope chat:write.
	Token string
	// Channel is the ID (C...) or the name of a channel that the bot is in.
	Channel string
	// WebhookURL is that of an incoming webhook. It is a secret.
	WebhookURL string

	// Text is a template of what notifications show; Header, of the headline, without
	// markup; Message, of the text below the fields. "" is what suits the event's type.
	Text, Header, Message string
	// Fields are the facts below the headline, at most ten; nil are those that suit
	// the event's type. One whose value comes out empty is left out.
	Fields []Field

	// API is where the Web API is; "" means DefaultAPI.
	API string
	// HTTP sends the requests. Nil sends to public addresses over https alone.
	HTTP *http.Client
	// Timeout is over one request. 0 means 10 s.
	Timeout time.Duration
	// Logger is for what somebody should look at; nil means slog.Default().
	Logger *slog.Logger
}

// Field is one fact of a message.
type Field struct {
	Title string
	Value string // a template
}

// String has no secrets.
func (c Config) String() string {
	if c.WebhookURL != "" {
		return "Slack by an incoming webhook"
	}
	return "Slack channel " + c.Channel
}

// GoString is String, so that no way of printing shows a secret.
func (c Config) GoString() string { return c.String() }

// Sink posts events. It is safe for concurrent use.
type Sink struct {
	cfg    Config
	client *vendor.Client
	texts  texts
	log    *slog.Logger

	mu      sync.Mutex
	channel string // the channel's ID, once Slack told it
	blind   bool   // that nobody can look was logged
}

// New makes a Sink. It asks Slack nothing. Errors name the field that is wrong.
func New(cfg Config) (*Sink, error) {
	switch {
	case cfg.WebhookURL != "" && (cfg.Token != "" || cfg.Channel != ""):
		return nil, errors.New("slack: webhook URL: set it, or token and channel, not both")
	case cfg.WebhookURL == "" && cfg.Token == "":
		return nil, errors.New("slack: token: it is missing; set a bot's token and a channel, or the URL of an incoming webhook")
	case cfg.WebhookURL == "" && cfg.Channel == "":
		return nil, errors.New("slack: channel: it is missing; set the ID of a channel (C...), which Slack shows in its details")
	case len(cfg.Fields) > maxFields:
		return nil, fmt.Errorf("slack: fields: there are %d, Slack takes %d", len(cfg.Fields), maxFields)
	}
	cfg.API = strings.TrimSuffix(cmp.Or(cfg.API, DefaultAPI), "/")
	if err := errors.Join(vendor.CheckURL("webhook URL", cfg.WebhookURL), vendor.CheckURL("API", cfg.API)); err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}
	texts, err := parse(cfg)
	if err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}
	client, err := vendor.New(vendor.Config{
		Name: vendorName, HTTP: cfg.HTTP, Timeout: cfg.Timeout, Secrets: []string{cfg.Token, cfg.WebhookURL, lastPart(cfg.WebhookURL)},
		Denied: "check the token and the channel, or the URL of the webhook",
	})
	if err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}
	s := &Sink{cfg: cfg, client: client, texts: texts, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s, nil
}

// lastPart of a webhook's URL is the secret of it.
func lastPart(url string) string { return url[strings.LastIndex(url, "/")+1:] }

// Handle posts an event of any type. An error is a [*receiver.Failure].
func (s *Sink) Handle(ctx context.Context, event receiver.Event[json.RawMessage]) error {
	m, err := s.texts.message(vendor.DataOf(event))
	if err != nil {
		return receiver.Permanent(fmt.Errorf("slack: %w", err))
	}
	if s.cfg.WebhookURL != "" {
		return s.postToWebhook(ctx, m)
	}
	if event.Unsure {
		there, err := s.posted(ctx, event)
		if there || err != nil {
			return err
		}
	}
	m.Channel = s.cfg.Channel
	m.Metadata = &metadata{EventType: metadataType, EventPayload: payload{event.ID}}
	return s.post(ctx, m)
}
