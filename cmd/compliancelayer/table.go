package main

import (
	"strings"
	"unicode/utf8"
)

// table prints rows under headings, in columns as wide as they need.
func (c *console) table(head []string, rows [][]string) {
	all := append([][]string{head}, rows...)
	widths := make([]int, len(head))
	for r, row := range all {
		for i, text := range row {
			all[r][i] = clean(text)
			widths[i] = max(widths[i], utf8.RuneCountInString(all[r][i]))
		}
	}
	for r, row := range all {
		c.say("%s", c.line(row, widths, r == 0))
	}
}

// line puts cells next to each other.
func (c *console) line(row []string, widths []int, head bool) painted {
	var b strings.Builder
	for i, text := range row {
		look := styleOf(text)
		if head {
			look = dim
		}
		b.WriteString(string(c.paint(look, text)))
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
	}
	return painted(strings.TrimRight(b.String(), " "))
}

// styleOf gives the words of a state their colour.
func styleOf(text string) style {
	switch text {
	case "delivered", "enabled", "ok", "done":
		return green
	case "failed", "disabled", "fail", "revoked":
		return red
	case "retrying", "held", "warn", "discarded", "cancelled", "expired":
		return yellow
	}
	return normal
}

// field is one line of details.
type field struct{ name, value string }

// details prints names and values below each other; empty values are left out.
func (c *console) details(fields ...field) {
	width := 0
	for _, f := range fields {
		if f.value != "" {
			width = max(width, utf8.RuneCountInString(f.name))
		}
	}
	for _, f := range fields {
		if f.value == "" {
			continue
		}
		gap := strings.Repeat(" ", width-utf8.RuneCountInString(f.name)+2)
		c.say("%s%s%s", c.paint(dim, f.name), painted(gap), c.paint(styleOf(f.value), f.value))
	}
}
