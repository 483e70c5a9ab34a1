package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

// measureShifts has the browser note whatever it counts as an unasked movement on the page, from its loading on.
const measureShifts = `window.shifts = []; new PerformanceObserver((list) => {
	for (const e of list.getEntries()) window.shifts.push(e.value.toFixed(4) + ": " + e.sources.map((s) => (s.node?.outerHTML ?? s.node?.textContent ?? "gone").slice(0, 80) + " from " + s.previousRect.y + " to " + s.currentRect.y).join("; "));
}).observe({type: "layout-shift", buffered: true})`

// noMoreRows waits until no row has arrived for two seconds.
const noMoreRows = `new Promise((done) => {
	let rows = -1, same = 0;
	const look = setInterval(() => {
		same = tail.children.length === rows ? same + 1 : 0;
		rows = tail.children.length;
		if (same < 20) return;
		clearInterval(look);
		done();
	}, 100);
})`

// TestNothingMovesWhileLiveRowsArrive has the browser itself say so, of what is around the list and of the rows in it. Who has
// scrolled down in it keeps their place.
func TestNothingMovesWhileLiveRowsArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*")
	c := zoe.key()
	for range 3 {
		publish(t, c, "before.example")
	}
	p := w.browser()
	p.visit("/sign-in")
	p.post("/sign-in", []string{"email", "zoe@example.com", "password", password})
	for _, width := range []int64{phone, laptop} {
		p.wear(look{"light", width})
		p.visit("/deliveries?live=1")
		p.do(chromedp.Evaluate[chromedp.Void](measureShifts))
		for _, count := range []int{1, 5, 20} { // the first rows, those that fill the list, and more than fit into it
			p.rowsArrive(func() {
				for range count {
					publish(t, c, "live.example")
				}
			})
		}
		p.do(chromedp.Evaluate[chromedp.Void](noMoreRows, chromedp.EvalAwaitPromise))
		for deadline := time.Now().Add(patience); number(p, "tail.scrollTop") != 0; p.settle() {
			if time.Now().After(deadline) {
				t.Fatalf("at %d the list stands at %d, and its newest row is not seen", width, number(p, "tail.scrollTop"))
			}
		}
		p.wantStill(width)

		p.do(chromedp.Evaluate[chromedp.Void]("tail.scrollTop = 200; window.read = [...tail.children].find((li) => li.getBoundingClientRect().top >= tail.getBoundingClientRect().top)"))
		place := number(p, "read.getBoundingClientRect().top")
		p.rowsArrive(func() { publish(t, c, "later.example") })
		if now := number(p, "read.getBoundingClientRect().top"); now != place {
			t.Errorf("at %d the row that somebody reads moved from %d to %d", width, place, now)
		}
		p.wantStill(width)
	}
}

// A live list whose server was gone looked like one of a day on which nothing happens.
func TestALiveListSaysThatItsConnectionIsLost(t *testing.T) {
	t.Parallel()
	var database string
	w := newWorld(t, func(c *app.Config) { database = c.Database })
	zoe := w.owner()
	zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*")
	c := zoe.key()
	p := w.signedIn()
	p.visit("/deliveries?live=1")
	p.rowsArrive(func() { publish(t, c, "before.example") })
	p.do(chromedp.Evaluate[chromedp.Void](measureShifts))
	if lost := "The connection is lost"; strings.Contains(p.text(), lost) {
		t.Errorf("beside rows that arrive the page says %q", lost)
	}
	w.stop()
	p.soon("The connection is lost; connecting again ...")
	p.wantStill(laptop)

	<-w.gone
	p.w = newWorld(t, func(c *app.Config) { c.Listen, c.Database = strings.TrimPrefix(w.URL(), "http://"), database })
	for deadline := time.Now().Add(patience); strings.Contains(p.text(), "The connection is lost"); p.settle() {
		if time.Now().After(deadline) {
			t.Fatalf("the server is back, and the page says that it is lost:\n%s", p.w.log)
		}
	}
	p.wantStill(laptop)
	p.rowsArrive(func() { publish(t, c, "after.example") })
}

// What is followed by a session that has ended leads to the sign-in page, also from an older page of the log, which does not look again.
func TestALiveListWhoseSessionHasEndedLeadsToTheSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*")
	c := zoe.key()
	p := w.signedIn()
	p.visit("/deliveries?live=1&cursor=x")
	p.rowsArrive(func() { publish(t, c, "before.example") })
	zoe.post(zoe.get("/settings/sessions", http.StatusOK).find(`action="(/settings/sessions/[^"/]+/end)"><button class="plain">End<`), http.StatusOK)
	p.arrives("Sign in")
}

// rowsArrive does something until rows have come of it, and are drawn: what happens before the list is connected is not in it.
func (p page) rowsArrive(do func()) {
	p.t.Helper()
	before := number(p, "tail.children.length")
	for deadline := time.Now().Add(patience); number(p, "tail.children.length") == before; p.settle() {
		do()
		if time.Now().After(deadline) {
			p.t.Fatalf("no row arrives:\n%s", p.w.log)
		}
	}
	p.settle()
}

// wantStill wants the browser to have noted no movement.
func (p page) wantStill(width int64) {
	p.t.Helper()
	p.settle()
	moved, err := chromedp.Run(p, chromedp.Evaluate[[]string]("shifts"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, one := range moved {
		p.t.Errorf("at %d something moved: %s", width, one)
	}
}

// number reads a whole number off the page.
func number(p page, expression string) int {
	p.t.Helper()
	n, err := chromedp.Run(p, chromedp.Evaluate[int](fmt.Sprintf("Math.round(%s)", expression)))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}
