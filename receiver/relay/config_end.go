package relay

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// mostSettle is long enough for any search, and shorter than anybody waits.
const mostSettle = 10 * time.Minute

// defaultScoreBelow is that of the sender's public documentation.
const defaultScoreBelow = 70

// endOf reads an end of one kind.
func (r *reader) endOf(kind string, o *object, route *Route) {
	switch kind {
	case "slack":
		route.Slack = r.slack(o)
	case "pagerduty":
		route.PagerDuty = r.pagerDuty(o)
	case "jira":
		route.Jira = r.jira(o)
	case "datadog":
		route.Datadog = r.datadog(o)
	case "webhook":
		route.Webhook = r.webhook(o)
	case "file":
		route.File = &File{r.filePath(o)}
	case "command":
		route.Command = r.command(o)
	}
	o.end()
}

// channelID is the form of the ID of a channel; names have no capitals.
var channelID = regexp.MustCompile(`^[CDG][A-Z0-9]+$`)

func (r *reader) slack(o *object) *Slack {
	s := &Slack{
		Token: o.secret("token", nil), WebhookURL: o.secret("webhook_url", r.badURL), Channel: o.text("channel", ""),
		Text: o.template("text"), Header: o.template("header"), Message: o.template("message"),
		BaseURL: o.address("base_url"),
	}
	if v := o.take("fields"); v != nil {
		s.Fields = r.slackFields(v)
	}
	token, address, channel := o.take("token"), o.take("webhook_url"), o.take("channel")
	switch {
	case token != nil && address != nil:
		r.wrong(address, "there is a token, too; write token and channel, or webhook_url alone")
	case token == nil && address == nil:
		o.need("token", "a bot's token and a channel, or webhook_url")
	case token != nil && channel == nil:
		o.need("channel", "the ID of a channel, such as C0123456789, or its name")
	case address != nil && channel != nil:
		r.wrong(channel, "the webhook has its own channel; leave the key out")
	case s.Channel != "" && !channelID.MatchString(s.Channel):
		r.warn(channel.node.Line, channel.path, "%s is a name; Slack can be asked for what is in a channel by its ID alone, such as C0123456789, so what is in hand when the relay is killed is posted again", quoted(s.Channel))
	}
	return s
}

func (r *reader) slackFields(v *value) (fields []SlackField) {
	for _, item := range r.list(v) {
		o := r.object(item)
		field := SlackField{Title: o.text("title", "")}
		o.need("title", "what the fact is called")
		if text := o.need("value", "a template of the fact"); text != nil {
			field.Value = r.template(text)
		}
		o.end()
		fields = append(fields, field)
	}
	return fields
}

func (r *reader) pagerDuty(o *object) *PagerDuty {
	p := &PagerDuty{
		RoutingKey: o.needSecret("routing_key", "the integration key of the service, of Events API v2", badRoutingKey),
		Severities: o.texts("severities", r.severity),
		Summary:    o.template("summary"), Source: o.template("source"), Component: o.template("component"),
		Group: o.template("group"), Class: o.template("class"),
		Details:       o.templates("details"),
		ClientURL:     o.address("client_url"),
		ResolveOnScan: o.yes("resolve_on_scan", false),
		BaseURL:       o.address("base_url"),
	}
	if v := o.take("links"); v != nil {
		p.Links = r.links(v)
	}
	if p.Severities == nil {
		p.Severities = []string{"critical"}
	}
	return p
}

func badRoutingKey(text string) string {
	if len(text) != 32 {
		return "the integration key of Events API v2 has 32 characters"
	}
	return ""
}

func (r *reader) links(v *value) (links []PagerDutyLink) {
	for _, item := range r.list(v) {
		o := r.object(item)
		link := PagerDutyLink{Text: o.template("text")}
		if href := o.need("href", "a template of where the link leads"); href != nil {
			link.Href = r.template(href)
		}
		o.end()
		links = append(links, link)
	}
	return links
}

