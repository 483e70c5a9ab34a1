package mail

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Most is how many things a letter lists; of more it says how many there are.
const Most = 50

// Lengths of texts from outside, in characters.
const (
	maxName = 80
	maxHint = 400
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
	url      string            // of the dashboard
	accounts map[string]string // names by id
}

// compose puts a letter into words. It is the same for the same letter, so that a repeated one is.
func compose(l store.Letter, s site) message {
	m := message{ID: l.ID, To: l.Email}
	var b strings.Builder
	if l.Count == 1 {
		m.Subject = line(Title(l.Mails[0].Kind, l.Mails[0].Facts), 2*maxName)
		s.whole(&b, l.Mails[0])
	} else {
		m.Subject = fmt.Sprintf("%d things about your webhooks", l.Count)
		b.WriteString("This happened to your webhook endpoints:\n\n")
		for i, one := range l.Mails {
			s.item(&b, i+1, one)
		}
		if more := l.Count - len(l.Mails); more > 0 {
			fmt.Fprintf(&b, "... and %d more. All endpoints: %s/endpoints\n\n", more, s.url)
		}
	}
	s.foot(&b, l)
	m.Text = b.String()
	return m
}

// whole tells one thing.
func (s site) whole(b *strings.Builder, m store.Mail) {
	k, f := kindOf(m.Kind), factsOf(m)
	fmt.Fprintf(b, "Your webhook endpoint %s %s (%s UTC).\n\n", f.name(), k.more(f), f.At.UTC().Format("2 January 2006, 15:04"))
	if f.Text != "" {
		fmt.Fprintf(b, "%s\n\n", f.Text)
	}
	if f.Hint != "" {
		fmt.Fprintf(b, "The last attempt (%s): %s\n\n", f.Class, f.Hint)
	}
	if f.Held > 0 {
		orMore := ""
		if f.Held >= store.CountLimit {
			orMore = " or more"
		}
		fmt.Fprintf(b, "Deliveries that are held: %d%s\n\n", f.Held, orMore)
	}
	fmt.Fprintf(b, "%s\n\n%s\n\n", k.next, s.page(m))
}

// item tells one thing of several.
func (s site) item(b *strings.Builder, number int, m store.Mail) {
	f := factsOf(m)
	fmt.Fprintf(b, "%d. %s %s (%s UTC).\n", number, f.name(), kindOf(m.Kind).more(f), f.At.UTC().Format("2 January 2006, 15:04"))
	for _, text := range []string{f.Text, f.Hint} {
		if text != "" {
			fmt.Fprintf(b, "   %s\n", text)
		}
	}
	if len(s.accounts) > 1 {
		fmt.Fprintf(b, "   Account: %s\n", s.account(m.AccountID))
	}
	fmt.Fprintf(b, "   %s\n\n", s.page(m))
}

// foot says why somebody gets this, and where to change it.
func (s site) foot(b *strings.Builder, l store.Letter) {
	whose := "several accounts name"
	if len(s.accounts) == 1 {
		whose = fmt.Sprintf("the account %s names", s.account(l.Mails[0].AccountID))
	}
	b.WriteString("-- \n")
	s.why(b, whose)
}

func (s site) why(b *strings.Builder, whose string) {
	fmt.Fprintf(b, "You get this because %s your address for news of webhooks, or names\nnone and you are an owner or an admin. Change that here:\n%s/settings/notifications\n", whose, s.url)
}

// page is the address of an endpoint's page.
func (s site) page(m store.Mail) string { return s.url + "/endpoints/" + m.EndpointID }

func (s site) account(id string) string { return quoted(s.accounts[id], id) }

// test is a mail that shows that mail arrives.
func (s site) test(id, to, account string) message {
	var b strings.Builder
	b.WriteString("This is a test. Mail from this server arrives.\n\n-- \n")
	s.why(&b, "the account "+quoted(account, "")+" names")
	return message{ID: id, To: to, Subject: "A test from ComplianceLayer", Text: b.String()}
}

// factsOf reads what a mail tells, cleaned.
func factsOf(m store.Mail) Facts {
	var f Facts
	_ = json.Unmarshal(m.Facts, &f) // written by Rows
	f.Host, f.Description = line(f.Host, maxName), line(f.Description, maxName)
	f.Class, f.Hint, f.Text = line(f.Class, maxName), line(f.Hint, maxHint), line(f.Text, maxHint)
	return f
}

// name says which endpoint it is.
func (f Facts) name() string {
	if description := line(f.Description, maxName); description != "" {
		return "\"" + description + "\" (" + line(f.Host, maxName) + ")"
	}
	return line(f.Host, maxName)
}

// quoted gives a name in quotes, or what stands for it.
func quoted(name, otherwise string) string {
	if name = line(name, maxName); name == "" {
		return otherwise
	}
	return "\"" + name + "\""
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
