package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// spot is where the keyboard is on a page.
type spot struct {
	At   int    // among all that can be used; -1 = nowhere
	What string // it is
	Seen bool   // an outline shows it, and it is in the window
}

// usable are the elements that Tab should come to, in the order of the document.
const usable = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
	.filter((e) => e.checkVisibility() && e.type !== "hidden" && !e.disabled && (e.type !== "radio" || e.checked))`

// whereFocusIs reads a spot.
const whereFocusIs = `(() => {
	const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
	return {
		At: ` + usable + `.indexOf(e),
		What: e.name || e.textContent.trim().replace(/\s+/g, " ") || e.tagName,
		Seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth,
	};
})()`

func (p page) spot() spot {
	p.t.Helper()
	s, err := chromedp.Run(p, chromedp.Evaluate[spot](whereFocusIs))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p page) key(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
}

// walk goes through the page by Tab and gives what it came to.
func (p page) walk() []string {
	p.t.Helper()
	p.settle()
	count, err := chromedp.Run(p, chromedp.Evaluate[int](usable+".length"))
	if err != nil {
		p.t.Fatal(err)
	}
	var came []string
	last := -1
	for range 8 * count { // a field for a time has eight parts
		p.key(kb.Tab)
		s := p.spot()
		if s.At == last {
			continue
		}
		if s.At != last+1 {
			p.t.Fatalf("after %q Tab comes to %q, which is number %d of the document and not %d", came, s.What, s.At, last+1)
		}
		if !s.Seen {
			p.t.Errorf("the keyboard is on %q, and nobody sees it", s.What)
		}
		came = append(came, s.What)
		if last = s.At; last == count-1 {
			return came
		}
	}
	p.t.Fatalf("Tab comes to %d of %d: %q", len(came), count, came)
	return nil
}

// TestTheKeyboardIsEnough walks through pages by Tab: it comes to all that can be used, in the order of the page, and
// is seen wherever it is.
func TestTheKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*")
	accepted := publish(t, zoe.key(), "keys.example")
	zoe.until("/deliveries/"+accepted.Deliveries[0].ID, "200 OK")
	p := w.browser()
	has := func(path string, width int64, want ...string) {
		t.Helper()
		p.wear(look{"light", width})
		p.visit(path)
		came := p.walk()
		for _, one := range want {
			at := slices.Index(came, one)
			if at < 0 {
				t.Errorf("%s at %d: Tab never comes to %q, or too early: %q", path, width, one, came)
				continue
			}
			came = came[at+1:]
		}
	}
	for _, width := range []int64{phone, desk} {
		has("/sign-in", width, "email", "password", "Sign in")
	}
	p.post("/sign-in", []string{"email", "zoe@example.com", "password", password})
	has("/endpoints/new", desk, "Skip to the page", "Deliveries", "Sign out", "url", "description", "events", "Add webhook")
	has("/deliveries", desk, "Skip to the page", "Deliveries", "Sign out", "endpoint", "status", "from", "to", "id", "Show", accepted.Deliveries[0].ID)
	has("/deliveries", phone, "Skip to the page", "Menu", "endpoint", "status", "from", "to", "id", "Show", accepted.Deliveries[0].ID)
}

// TestTheKeysOfTheDashboard skips to the page, and uses j, k and / in a list.
func TestTheKeysOfTheDashboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*")
	c := zoe.key()
	older, newer := publish(t, c, "older.example").Deliveries[0].ID, publish(t, c, "newer.example").Deliveries[0].ID
	p := w.browser()
	p.wear(look{"light", desk})
	p.visit("/sign-in")
	p.post("/sign-in", []string{"email", "zoe@example.com", "password", password})

	p.visit("/deliveries")
	p.key(kb.Tab)
	p.key(kb.Enter)
	p.key(kb.Tab)
	if first, err := chromedp.Run(p, chromedp.Evaluate[bool](usable+".find((e) => e.closest('main')) === document.activeElement")); err != nil || !first {
		t.Errorf("after skipping to the page Tab comes to %q, want the first thing on it, %v", p.spot().What, err)
	}

	p.visit("/deliveries")
	for _, step := range []struct{ key, want string }{
		{"j", newer}, {"j", older}, {"j", older}, {"k", newer}, {"k", newer}, {"/", "endpoint"}, {"j", "endpoint"},
	} {
		p.key(step.key)
		if at := p.spot(); at.What != step.want || !at.Seen {
			t.Errorf("after %s the keyboard is on %q, seen: %t; want it on %q", step.key, at.What, at.Seen, step.want)
		}
	}
	p.do(chromedp.Focus(chromedp.CSS("[name=id]")))
	p.key("j/k")
	if typed, err := chromedp.Run(p, chromedp.Value(chromedp.CSS("[name=id]"))); err != nil || typed != "j/k" {
		t.Errorf("what is typed in a field arrives as %q, %v", typed, err)
	}

	p.visit("/deliveries")
	p.key("j")
	if _, err := chromedp.RunResponse(p, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if at, err := chromedp.Run(p, chromedp.Location()); err != nil || !strings.HasSuffix(at, "/deliveries/"+newer) {
		t.Errorf("Enter on a row leads to %s, %v", at, err)
	}
}
