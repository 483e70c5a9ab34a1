package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// functions are what templates can call.
var functions = template.FuncMap{
	"asset": asset, "browser": browser, "ago": ago, "due": due, "stamp": stamp, "clock": func(t time.Time) string { return t.UTC().Format("15:04:05.000") }, "publishing": publishing, "receiving": receiving, "machine": machine, "short": short, "within": within, "judging": judging, "percent": percent, "body": body, "code": code, "masked": masked, "tone": tone, "event": friendly,
	"mailState": mailState, "counted": counted, "permits": permits, "standing": standing,
	"args":   func(f Form, dev bool) fieldsView { return fieldsView{f, dev} },
	"choice": func(f Form, types []manage.EventType) choiceView { return choiceView{f, types} },
	"join":   strings.Join, "field": func(f Form, name, label string) fieldView { return fieldView{f, name, label} },
}

// fieldView is what the template of a field needs.
type fieldView struct {
	Form        Form
	Name, Label string
}

// fieldsView is what the fields of an endpoint need.
type fieldsView struct {
	Form Form
	Dev  bool
}

// choiceView is what the choice of events needs.
type choiceView struct {
	Form  Form
	Types []manage.EventType
}

// ago says how long ago a time was, or how far ahead it is. Script keeps it right.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := time.Since(t)
	switch {
	case d.Abs() < time.Second:
		return "just now"
	case d < 0:
		return "in " + short(nearest(-d))
	}
	return short(nearest(d)) + " ago"
}

// nearest rounds a length of time to what short writes of it, so that a week that has just begun is no 6 days.
func nearest(d time.Duration) time.Duration {
	for _, unit := range []struct{ size, most time.Duration }{{time.Second, time.Minute}, {time.Minute, 48 * time.Hour}} {
		if rounded := d.Round(unit.size); rounded < unit.most {
			return rounded
		}
	}
	return d.Round(24 * time.Hour)
}

// due says when something is to happen; what is overdue may happen at any moment. Script keeps it right.
func due(t time.Time) string {
	if time.Until(t) < time.Second {
		return "due now"
	}
	return ago(t)
}

// refresh says when a page that waits for something looks again: often while it may happen at any moment, else when it is due.
func refresh(t time.Time, now bool) string {
	if now || !time.Now().Before(t) {
		return "every 2s"
	}
	return "due"
}

// stamp writes a time to the millisecond, in UTC.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

// machine writes a time for a program.
func machine(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// short writes a length of time: below a second in milliseconds, below a minute in seconds and tenths, else in at most two parts.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "0 ms"
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// within says what is known of a percentile, which is a bound (manage.Summary).
func within(d time.Duration) string {
	switch d {
	case 0:
		return "no attempts"
	case manage.Longer:
		return "more than " + short(manage.Bound(d))
	}
	return short(d) + " or less"
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// maxShown bounds what a page shows of a body; all of it can be downloaded by the API.
const maxShown = 64 << 10

// maxDepth bounds the brackets within brackets that are indented: indentation grows with the square of them,
// and a receiver may answer anything.
const maxDepth = 64

// depth counts how deep the brackets of a JSON text stand in each other; those in strings are none.
func depth(b []byte) (deepest int) {
	now, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

// counted writes a count that the store bounds, so that the bound is not taken for the number.
func counted(n int) string {
	if n >= store.CountLimit {
		return fmt.Sprintf("%d or more", store.CountLimit)
	}
	return strconv.Itoa(n)
}

// body writes bytes as text: JSON indented, what is no text in hexadecimal digits.
func body(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	var indented bytes.Buffer
	if len(b) <= maxShown && depth(b) <= maxDepth && json.Indent(&indented, b, "", "  ") == nil && indented.Len() <= 4*maxShown {
		return indented.String()
	}
	cut := b[:min(len(b), maxShown)]
	if utf8.Valid(b) {
		return strings.ToValidUTF8(string(cut), "")
	}
	return fmt.Sprintf("%d bytes that are no text, in hexadecimal digits:\n%x", len(b), cut)
}

// code writes a status code with its name.
func code(n int) string {
	if n == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, http.StatusText(n)))
}

// mask stands for a value that is shown to nobody.
const mask = "••••••••"

// masked gives the value of a header as it may be shown.
func masked(h delivery.Header) string {
	if h.Hidden() {
		return mask
	}
	return h.Value
}

// tone gives a status its colour.
func tone(s delivery.Status) string {
	switch s {
	case delivery.Delivered:
		return "good"
	case delivery.Failed:
		return "bad"
	case delivery.Retrying, delivery.Sending:
		return "warn"
	}
	return "quiet"
}

// standing gives the badge of a delivery. A test that failed is no delivery that somebody discarded, though it ends as one.
func standing(s delivery.Status, c delivery.Cycle) badge {
	switch {
	case c != delivery.Test:
		return badge{string(s), tone(s)}
	case s == delivery.Discarded:
		return badge{"test failed", tone(delivery.Failed)}
	}
	return badge{"test " + string(s), tone(s)}
}

// browser says in a few words what a User-Agent stands for, as well as such texts can be believed.
func browser(agent string) string {
	name := firstIn(agent, []named{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}})
	system := firstIn(agent, []named{{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}})
	switch {
	case name == "":
		return "another program"
	case system == "":
		return name
	}
	return name + " on " + system
}

// named is a part of a text and what it stands for.
type named struct{ part, name string }

func firstIn(text string, all []named) string {
	for _, one := range all {
		if strings.Contains(text, one.part) {
			return one.name
		}
	}
	return ""
}

// friendly says what went wrong in an attempt, in a word or two.
func friendly(c delivery.Class) string { return strings.ReplaceAll(string(c), "_", " ") }

// mailState says what became of a mail.
func mailState(s store.MailState) string {
	switch s {
	case store.MailSent:
		return "sent"
	case store.MailRefused:
		return "refused, and dropped"
	case store.MailGivenUp:
		return "not sent: tried for three days"
	case store.MailUnknown:
		return "unknown whether it arrived"
	case store.MailDropped:
		return "not sent here: the address is told no more"
	}
	return "waiting"
}

// permits says what a key with a scope may do.
func permits(s auth.Scope) string {
	switch s {
	case auth.Publish:
		return "Publish events. The one for programs that have something to tell."
	case auth.Read:
		return "See everything of the account but its secrets, and change nothing."
	case auth.Manage:
		return "Change endpoints, secrets, event types, keys and deliveries; read is part of it, publish is not."
	case auth.Admin:
		return "Everything, in every account of this server."
	}
	return ""
}
