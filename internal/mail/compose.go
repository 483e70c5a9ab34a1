package mail

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Most is how many things a letter lists; of more it says how many there are.
const Most = 50

// mostRead is how many rows of a letter are read to find out what is still true and what is gravest:
// more than an account has endpoints, unless the operator lets it have that many.
const mostRead = 1000

// overRank is how grave a disabling is that is over: as the end of an alert.
const overRank = 3

// Lengths of texts from outside, in characters.
const (
	maxName    = 80
	maxInTitle = 50 // of a name in a subject, so that what happened stands in it, too
	maxHint    = 400
	maxSubject = 220
)

// message is a mail on its way to the server.
type message struct {
	ID      string // the left half of its Message-ID
	To      string
	Subject string
	Text    string
}

// site is what letters say of the place that they come from.
type site struct {
	url     string // of the dashboard
	account string // the name of the account that tells
}

// thing is one of those that a letter tells, cleaned.
type thing struct {
	store.Mail
	Facts
	kind kind
}

func thingOf(m store.Mail) thing { return thing{Mail: m, Facts: factsOf(m), kind: kindOf(m.Kind)} }

// thingsOf gives what is still true of what a letter gathered, in the order in which it happened.
func thingsOf(mails []store.Mail) []thing {
	all := make([]thing, len(mails))
	for i, m := range mails {
		all[i] = thingOf(m)
	}
	inOrder(all)
	told := map[string]bool{}
	var last []thing
	for _, t := range slices.Backward(all) {
		if t.kind.about != nil {
			about := t.kind.about(t.EndpointID, t.Facts)
			if t.kind.yields && told[about] {
				continue
			}
			told[about] = true
		}
		last = append(last, t)
	}
	slices.Reverse(last)
	return last
}

// gravest gives the n gravest, in the order in which they happened.
func gravest(all []thing, n int) []thing {
	all = slices.SortedStableFunc(slices.Values(all), func(a, b thing) int { return cmp.Compare(a.rank(), b.rank()) })
	all = all[:min(n, len(all))]
	inOrder(all)
	return all
}

// rank says how grave it is, 0 the most: a disabling that is over is not.
func (t thing) rank() int {
	if t.Since {
		return overRank
	}
	return t.kind.rank
}

// inOrder sorts things by when they happened: not by At, which is what the clock said, before it was put back, too.
func inOrder(all []thing) {
	slices.SortStableFunc(all, func(a, b thing) int { return a.HappenedAt.Compare(b.HappenedAt) })
}

// compose puts a letter into words. It is the same for the same letter, so that a repeated one is, unless an endpoint that
// it tells disabled was enabled between the two.
func compose(l store.Letter, s site) message {
	if l.Attempts > fullTries {
		l.Mails = bare(l.Mails)
	}
	all := thingsOf(l.Mails)
	more := len(all) - 1 + l.Count - len(l.Mails)
	m := message{ID: l.ID, To: l.Email, Subject: line(Title(gravest(all, 1)[0].Mail), maxSubject)}
	var b strings.Builder
	if more == 0 {
		s.whole(&b, all[0])
	} else {
		tail := fmt.Sprintf(", and %d more", more)
		m.Subject = line(m.Subject, maxSubject-len(tail)) + tail
		s.list(&b, gravest(all, Most), more+1)
	}
	b.WriteString("-- \n")
	s.why(&b)
	m.Text = b.String()
	return m
}

// fullTries is how often a letter is tried as it is. After that it leaves out what others have typed: a mail server that refuses
// a text would else be told nothing for days, and who may name an endpoint could so silence what is told of all of them.
const fullTries = 2

// bare gives mails without the words that come from outside: names, hosts, hints.
func bare(mails []store.Mail) []store.Mail {
	mails = slices.Clone(mails)
	for i, m := range mails {
		var f Facts
		_ = json.Unmarshal(m.Facts, &f) // written by Rows
		f.Host, f.Description, f.Hint, f.Text = "", "", "", ""
		mails[i].Facts, _ = json.Marshal(f) // it was JSON
	}
	return mails
}

