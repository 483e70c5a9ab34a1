package relay

import (
	"net"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// Bounds of times. What is outside of them is a slip of the pen and no wish.
const (
	mostKept    = 10 * 365 * day
	mostGrace   = time.Hour
	mostTimeout = 10 * time.Minute
	// mostBackoff is where the kit stops doubling anyway.
	mostBackoff  = time.Minute
	mostAttempts = 100
)

// config reads the file as a whole.
func (r *reader) config(o *object) *Config {
	r.dev = o.yes("dev", false) // first: addresses are judged by it
	c := &Config{
		Dev:           r.dev,
		Listen:        DefaultListen,
		Path:          DefaultPath,
		Secrets:       r.signing(o.need("secrets", "the signing secret of the endpoint, as {env: COMPLIANCELAYER_SECRET}")),
		KeepDone:      o.span("keep_done", receiver.DefaultKeepDone, time.Minute, mostKept),
		KeepFailed:    o.span("keep_failed", 0, time.Minute, mostKept),
		ShutdownGrace: o.span("shutdown_grace", receiver.DefaultGrace, time.Millisecond, mostGrace),
		LogFormat:     o.choice("log_format", "text", "text", "json"),
		Inbox:         Inbox{SQLite: r.beside(DefaultInbox)},
	}
	if v := o.take("listen"); v != nil {
		c.Listen = r.listen(v)
	}
	if v := o.take("path"); v != nil {
		c.Path = r.path(v)
	}
	if v := o.take("metrics_listen"); v != nil {
		c.MetricsListen = r.listen(v)
	}
	if v := o.take("inbox"); v != nil {
		c.Inbox = r.inbox(v)
	}
	level := o.choice("log_level", "info", "debug", "info", "warn", "error")
	_ = c.LogLevel.UnmarshalText([]byte(level)) // it is one of these, or a mistake was told
	if v := o.take("allow_targets"); v != nil {
		c.AllowTargets = r.targets(v)
	}
	if v := o.need("routes", "a list of where events go"); v != nil {
		c.Routes = r.routes(v)
		r.ownFiles(c)
	}
	o.end()
	return c
}

// listen is HOST:PORT; the host may be left out.
func (r *reader) listen(v *value) string {
	if v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!int" {
		r.wrong(v, "it is a number, but must be an address such as 127.0.0.1:8090, or :8090 for all of this machine")
		return ""
	}
	text := r.line(v)
	if text == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	n, numeric := strconv.ParseUint(port, 10, 16)
	if err != nil || numeric != nil || n == 0 || strings.ContainsAny(host, " /@") {
		r.wrong(v, "%s is not an address such as 127.0.0.1:8090, or :8090 for all of this machine", quoted(text))
		return ""
	}
	return text
}

// path is where webhooks come in.
func (r *reader) path(v *value) string {
	text := r.line(v)
	switch {
	case text == "":
	case !strings.HasPrefix(text, "/") || strings.ContainsAny(text, " {}?#%") || strings.Contains(text, "//"):
		r.wrong(v, "%s is not a path such as %s", quoted(text), DefaultPath)
	case text == "/metrics" || text == "/healthz":
		r.wrong(v, "%s is taken by the relay itself", text)
	default:
		return text
	}
	return ""
}

// inbox is a path, or a secret that may be the address of a database.
func (r *reader) inbox(v *value) Inbox {
	var text string
	if v.node.Kind == yaml.ScalarNode {
		if text = r.line(v); isPostgres(text) {
			r.wrong(v, "the address of a database may have a password in it; put it into the environment: inbox: {env: RELAY_DATABASE}, or into a file: inbox: {file: PATH}")
			return Inbox{}
		}
	} else {
		secret := r.secretOf(v, func(text string) string {
			if strings.Contains(text, "://") && !isPostgres(text) {
				return "it is neither a path nor an address that begins with postgres://"
			}
			return ""
		})
		if text = secret.Reveal(); isPostgres(text) {
			return Inbox{Postgres: secret}
		}
	}
	switch {
	case text == "":
		return Inbox{}
	case strings.Contains(text, "://"):
		r.wrong(v, "it must be the path of a file, or {env: NAME} with an address that begins with postgres://")
		return Inbox{}
	}
	return Inbox{SQLite: r.beside(text)}
}

func isPostgres(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// signing reads the signing secrets: one place, or a list of places, each with one or
// more of them.
func (r *reader) signing(v *value) []webhook.Secret {
	if v == nil {
		return nil
	}
	places := []*value{v}
	if v.node.Kind == yaml.SequenceNode {
		places = r.list(v)
	}
	var secrets []webhook.Secret
	for _, place := range places {
		text, from := r.secretText(place)
		if from == "" {
			continue
		}
		found, err := receiver.ParseSecrets(text)
		if err != nil {
			r.wrong(place, "what is in %s cannot be used: %s", from, plainError(err))
		}
		secrets = append(secrets, found...)
	}
	return secrets
}

// targets are ranges of addresses.
func (r *reader) targets(v *value) (rules []egress.AllowRule) {
	for _, item := range r.list(v) {
		text := r.line(item)
		if text == "" {
			continue
		}
		rule, err := egress.ParseAllow(text)
		if err != nil {
			r.wrong(item, "%s", strings.TrimPrefix(err.Error(), "allow rule "))
			continue
		}
		rules = append(rules, rule)
	}
	return rules
}