// projectKey is the form of the key of a project of Jira.
var projectKey = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,254}$`)

func (r *reader) jira(o *object) *Jira {
	o.need("url", "the address of the site, such as https://YOUR-SITE.atlassian.net")
	j := &Jira{
		URL:        o.address("url"),
		Email:      o.text("email", ""),
		Token:      o.needSecret("token", "an API token of the account", nil),
		IssueType:  o.text("issue_type", "Bug"),
		Priority:   o.text("priority", "High"),
		Labels:     o.texts("labels", r.label),
		Severities: o.texts("severities", r.severity),
		ScoreBelow: o.number("score_below", defaultScoreBelow, 0, 100),
		Summary:    o.template("summary"), Description: o.template("description"), Comment: o.template("comment"),
		Fields: o.templates("fields"), JSONFields: o.templates("json_fields"),
		Settle: o.span("settle", 0, time.Millisecond, mostSettle),
	}
	if j.ScoreBelow == 0 { // nothing is below it
		j.ScoreBelow = -1
	}
	if v := o.need("project", "the key of the project, such as SEC"); v != nil {
		if j.Project = r.line(v); j.Project != "" && !projectKey.MatchString(j.Project) {
			r.wrong(v, "%s is not the key of a project, such as SEC", quoted(j.Project))
		}
	}
	return j
}

func (r *reader) label(v *value) string {
	text := r.line(v)
	if strings.Contains(text, " ") {
		r.wrong(v, "%s has a space, which no label has", quoted(text))
		return ""
	}
	return text
}

func (r *reader) datadog(o *object) *Datadog {
	return &Datadog{
		APIKey: o.needSecret("api_key", "an API key of the account", nil),
		AppKey: o.secret("app_key", nil),
		Site:   o.text("site", "datadoghq.com"),
		Tags:   o.texts("tags", r.line),
		Title:  o.template("title"), Text: o.template("text"),
		Settle:  o.span("settle", 0, time.Millisecond, mostSettle),
		BaseURL: o.address("base_url"),
	}
}

func (r *reader) webhook(o *object) *Webhook {
	w := &Webhook{}
	if v := o.need("url", "the address to send to"); v != nil {
		w.URL = r.webhookURL(v)
	}
	if v := o.take("secret"); v != nil {
		if text, from := r.secretText(v); from != "" {
			secret, err := webhook.ParseSecret(text)
			if err != nil {
				r.wrong(v, "what is in %s cannot be used: %s", from, plainError(err))
			}
			w.Secret = secret
		}
	}
	if v := o.take("headers"); v != nil {
		w.Headers = r.headers(r.object(v))
	}
	return w
}

// webhookURL is an address, or a secret that is one.
func (r *reader) webhookURL(v *value) Secret {
	if v.node.Kind == yaml.MappingNode {
		return r.secretOf(v, r.badURL)
	}
	text := r.line(v)
	if text == "" {
		return Secret{}
	}
	if what := r.badURL(text); what != "" {
		r.wrong(v, "%s", what)
		return Secret{}
	}
	return NewSecret(text)
}

// headers that go with each request.
func (r *reader) headers(o *object) map[string]Secret {
	headers, lines := map[string]Secret{}, map[string]int{}
	for _, key := range o.keys {
		v := o.take(key.Value)
		name := strings.ToLower(key.Value)
		switch {
		case !httpguts.ValidHeaderFieldName(key.Value):
			r.add(key.Line, v.path, "it is not the name of a header")
		case ownHeader(name):
			r.add(key.Line, v.path, "the relay sets this header itself")
		case lines[name] > 0:
			r.add(key.Line, v.path, "the header is there twice; first in line %d", lines[name])
		default:
			lines[name] = key.Line
			headers[key.Value] = r.secretOf(v, func(text string) string {
				if !httpguts.ValidHeaderFieldValue(text) {
					return "it has a character that no header has"
				}
				return ""
			})
		}
	}
	return headers
}

// ownHeader reports whether a header, in small letters, belongs to the request itself or
// to what it says of the event.
func ownHeader(name string) bool {
	switch name {
	case "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect":
		return true
	}
	return strings.HasPrefix(name, "webhook-") || strings.HasPrefix(name, "x-compliancelayer-")
}

func (r *reader) filePath(o *object) string {
	if v := o.need("path", "where the lines are written to"); v != nil {
		if text := r.line(v); text != "" {
			return r.beside(text)
		}
	}
	return ""
}

func (r *reader) command(o *object) *Command {
	c := &Command{}
	if v := o.need("run", "the program and its arguments, such as [/usr/local/bin/told, --quiet]"); v != nil {
		for _, item := range r.list(v) {
			c.Run = append(c.Run, r.text(item)) // twice the same argument is fine
		}
		if len(c.Run) > 0 && strings.ContainsRune(c.Run[0], '/') { // else PATH finds it
			if c.Run[0] = r.beside(c.Run[0]); !strings.ContainsRune(c.Run[0], '/') {
				c.Run[0] = "./" + c.Run[0]
			}
		}
	}
	if v := o.take("env"); v != nil {
		for _, item := range r.list(v) {
			if text, from := r.fromEnv(item); from != "" {
				c.Env = append(c.Env, Variable{item.node.Value, NewSecret(text)})
			}
		}
	}
	return c
}
