package mail

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Facts are what a mail tells of a notice, as it was when it happened. All texts are
// as they came; whoever shows them cleans them.
type Facts struct {
	Host         string    `json:"host"` // of the endpoint: its path may hold a token
	Description  string    `json:"description,omitempty"`
	At           time.Time `json:"at"`
	Reason       string    `json:"reason,omitempty"`
	Failures     int       `json:"failures,omitempty"`
	DisableAfter int       `json:"disable_after,omitempty"`
	Held         int       `json:"held,omitempty"`
	Class        string    `json:"class,omitempty"` // of the last attempt
	Hint         string    `json:"hint,omitempty"`  // of the last attempt
	Text         string    `json:"text,omitempty"`  // what else there is to say, in a sentence

	// Since says that an endpoint that was disabled has been enabled since; it is found out when a letter is put together.
	Since bool `json:"-"`

	// Of an alert.
	Alert    delivery.AlertKind `json:"alert,omitempty"`
	Share    float64            `json:"share,omitempty"`    // of the attempts that speak for it, 0 to 1
	Attempts int                `json:"attempts,omitempty"` // that it was judged by
}

// warnedFor is how long the same warning of an endpoint is told once.
const warnedFor = 6 * time.Hour

// kind says how notices of a kind are told by mail.
type kind struct {
	// topic names what is told once in `again`, and never after what happened later; nil = each notice is told.
	topic func(n store.NoticeRow, f Facts) string
	again time.Duration
	// about names what it tells the state of; nil = nothing that another tells, too. In a letter a kind that
	// yields is told only if it is the last that is about that.
	about  func(endpointID string, f Facts) string
	yields bool
	rank   int // how grave it is, 0 the most
	// is completes "Your webhook endpoint X ..." in a subject, more in a sentence.
	is   func(f Facts) string
	more func(f Facts) string
	next func(f Facts) string // what to do
	page string               // of the endpoint, that it leads to
}

// kinds are the notices that people get mails of. A further one is one entry here.
var kinds = map[delivery.Notice]kind{
	delivery.DisabledIt: {
		about: failures,
		is: func(f Facts) string {
			if f.Since {
				return "was disabled, and enabled again"
			}
			return "was disabled"
		},
		more: func(f Facts) string {
			if f.Reason == string(delivery.ByGone) {
				return "was disabled because it answered 410 Gone"
			}
			return fmt.Sprintf("was disabled after %d failed attempts in a row", f.Failures)
		},
		next: func(f Facts) string {
			if f.Since {
				return "Whether it is well its next attempts will show. Its page says whether anything is held still."
			}
			return "Nothing is sent to it now, and nothing is lost: what is for it is held. Repair the receiver, send it a test, then enable the endpoint."
		},
		page: "/recover",
	},
	delivery.Warning: {
		topic:  func(n store.NoticeRow, _ Facts) string { return fmt.Sprintf("warning:%s:%d", n.EndpointID, n.Failures) },
		again:  warnedFor,
		about:  failures,
		yields: true,
		rank:   1,
		is:     func(Facts) string { return "is failing" },
		more: func(f Facts) string {
			return fmt.Sprintf("failed %d times in a row and will be disabled after %d", f.Failures, f.DisableAfter)
		},
		next: always("One attempt that succeeds ends the count. Look at what the receiver answers."),
	},
	// Each opening and closing is told, so that the last that is told is true. The watch bounds how often
	// an alert changes, and a letter tells only how it ended.
	delivery.AlertOpened: {
		topic:  func(n store.NoticeRow, f Facts) string { return alert(n.EndpointID, f) },
		about:  alert,
		yields: true,
		rank:   2,
		is:     func(f Facts) string { return alertWords[f.Alert].is },
		more: func(f Facts) string {
			return fmt.Sprintf("%s: %.0f %% of its last %d attempts %s", alertWords[f.Alert].is, 100*f.Share, f.Attempts, alertWords[f.Alert].bad)
		},
		next: always("Everything is still sent to it. You are told when this ends; look at its page for what it answers and how long it takes."),
	},
	delivery.AlertClosed: {
		topic:  func(n store.NoticeRow, f Facts) string { return alert(n.EndpointID, f) },
		about:  alert,
		yields: true,
		rank:   3,
		is: func(f Facts) string {
			if f.Attempts == 0 {
				return "is no longer watched for this: it " + alertWords[f.Alert].was
			}
			return "is well again"
		},
		more: func(f Facts) string {
			if f.Attempts == 0 {
				return fmt.Sprintf("is no longer watched for this: it %s, and no attempt is left to judge it by", alertWords[f.Alert].was)
			}
			return fmt.Sprintf("is well again: it %s, and now %.0f %% of its last %d attempts %s", alertWords[f.Alert].was, 100*f.Share, f.Attempts, alertWords[f.Alert].bad)
		},
		next: func(f Facts) string {
			if f.Attempts == 0 {
				return "It was disabled or paused, was just enabled again, or got nothing for an hour. Whether it is well its next attempts will show."
			}
			return "There is nothing to do."
		},
	},
}

