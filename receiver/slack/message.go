package slack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// Limits of Slack, in characters, and in parts:
// https://docs.slack.dev/reference/block-kit/blocks and
// https://docs.slack.dev/reference/methods/chat.postMessage#truncating
const (
	maxText    = 4000
	maxHeader  = 150
	maxSection = 3000
	maxField   = 2000
	maxFields  = 10
)

// message is a message as both ways take it; a webhook without channel and metadata.
type message struct {
	Channel     string       `json:"channel,omitempty"`
	Text        string       `json:"text"`
	Blocks      []block      `json:"blocks"`
	Attachments []attachment `json:"attachments,omitempty"`
	Metadata    *metadata    `json:"metadata,omitempty"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

type attachment struct {
	Color  string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Emoji turns :words: into pictures, Verbatim keeps Slack from making links and
	// mentions of what looks like one.
	Emoji    *bool `json:"emoji,omitempty"`
	Verbatim bool  `json:"verbatim,omitempty"`
}

type metadata struct {
	EventType    string  `json:"event_type"`
	EventPayload payload `json:"event_payload"`
}

type payload struct {
	ID string `json:"id"`
}

// escape is https://docs.slack.dev/messaging/formatting-message-text#escaping
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// texts are the templates of a sink; nil is what suits the event's type.
type texts struct {
	text, header, body *vendor.Template
	fields             []fieldText
}

type fieldText struct {
	title string
	value *vendor.Template
}

func parse(cfg Config) (t texts, err error) {
	one := func(field, source string, escape func(string) string) *vendor.Template {
		if source == "" || err != nil {
			return nil
		}
		var parsed *vendor.Template
		parsed, err = vendor.Parse(field, source, escape)
		return parsed
	}
	t.text = one("text", cfg.Text, escape)
	t.header = one("header", cfg.Header, nil) // plain text has no markup
	t.body = one("message", cfg.Message, escape)
	for i, field := range cfg.Fields {
		t.fields = append(t.fields, fieldText{field.Title, one(fmt.Sprintf("fields[%d].value", i), cmp.Or(field.Value, "-"), escape)})
	}
	if cfg.Fields != nil && t.fields == nil {
		t.fields = []fieldText{}
	}
	return t, err
}

// message writes an event.
func (t texts) message(d vendor.Data) (message, error) {
	look := lookOf(d)
	header, err := orElse(t.header, d, look.header())
	if err != nil {
		return message{}, err
	}
	note, err := orElse(t.text, d, look.note())
	if err != nil {
		return message{}, err
	}
	words, err := orElse(t.body, d, escape(look.message))
	if err != nil {
		return message{}, err
	}
	facts, err := t.facts(d, look)
	if err != nil {
		return message{}, err
	}
	noEmoji := false
	header = marked(t.header, d, strings.Join(strings.Fields(header), " "))
	header, note = cmp.Or(header, look.header()), marked(t.text, d, strings.TrimSpace(note))
	m := message{
		Text:   fitMarkup(cmp.Or(note, escape(header)), maxText),
		Blocks: []block{{Type: "header", Text: &text{Type: "plain_text", Text: vendor.Fit(header, maxHeader), Emoji: &noEmoji}}},
	}
	var below []block
	if len(facts) > 0 {
		below = append(below, block{Type: "section", Fields: facts})
	}
	if words = strings.TrimSpace(words); words != "" {
		below = append(below, block{Type: "section", Text: markup(words, maxSection)})
	}
	foot := markup(fmt.Sprintf("%s · %s", escape(d.Type), escape(d.ID)), maxSection)
	below = append(below, block{Type: "context", Elements: []text{*foot}})
	m.Attachments = []attachment{{Color: look.color, Blocks: below}}
	return m, nil
}

func orElse(t *vendor.Template, d vendor.Data, otherwise string) (string, error) {
	if t == nil {
		return otherwise, nil
	}
	return t.Text(d)
}

// marked says that an event is a test where a template might not.
func marked(t *vendor.Template, d vendor.Data, words string) string {
	if t == nil || !d.Test {
		return words
	}
	return testMark + words
}

// facts are the fields of a message.
func (t texts) facts(d vendor.Data, look look) (facts []text, err error) {
	add := func(title, value string) {
		if value != "" && len(facts) < maxFields {
			facts = append(facts, *markup(fmt.Sprintf("*%s:*\n%s", title, value), maxField))
		}
	}
	if t.fields == nil {
		for _, fact := range look.facts {
			add(escape(fact.name), escape(fact.value))
		}
		return facts, nil
	}
	for _, field := range t.fields {
		value, err := field.value.Text(d)
		if err != nil {
			return nil, err
		}
		add(escape(field.title), value)
	}
	return facts, nil
}

func markup(words string, most int) *text {
	return &text{Type: "mrkdwn", Text: fitMarkup(words, most), Verbatim: true}
}

// fitMarkup cuts a text that is escaped, and leaves no half of an &amp; at its end.
func fitMarkup(words string, most int) string {
	cut := vendor.Fit(words, most)
	if cut == words {
		return words
	}
	if at := strings.LastIndexByte(cut, '&'); at >= 0 && !strings.Contains(cut[at:], ";") {
		cut = cut[:at] + "…"
	}
	return cut
}

// scalars are the plain values of an event's data, by name.
func scalars(d vendor.Data) (facts []fact) {
	for _, name := range slices.Sorted(maps.Keys(d.Data)) {
		if value := d.Text(name); value != "" {
			facts = append(facts, fact{vendor.Truncate(strings.ReplaceAll(name, "_", " "), 100), value})
		}
	}
	return facts
}
