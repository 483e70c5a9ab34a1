package slack

import (
	"cmp"
	"fmt"

	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// Colours of the bar beside a message: three that Slack has names for, and a grey for
// what is neither good nor bad.
const (
	good    = "good"
	warning = "warning"
	danger  = "danger"
	neutral = "#8d99a6"
)

// testMark stands before all that is said of a test event.
const testMark = "🧪 Test: "

// look is how an event of a type is told when no template says otherwise. Nothing in it
// is escaped.
type look struct {
	icon, title string
	subject     string // what it is about: a domain, mostly
	short       string // a few words more for the notification
	color       string
	facts       []fact
	message     string
	test        bool
}

type fact struct{ name, value string }

func (l look) header() string {
	head := l.title
	if l.subject != "" {
		head += ": " + l.subject
	}
	if l.test {
		return testMark + head
	}
	return l.icon + " " + head
}

// note is the text of the notification, escaped.
func (l look) note() string {
	note := escape(l.title)
	if l.subject != "" {
		note += ": *" + escape(l.subject) + "*"
	}
	if l.short != "" {
		note += " " + escape(l.short)
	}
	if l.test {
		return testMark + note
	}
	return l.icon + " " + note
}

func lookOf(d vendor.Data) look {
	l := typed(d)
	if d.Test {
		l.test, l.color = true, neutral
		l.message = cmp.Or(l.message, d.Message)
		l.facts = append(l.facts, fact{"Test", "Somebody pressed Test; nothing happened to the domain."})
	}
	return l
}

func typed(d vendor.Data) look {
	icon, color := byScore(d)
	switch d.Type {
	case "scan.completed":
		return look{
			icon: "🔒", title: "Scan completed", subject: d.Domain, color: color, short: fmt.Sprintf("%s %s (%s)", icon, orDash(d.Grade), score(d)),
			facts: []fact{{"Score", icon + " " + score(d)}, {"Grade", orDash(d.Grade)}, {"Critical", count(d, "critical_issues")}, {"High", count(d, "high_issues")}},
		}
	case "alert.triggered", "alert.resolved":
		return alert(d)
	case "score.changed":
		return look{
			icon: icon, title: "Score changed", subject: d.Domain, color: color, short: change(d),
			facts: []fact{{"Score", change(d)}, {"Grade", orDash(d.Grade)}},
		}
	case "domain.added":
		return look{icon: "➕", title: "Domain added", subject: d.Domain, color: neutral}
	case "domain.removed":
		return look{icon: "➖", title: "Domain removed", subject: d.Domain, color: neutral}
	}
	return other(d)
}

// byScore is the seed's: good from 80, warning from 60.
func byScore(d vendor.Data) (icon, color string) {
	switch {
	case !d.HasScore:
		return "❔", neutral
	case d.Score >= 80:
		return "✅", good
	case d.Score >= 60:
		return "⚠️", warning
	}
	return "🚨", danger
}

func alert(d vendor.Data) look {
	l := look{
		icon: "🔔", color: neutral, title: cmp.Or(d.Title, "Alert"), subject: d.Domain, message: d.Message,
		facts: []fact{{"Domain", d.Domain}, {"Severity", d.Severity}, {"Type", d.AlertType}, {"Change", change(d)}, {"Grade", d.Grade}},
	}
	if d.HasScore {
		l.facts = append(l.facts, fact{"Score", score(d)})
	}
	switch d.Severity {
	case "critical":
		l.icon, l.color = "🚨", danger
	case "high":
		l.icon, l.color = "🔴", danger
	case "medium":
		l.icon, l.color = "🟠", warning
	case "low":
		l.icon, l.color = "🟡", warning
	case "info":
		l.icon = "ℹ️"
	}
	if d.Severity != "" {
		l.short = "(" + d.Severity + ")"
	}
	if d.Resolved() {
		l.icon, l.color, l.title = "✅", good, "Resolved: "+l.title
	}
	return l
}

// other is for the events about endpoints, and for types that nobody knew when this was
// written: whatever they say in plain values.
func other(d vendor.Data) look {
	l := look{icon: "📨", title: d.Type, subject: d.Domain, color: neutral, facts: scalars(d)}
	switch d.Type {
	case "endpoint.disabled":
		l.icon, l.color, l.title = "⛔", danger, "Endpoint disabled"
	case "endpoint.warning":
		l.icon, l.color, l.title = "⚠️", warning, "Endpoint is failing"
	case "delivery.failed":
		l.icon, l.color, l.title = "⛔", danger, "Delivery failed"
	case "endpoint.alert":
		l.icon, l.color, l.title = "⚠️", warning, "Endpoint alert"
		if d.Text("state") != "opened" {
			l.icon, l.color, l.title = "✅", good, "Endpoint alert is over"
		}
	}
	l.subject = cmp.Or(l.subject, d.Text("endpoint_id"))
	if last, ok := d.Data["last_attempt"].(map[string]any); ok {
		l.message = vendor.Data{Data: last}.Text("hint")
	}
	return l
}

func score(d vendor.Data) string {
	if !d.HasScore {
		return "–"
	}
	return fmt.Sprintf("%d/100", d.Score)
}

func count(d vendor.Data, name string) string {
	n, ok := d.Number(name)
	if !ok {
		return "–"
	}
	return fmt.Sprint(n)
}

// change is old → new; "" when neither is known.
func change(d vendor.Data) string {
	if d.OldValue == "" && d.NewValue == "" {
		return ""
	}
	return orDash(d.OldValue) + " → " + orDash(d.NewValue)
}

func orDash(value string) string { return cmp.Or(value, "–") }