// whole tells one thing.
func (s site) whole(b *strings.Builder, t thing) {
	fmt.Fprintf(b, "Your webhook endpoint %s %s (%s UTC).\n\n", t.name(maxName), t.kind.more(t.Facts), t.At.UTC().Format("2 January 2006, 15:04"))
	if t.Text != "" {
		fmt.Fprintf(b, "%s\n\n", t.Text)
	}
	if t.Hint != "" {
		fmt.Fprintf(b, "The last attempt (%s): %s\n\n", t.Class, t.Hint)
	}
	if t.Held > 0 {
		orMore := ""
		if t.Held >= store.CountLimit {
			orMore = " or more"
		}
		fmt.Fprintf(b, "Deliveries that are held: %d%s\n\n", t.Held, orMore)
	}
	fmt.Fprintf(b, "%s\n\n%s\n\n", t.kind.next(t.Facts), s.page(t))
}

// list tells several things of more.
func (s site) list(b *strings.Builder, told []thing, of int) {
	b.WriteString("This happened to your webhook endpoints:\n\n")
	for i, t := range told {
		s.item(b, i+1, t)
	}
	if more := of - len(told); more > 0 {
		fmt.Fprintf(b, "... and %d more. All endpoints: %s/endpoints\n\n", more, s.url)
	}
}

// item tells one thing of several.
func (s site) item(b *strings.Builder, number int, t thing) {
	fmt.Fprintf(b, "%d. %s %s (%s UTC).\n", number, t.name(maxName), t.kind.more(t.Facts), t.At.UTC().Format("2 January 2006, 15:04"))
	for _, text := range []string{t.Text, t.Hint} {
		if text != "" {
			fmt.Fprintf(b, "   %s\n", text)
		}
	}
	fmt.Fprintf(b, "   %s\n\n", s.page(t))
}

// why says why somebody gets this, and where to change it.
func (s site) why(b *strings.Builder) {
	fmt.Fprintf(b, "You get this because the account %s names your address for news of webhooks, or names\nnone and you are an owner or an admin. Change that here:\n%s/settings/notifications\n", s.account, s.url)
}

// page is the address of the page of an endpoint that helps on.
func (s site) page(t thing) string {
	if t.Since {
		return s.url + "/endpoints/" + t.EndpointID
	}
	return s.url + "/endpoints/" + t.EndpointID + t.kind.page
}

// test is a mail that shows that mail arrives.
func (s site) test(id, to string) message {
	var b strings.Builder
	b.WriteString("This is a test. Mail from this server arrives.\n\n-- \n")
	s.why(&b)
	return message{ID: id, To: to, Subject: "A test from ComplianceLayer", Text: b.String()}
}

// siteOf gives the place that an account's letters come from; an account without a name has its id.
func siteOf(url, account, id string) site {
	if account = line(account, maxName); account == "" {
		return site{url: url, account: id}
	}
	return site{url: url, account: "\"" + account + "\""}
}

// factsOf reads what a mail tells, cleaned.
func factsOf(m store.Mail) Facts {
	var f Facts
	_ = json.Unmarshal(m.Facts, &f) // written by Rows
	f.Host, f.Description = line(f.Host, maxName), line(f.Description, maxName)
	if m.Kind == delivery.DisabledIt && m.Enabled {
		f.Since, f.Held, f.Text = true, 0, "It has been enabled since."
	}
	f.Class, f.Hint, f.Text = line(f.Class, maxName), line(f.Hint, maxHint), line(f.Text, maxHint)
	return f
}

// name says which endpoint it is, by its description and its host, or, without one, its host and its id. most
// bounds each.
func (t thing) name(most int) string {
	host := line(t.Host, most)
	if host == "" {
		return t.EndpointID
	}
	if t.Description != "" {
		return "\"" + line(t.Description, most) + "\" (" + host + ")"
	}
	return host + " (" + t.EndpointID + ")"
}

// line makes one line of a text from outside: no control character, and nothing that hides or turns
// what stands beside it; at most so many characters.
func line(text string, most int) string {
	text = strings.ToValidUTF8(text, "�")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
