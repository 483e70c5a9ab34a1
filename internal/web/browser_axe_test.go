package web_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axeFile is where scripts/prepare.sh puts axe-core.
const axeFile = "../../.cache/axe.min.js"

// axe reads the script that looks for what keeps people from using a page.
func axe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatalf("this test needs axe-core: run scripts/prepare.sh (or make prepare), which fetches it from npm: %v", err)
	}
	return string(text)
}

// look is how a page is looked at.
type look struct {
	theme string
	width int64
}

// The widths of a phone, a tablet, two laptops and a desk, in CSS pixels.
const (
	phone  = 375
	tablet = 768
	laptop = 1280
	wider  = 1366
	desk   = 1440
)

func (l look) String() string { return fmt.Sprintf("%s-%d", l.theme, l.width) }

// wear gives the tab a theme and a width. Nothing moves in it: colours halfway from one to the other are nobody's fault.
func (p page) wear(l look) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(l.width, 900))
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	if _, err := chromedp.Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		p.t.Fatal(err)
	}
}

// finding is a rule of axe-core that a page breaks.
type finding struct {
	Rule, Impact, Help string
	At                 []string // where, and what to do there
}

// findings is what axe-core says of the page: all of its rules, or those that are named.
const findings = `(rules) => axe.run(document, {
	resultTypes: ["violations"], preload: false, ...(rules.length ? {runOnly: rules} : {}),
}).then((done) => done.violations.map((v) => ({
	Rule: v.id, Impact: v.impact, Help: v.help, At: v.nodes.map((n) => n.target.join(" ") + "\n" + n.failureSummary),
})))`

// inspector looks at the page that a tab has loaded. It stands in a world of its own beside the page's script: it
// sees the document, is not held to the page's policy, and neither touches the other.
type inspector struct {
	page
	world runtime.ExecutionContextID
}

