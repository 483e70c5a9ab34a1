package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// redrawEvery keeps a fast loop from spending its time on the terminal.
const redrawEvery = 50 * time.Millisecond

// bar is a line that shows how far long work is, drawn again and again on a terminal.
// Elsewhere it prints nothing at all. It may be told from several goroutines.
type bar struct {
	c     *console
	label string

	mu    sync.Mutex
	drawn time.Time // zero = nothing is on the line
}

// progress begins a bar; end it before anything else is printed.
func (c *console) progress(label string) *bar { return &bar{c: c, label: label} }

// set shows done of total; a total of 0 is not known yet. words say what is counted.
func (b *bar) set(done, total int64, words string) {
	if !b.c.live {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.drawn) < redrawEvery && done < total {
		return
	}
	b.drawn = time.Now()
	_, _ = fmt.Fprintf(b.c.err, "\r\x1b[K%s", b.line(done, total, words)) // a lost bar is no loss
}

// end takes the bar off the terminal.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn.IsZero() {
		return
	}
	b.drawn = time.Time{}
	_, _ = fmt.Fprint(b.c.err, "\r\x1b[K") // as above
}

// line gives the bar, never wider than the terminal: a wrapped line cannot be redrawn.
func (b *bar) line(done, total int64, words string) string {
	text := fmt.Sprintf("%s  %s", b.label, clean(words))
	if total > 0 {
		const cells = 24
		share := float64(min(done, total)) / float64(total)
		full := int(share * cells)
		text = fmt.Sprintf("%s [%s%s] %3.0f %%  %s", b.label, strings.Repeat("=", full), strings.Repeat(" ", cells-full), share*100, clean(words))
	}
	if utf8.RuneCountInString(text) < b.c.width {
		return text
	}
	return string([]rune(text)[:max(0, b.c.width-1)])
}