func always(text string) func(Facts) string { return func(Facts) string { return text } }

// failures names the failures in a row of an endpoint, which warnings and a disabling are about.
func failures(endpointID string, _ Facts) string { return "failures:" + endpointID }

// alert names an endpoint's alert of a kind, whose openings and closings are one topic.
func alert(endpointID string, f Facts) string { return fmt.Sprintf("alert:%s:%s", endpointID, f.Alert) }

// alertWords says what each alert is about: what the endpoint does, what it did, and what was wrong with attempts.
var alertWords = map[delivery.AlertKind]struct{ is, was, bad string }{
	delivery.AlertFailing: {"fails often", "failed often", "failed"},
	delivery.AlertSlow:    {"is slow", "was slow", fmt.Sprintf("took longer than %.0f s", delivery.SlowAfter.Seconds())},
	delivery.AlertRetries: {"needs many retries", "needed many retries", "were not a delivery's first"},
}

// silent are the notices that make no mail: there would be one for every event.
var silent = map[delivery.Notice]bool{delivery.DeadLettered: true}

// general tells what has no words of its own.
var general = kind{
	topic: func(n store.NoticeRow, _ Facts) string { return fmt.Sprintf("%s:%s", n.Kind, n.EndpointID) },
	again: warnedFor,
	rank:  2,
	is:    func(Facts) string { return "needs a look" },
	more:  func(Facts) string { return "needs a look" },
	next:  always("Look at the endpoint's page."),
}

func kindOf(n delivery.Notice) kind {
	if k, ok := kinds[n]; ok {
		return k
	}
	return general
}

// Tells reports whether notices of a kind are told by mail.
func Tells(n delivery.Notice) bool { return n != delivery.NoNotice && !silent[n] }

// Title says in a few words what a mail tells.
func Title(m store.Mail) string {
	t := thingOf(m)
	return fmt.Sprintf("Your webhook endpoint %s %s", t.name(maxInTitle), t.kind.is(t.Facts))
}

// Rows gives the mails of a notice to addresses, to be written with its end. Their ids are made
// of the notice's and the address, so that telling it twice writes them once.
func Rows(n store.NoticeRow, f Facts, to []string, now time.Time) ([]store.Mail, error) {
	facts, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	happened := f.At
	if happened.After(now) { // the clock was put back since
		happened = now
	}
	k := kindOf(n.Kind)
	topic := string(n.Kind) + ":" + n.ID
	if k.topic != nil {
		topic = k.topic(n, f)
	}
	rows := make([]store.Mail, len(to))
	for i, email := range to {
		rows[i] = store.Mail{
			ID: idOf(n.ID, email), AccountID: n.AccountID, Email: email, Topic: topic, EndpointID: n.EndpointID,
			Kind: n.Kind, Facts: facts, CreatedAt: now, HappenedAt: happened, Again: k.again,
		}
	}
	return rows, nil
}

// passed gives mails that tell other addresses what some were to tell, in the order in which it happened: what happened
// earlier on a topic is not told after what happened later.
func passed(mails []store.Mail, to []string, now time.Time) []store.Mail {
	mails = slices.SortedStableFunc(slices.Values(mails), func(a, b store.Mail) int { return a.HappenedAt.Compare(b.HappenedAt) })
	var rows []store.Mail
	for _, m := range mails {
		m.Again, m.CreatedAt = kindOf(m.Kind).again, now
		if m.HappenedAt.After(now) { // the clock was put back since
			m.HappenedAt = now
		}
		from := m.ID
		for _, email := range to {
			m.ID, m.Email = idOf(from, email), email
			rows = append(rows, m)
		}
	}
	return rows
}

// idOf makes the id of a mail to an address, of the id of a notice, or of the mail that it takes the place of.
func idOf(of, email string) string {
	sum := sha256.Sum256([]byte(of + "\x00" + email))
	return "mail_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15]))
}