func (p page) inspector(axe string) inspector {
	p.t.Helper()
	tree, err := chromedp.Call(p, cdpage.GetFrameTree, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	made, err := chromedp.Call(p, cdpage.CreateIsolatedWorld, cdpage.CreateIsolatedWorldParams{FrameID: tree.FrameTree.Frame.ID, WorldName: "inspector"})
	if err != nil {
		p.t.Fatal(err)
	}
	i := inspector{p, made.ExecutionContextID}
	p.do(chromedp.Evaluate[chromedp.Void](axe, i.there))
	return i
}

// there lets a script run in the inspector's world.
func (i inspector) there(params *runtime.EvaluateParams) { params.ContextID = i.world }

// settle waits until the page is drawn as it is now, and its script has seen the new sizes.
func (p page) settle() {
	p.t.Helper()
	drawn := "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
	p.do(chromedp.Evaluate[chromedp.Void](drawn, chromedp.EvalAwaitPromise))
}

// accessible fails on what axe-core finds by rules; by all of them when none is named. What it calls minor is only told.
func (i inspector) accessible(l look, rules ...string) {
	i.t.Helper()
	names := `"` + strings.Join(rules, `","`) + `"`
	if len(rules) == 0 {
		names = ""
	}
	found, err := chromedp.Run(i, chromedp.Evaluate[[]finding]("("+findings+")(["+names+"])", i.there, chromedp.EvalAwaitPromise))
	if err != nil {
		i.t.Fatal(err)
	}
	for _, f := range found {
		tell := i.t.Errorf
		if f.Impact == "minor" {
			tell = i.t.Logf
		}
		tell("%s: %s (%s): %s\n%s", l, f.Rule, f.Impact, f.Help, strings.Join(f.At, "\n"))
	}
}

// sticksOut lists what does not fit into the window: what makes the page scroll sideways, what is cut off on the left, what
// stands outside of the menu that it belongs to, and tables that scroll although there is a laptop's width for them.
const sticksOut = `((roomy) => {
	const all = [...document.body.querySelectorAll("*")].filter((e) => e.checkVisibility()), box = (e) => e.getBoundingClientRect();
	const wide = document.documentElement.scrollWidth > innerWidth;
	return [
		...(wide ? ["the page is " + document.documentElement.scrollWidth + " wide"] : []),
		...all.filter((e) => wide && box(e).right > innerWidth && !e.closest(".wide, pre") || box(e).left < 0 && box(e).right > 0 && !e.closest(".wide") || e.closest(".menu-card") && box(e).left < box(e.closest(".menu-card")).left || roomy && e.matches(".wide") && e.scrollWidth > e.clientWidth)
			.slice(0, 5).map((e) => e.outerHTML.slice(0, 120)),
	];
})`

// fits fails when something does not.
func (i inspector) fits(l look) {
	i.t.Helper()
	out, err := chromedp.Run(i, chromedp.Evaluate[[]string](fmt.Sprintf("%s(%t)", sticksOut, l.width >= laptop), i.there))
	if err != nil {
		i.t.Fatal(err)
	}
	if len(out) > 0 {
		i.t.Errorf("%s: these do not fit:\n%s", l, strings.Join(out, "\n"))
	}
}

// cutMenus opens each menu of a page by itself and lists those that are not in the window then.
const cutMenus = `(async () => {
	const cut = [], drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
	for (const pop of document.querySelectorAll(".pop")) {
		pop.open = true;
		await drawn();
		const box = pop.lastElementChild.getBoundingClientRect();
		if (box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight) cut.push(pop.textContent.trim().slice(0, 40) + ": " + JSON.stringify(box));
		pop.open = false;
	}
	for (const list of document.querySelectorAll(".wide")) list.scrollLeft = 0;
	scrollTo(0, 0);
	return cut;
})()`

// menus fails when one opens where nobody sees all of it.
func (i inspector) menus(l look) {
	i.t.Helper()
	cut, err := chromedp.Run(i, chromedp.Evaluate[[]string](cutMenus, i.there, chromedp.EvalAwaitPromise))
	if err != nil {
		i.t.Fatal(err)
	}
	for _, one := range cut {
		i.t.Errorf("%s: a menu is outside of the window: %s", l, one)
	}
}

// unfold opens all that can be opened, so that it is looked at, too.
func (i inspector) unfold() {
	i.t.Helper()
	i.do(chromedp.Evaluate[chromedp.Void]("for (const d of document.querySelectorAll('details')) d.open = true", i.there))
	i.settle()
}

// watched is what a tab complained of and where it went.
type watched struct {
	mu   sync.Mutex
	said []string
}

// watch listens to a tab: errors of script, what the policy refused, and requests to anywhere but to its program.
func (p page) watch() *watched {
	p.t.Helper()
	w := &watched{}
	home := p.w.URL() + "/"
	err := chromedp.Listen(p, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if to := e.Request.URL; !strings.HasPrefix(to, home) && !strings.HasPrefix(to, "data:") && !strings.HasPrefix(to, "blob:") && to != "about:blank" {
				w.note("a request to " + to)
			}
		case *runtime.EventExceptionThrown:
			w.note("an exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				for _, arg := range e.Args {
					w.note(fmt.Sprintf("a %s on the console: %s%s", e.Type, arg.Value, arg.Description))
				}
			}
		case *log.EventEntryAdded:
			// Browsers note the status of a page that says what is wrong, and what they make of a value that was never one.
			status := e.Entry.Source == log.EntrySourceNetwork && strings.Contains(e.Entry.Text, "with a status of 4") && !strings.Contains(e.Entry.URL, "/static/")
			if e.Entry.Level == log.EntryLevelError && !status || e.Entry.Source == log.EntrySourceSecurity {
				w.note(fmt.Sprintf("%s of %s: %s %s", e.Entry.Level, e.Entry.Source, e.Entry.Text, e.Entry.URL))
			}
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

func (w *watched) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, what)
}

// quiet fails on what was noted since it was asked last.
func (w *watched) quiet(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range w.said {
		t.Error(what)
	}
	w.said = nil
}
