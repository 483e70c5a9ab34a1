package web_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shots is a folder for pictures of what the browser shows; "" = none are taken.
var shots = flag.String("web.screenshots", "", "a folder for pictures of the pages")

// browser starts a Chromium of its own, headless, that fetches nothing from elsewhere.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("chromium-browser")
	}
	if err != nil {
		t.Fatalf("this test needs Chromium (apt-get install chromium): %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true),
	)
	// A little less than the limit of "make test", so that it is this test that says where it stood.
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// page is a browser's tab on a program's pages.
type page struct {
	context.Context
	t *testing.T
	w *world
}

func (w *world) browser() page { return page{browser(w.t), w.t, w} }

// do does what a person does.
func (p page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p, steps...); err != nil {
		p.t.Fatalf("%v\n%s", err, p.w.log)
	}
}

func (p page) visit(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.w.URL() + path))
}

// press presses a button by what stands on it, and waits for the page that comes of it.
func (p page) press(text string) {
	p.t.Helper()
	if _, err := chromedp.RunResponse(p, chromedp.Click(chromedp.Search("//button[normalize-space()='"+text+"']"))); err != nil {
		p.t.Fatalf("press %q: %v\n%s", text, err, p.w.log)
	}
}

// open follows a link by what stands on it.
func (p page) open(text string) {
	p.t.Helper()
	if _, err := chromedp.RunResponse(p, chromedp.Click(chromedp.Search("//a[normalize-space()='"+text+"']"))); err != nil {
		p.t.Fatalf("open %q: %v\n%s", text, err, p.w.log)
	}
}

// soon waits until the page says something by itself.
func (p page) soon(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.text(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the page does not come to say %q:\n%s\n%s", text, p.text(), p.w.log)
		}
	}
}

// text is what the page says.
func (p page) text() string {
	p.t.Helper()
	text, err := chromedp.Run(p, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// title is what the tab is called.
func (p page) title() string {
	p.t.Helper()
	title, err := chromedp.Run(p, chromedp.Title())
	if err != nil {
		p.t.Fatal(err)
	}
	return title
}

// untilLike reads a page again until a pattern matches what it says.
func (p page) untilLike(pattern string) {
	p.t.Helper()
	like := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); !like.MatchString(p.text()); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the page never says anything like %s:\n%s", pattern, p.text())
		}
		p.do(chromedp.Reload())
	}
}

// until waits until the page says something, reading it again as a person does.
func (p page) until(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.text(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the page never says %q:\n%s", text, p.text())
		}
		p.do(chromedp.Reload())
	}
}

// arrives waits, without reading again, until the browser has gone by itself to a page that says something.
func (p page) arrives(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		says, err := chromedp.Run(p, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''")) // there is no page for a moment
		if err == nil && strings.Contains(says, text) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it never comes to a page that says %q: %s, %v\n%s", text, says, err, p.w.log)
		}
	}
}

// shot takes a picture of the page, if pictures are wanted.
func (p page) shot(name string) {
	p.t.Helper()
	if *shots != "" {
		p.picture(*shots, name)
	}
}

// picture puts a picture of the whole page into a folder.
func (p page) picture(folder, name string) {
	p.t.Helper()
	png, err := chromedp.Run(p, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Fatalf("picture %s: %v", name, err)
	}
}
