package mail

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func here() site {
	return siteOf("https://hooks.example.com", "Acme", "acc_1")
}

func row(t *testing.T, kind delivery.Notice, f Facts) store.Mail {
	t.Helper()
	if f.Host == "" {
		f.Host = "receiver.example"
	}
	if f.At.IsZero() {
		f.At = time.Date(2026, time.March, 8, 12, 34, 56, 0, time.UTC)
	}
	rows, err := Rows(store.NoticeRow{ID: "0190-1", AccountID: "acc_1", EndpointID: "ep_1", Kind: kind, Failures: f.Failures}, f, []string{"zoe@example.com"}, f.At)
	if err != nil {
		t.Fatal(err)
	}
	return rows[0]
}

func letterOf(mails ...store.Mail) store.Letter {
	return store.Letter{ID: "mail_first", Email: "zoe@example.com", Mails: mails, Count: len(mails)}
}

const foot = `-- 
You get this because the account "Acme" names your address for news of webhooks, or names
none and you are an owner or an admin. Change that here:
https://hooks.example.com/settings/notifications
`

func TestALetterOfOneThing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		kind          delivery.Notice
		facts         Facts
		subject, text string
	}{
		{
			"disabled", delivery.DisabledIt,
			Facts{Description: "Ticket system", Reason: "consecutive_failures", Failures: 10, Held: 12, Class: "server_error", Hint: "receiver.example answered 503."},
			`Your webhook endpoint "Ticket system" (receiver.example) was disabled`,
			`Your webhook endpoint "Ticket system" (receiver.example) was disabled after 10 failed attempts in a row (8 March 2026, 12:34 UTC).

The last attempt (server_error): receiver.example answered 503.

Deliveries that are held: 12

Nothing is sent to it now, and nothing is lost: what is for it is held. Repair the receiver, send it a test, then enable the endpoint.

https://hooks.example.com/endpoints/ep_1/recover

`,
		},
		{
			"gone, and little is known", delivery.DisabledIt, Facts{Reason: "gone"},
			`Your webhook endpoint receiver.example (ep_1) was disabled`,
			`Your webhook endpoint receiver.example (ep_1) was disabled because it answered 410 Gone (8 March 2026, 12:34 UTC).

Nothing is sent to it now, and nothing is lost: what is for it is held. Repair the receiver, send it a test, then enable the endpoint.

https://hooks.example.com/endpoints/ep_1/recover

`,
		},
		{
			"a warning", delivery.Warning, Facts{Failures: 5, DisableAfter: 10},
			`Your webhook endpoint receiver.example (ep_1) is failing`,
			`Your webhook endpoint receiver.example (ep_1) failed 5 times in a row and will be disabled after 10 (8 March 2026, 12:34 UTC).

One attempt that succeeds ends the count. Look at what the receiver answers.

https://hooks.example.com/endpoints/ep_1

`,
		},
		{
			"an alert", delivery.AlertOpened, Facts{Alert: delivery.AlertSlow, Share: 0.25, Attempts: 80},
			`Your webhook endpoint receiver.example (ep_1) is slow`,
			`Your webhook endpoint receiver.example (ep_1) is slow: 25 % of its last 80 attempts took longer than 10 s (8 March 2026, 12:34 UTC).

Everything is still sent to it. You are told when this ends; look at its page for what it answers and how long it takes.

https://hooks.example.com/endpoints/ep_1

`,
		},
		{
			"an alert that has closed", delivery.AlertClosed, Facts{Alert: delivery.AlertFailing, Share: 0.04, Attempts: 50},
			`Your webhook endpoint receiver.example (ep_1) is well again`,
			`Your webhook endpoint receiver.example (ep_1) is well again: it failed often, and now 4 % of its last 50 attempts failed (8 March 2026, 12:34 UTC).

There is nothing to do.

https://hooks.example.com/endpoints/ep_1

`,
		},
		{
			"an alert that has closed because nothing is sent", delivery.AlertClosed, Facts{Alert: delivery.AlertRetries},
			`Your webhook endpoint receiver.example (ep_1) is no longer watched for this: it needed many retries`,
			`Your webhook endpoint receiver.example (ep_1) is no longer watched for this: it needed many retries, and no attempt is left to judge it by (8 March 2026, 12:34 UTC).

It was disabled or paused, was just enabled again, or got nothing for an hour. Whether it is well its next attempts will show.

https://hooks.example.com/endpoints/ep_1

`,
		},
		{
			"a kind without words of its own", "eclipse", Facts{Text: "The moon is in the way."},
			`Your webhook endpoint receiver.example (ep_1) needs a look`,
			`Your webhook endpoint receiver.example (ep_1) needs a look (8 March 2026, 12:34 UTC).

The moon is in the way.

Look at the endpoint's page.

https://hooks.example.com/endpoints/ep_1

`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := compose(letterOf(row(t, tt.kind, tt.facts)), here())
			if diff := cmp.Diff(message{ID: "mail_first", To: "zoe@example.com", Subject: tt.subject, Text: tt.text + foot}, got); diff != "" {
				t.Errorf("letter (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALetterOfManyThingsIsCut(t *testing.T) {
	t.Parallel()
	var mails []store.Mail
	for i := range 70 {
		kind, f := delivery.DisabledIt, Facts{Failures: 10}
		if i%2 == 0 {
			kind, f = delivery.AlertClosed, Facts{Alert: delivery.AlertSlow, Attempts: 50}
		}
		m := row(t, kind, f)
		m.EndpointID = fmt.Sprintf("ep_%d", i)
		mails = append(mails, m)
	}
	l := letterOf(mails...)
	l.Count = 499
	got := compose(l, here())
	if got.Subject != "Your webhook endpoint receiver.example (ep_1) was disabled, and 498 more" || strings.Count(got.Text, "https://hooks.example.com/endpoints/ep_") != Most ||
		strings.Count(got.Text, "was disabled") != 35 || !strings.Contains(got.Text, "... and 449 more.") || !strings.HasSuffix(got.Text, foot) {
		t.Errorf("got %q:\n%s", got.Subject, got.Text)
	}
}

// happened makes a mail of something that happened some minutes after noon.
func happened(t *testing.T, minutes int, endpoint string, kind delivery.Notice, f Facts) store.Mail {
	t.Helper()
	f.At = time.Date(2026, time.March, 8, 12, minutes, 0, 0, time.UTC)
	m := row(t, kind, f)
	m.EndpointID = endpoint
	return m
}

// A letter tells what is true when it is written, in the order in which it happened, however late it was gathered.
func TestALetterTellsHowThingsEnded(t *testing.T) {
	t.Parallel()
	slow, failing := Facts{Alert: delivery.AlertSlow, Attempts: 50}, Facts{Alert: delivery.AlertFailing, Attempts: 50}
	five, eight, ten := Facts{Failures: 5}, Facts{Failures: 8}, Facts{Failures: 10}
	tests := []struct {
		name    string
		mails   []store.Mail
		subject string // after the words that all begin with
		told    []string
	}{
		{"it opened and closed", []store.Mail{
			happened(t, 1, "ep_1", delivery.AlertOpened, slow), happened(t, 2, "ep_1", delivery.AlertClosed, slow),
		}, "(ep_1) is well again", []string{"(ep_1) is well again"}},
		{"it closed and opened, gathered the other way round", []store.Mail{
			happened(t, 2, "ep_1", delivery.AlertOpened, slow), happened(t, 1, "ep_1", delivery.AlertClosed, slow),
		}, "(ep_1) is slow", []string{"(ep_1) is slow"}},
		{"alerts of two kinds and two endpoints", []store.Mail{
			happened(t, 1, "ep_1", delivery.AlertOpened, slow), happened(t, 2, "ep_1", delivery.AlertClosed, failing), happened(t, 3, "ep_2", delivery.AlertClosed, slow),
		}, "(ep_1) is slow, and 2 more", []string{"(ep_1) is slow", "(ep_1) is well again", "(ep_2) is well again"}},
		{"warnings and the disabling, gathered the other way round", []store.Mail{
			happened(t, 3, "ep_1", delivery.DisabledIt, ten), happened(t, 2, "ep_1", delivery.Warning, eight), happened(t, 1, "ep_1", delivery.Warning, five),
		}, "(ep_1) was disabled", []string{"(ep_1) was disabled"}},
		{"two warnings", []store.Mail{
			happened(t, 1, "ep_1", delivery.Warning, five), happened(t, 2, "ep_1", delivery.Warning, eight),
		}, "(ep_1) is failing", []string{"(ep_1) failed 8 times"}},
		{"a warning after it was enabled again, and another's", []store.Mail{
			happened(t, 1, "ep_2", delivery.Warning, five), happened(t, 2, "ep_1", delivery.DisabledIt, ten), happened(t, 3, "ep_1", delivery.Warning, five),
		}, "(ep_1) was disabled, and 2 more", []string{"(ep_2) failed 5", "(ep_1) was disabled", "(ep_1) failed 5"}},
		{"two disablings", []store.Mail{
			happened(t, 1, "ep_1", delivery.DisabledIt, ten), happened(t, 2, "ep_1", delivery.DisabledIt, ten),
		}, "(ep_1) was disabled, and 1 more", []string{"(ep_1) was disabled", "(ep_1) was disabled"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := compose(letterOf(tt.mails...), here())
			if want := "Your webhook endpoint receiver.example " + tt.subject; got.Subject != want {
				t.Errorf("subject %q, want %q", got.Subject, want)
			}
			rest := got.Text
			for _, want := range tt.told {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Errorf("%q is not told in its place:\n%s", want, got.Text)
				}
				rest = after
			}
			if n := strings.Count(got.Text, "receiver.example"); n != len(tt.told) {
				t.Errorf("it tells %d things, want %d:\n%s", n, len(tt.told), got.Text)
			}
		})
	}
}

// TestWhatComesFromOutsideStaysOnItsLine puts what breaks lines and headers into every text from outside.
func TestWhatComesFromOutsideStaysOnItsLine(t *testing.T) {
	t.Parallel()
	const evil = "a\r\nBcc: eve@example.com\r\n\r\n<script>\x00\u202egnp.exe\u2028b\u0085c\v\f\xff"
	s := mailtest.New(t, mailtest.Config{})
	sender := senderTo(t, s, nil)
	f := Facts{Host: evil, Description: evil, Reason: evil, Class: evil, Hint: strings.Repeat(evil, 100), Text: evil, Failures: 10}
	place := siteOf("https://hooks.example.com", evil, "acc_1")
	one := compose(letterOf(row(t, delivery.DisabledIt, f)), place)
	many := compose(letterOf(row(t, delivery.Warning, f), row(t, "eclipse", f)), place)
	test := place.test("test_1", "zoe@example.com")
	for _, m := range []message{one, many, test} {
		if strings.ContainsFunc(m.Text, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }) || strings.Contains(m.Text, "\nBcc:") {
			t.Errorf("text: %q", m.Text)
		}
		if strings.ContainsFunc(m.Subject, unicode.IsControl) || len([]rune(m.Subject)) > maxSubject {
			t.Errorf("subject: %q", m.Subject)
		}
		if err := sender.send(t.Context(), m, unasked); err != nil {
			t.Fatal(detail(err))
		}
	}
	for _, m := range s.Mails() {
		if m.To != "zoe@example.com" || len(m.Header["Bcc"]) != 0 || len(m.Header) > 10 {
			t.Errorf("headers: %v", m.Header)
		}
	}
}

// TestTheIDOfAMailIsMadeOfWhatItTells: it tells no address, and is another for each.
func TestTheIDOfAMailIsMadeOfWhatItTells(t *testing.T) {
	t.Parallel()
	n := store.NoticeRow{ID: "0190-1", Kind: delivery.DisabledIt, EndpointID: "ep_1"}
	made := func(n store.NoticeRow, to ...string) (ids []string) {
		rows, err := Rows(n, Facts{}, to, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	first := made(n, "zoe@example.com", "max@example.com")
	if diff := cmp.Diff(first, made(n, "zoe@example.com", "max@example.com")); diff != "" {
		t.Errorf("made again:\n%s", diff)
	}
	other := n
	other.ID = "0190-2"
	all := append(first, made(other, "zoe@example.com")...)
	for i, a := range all {
		for _, b := range all[:i] {
			if a == b {
				t.Errorf("%s twice in %v", a, all)
			}
		}
	}
}

func TestWhatIsToldOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		n     store.NoticeRow
		topic string
		again time.Duration
	}{
		{store.NoticeRow{ID: "1", Kind: delivery.DisabledIt, EndpointID: "ep_1", Failures: 10}, "disabled:1", 0},
		{store.NoticeRow{ID: "2", Kind: delivery.Warning, EndpointID: "ep_1", Failures: 5}, "warning:ep_1:5", 6 * time.Hour},
		{store.NoticeRow{ID: "3", Kind: delivery.Warning, EndpointID: "ep_1", Failures: 8}, "warning:ep_1:8", 6 * time.Hour},
		{store.NoticeRow{ID: "5", Kind: delivery.AlertOpened, EndpointID: "ep_1"}, "alert:ep_1:slow", 0},
		{store.NoticeRow{ID: "6", Kind: delivery.AlertClosed, EndpointID: "ep_1"}, "alert:ep_1:slow", 0},
		{store.NoticeRow{ID: "4", Kind: "eclipse", EndpointID: "ep_1"}, "eclipse:ep_1", 6 * time.Hour},
	}
	for _, tt := range tests {
		rows, err := Rows(tt.n, Facts{Alert: delivery.AlertSlow}, []string{"zoe@example.com"}, time.Time{})
		if err != nil || rows[0].Topic != tt.topic || rows[0].Again != tt.again {
			t.Errorf("%+v: topic %q for %s, %v; want %q for %s", tt.n, rows[0].Topic, rows[0].Again, err, tt.topic, tt.again)
		}
	}
	for kind, want := range map[delivery.Notice]bool{delivery.DisabledIt: true, delivery.Warning: true, "eclipse": true, delivery.DeadLettered: false, delivery.NoNotice: false} {
		if Tells(kind) != want {
			t.Errorf("Tells(%q) = %t", kind, !want)
		}
	}
}

func TestAMailServerThatIsAwayIsTriedForThreeDays(t *testing.T) {
	t.Parallel()
	var all []string
	total := time.Duration(0)
	tries := 1
	for {
		after, more := wait(tries)
		if !more {
			break
		}
		if tries <= 8 {
			all = append(all, after.String())
		}
		total += after
		tries++
	}
	if diff := cmp.Diff([]string{"1m0s", "2m0s", "4m0s", "8m0s", "16m0s", "32m0s", "1h0m0s", "1h0m0s"}, all); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if total < 72*time.Hour || total > 73*time.Hour {
		t.Errorf("it is tried for %s, want three days", total)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\r\nb", 3)
	f.Add("\u202e\x00", 1)
	f.Fuzz(func(t *testing.T, text string, most int) {
		if most < 1 || most > 1000 {
			return
		}
		got := line(text, most)
		if n := len([]rune(got)); n > most || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("line(%q, %d) = %q of %d", text, most, got, n)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
	})
}

func ExampleTitle() {
	fmt.Println(Title(store.Mail{Kind: delivery.Warning, Facts: json.RawMessage(`{"host":"receiver.example","description":"Ticket system"}`)}))
	// Output: Your webhook endpoint "Ticket system" (receiver.example) is failing
}
