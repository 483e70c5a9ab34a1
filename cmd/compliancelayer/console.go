package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"
)

type writer = io.Writer

// console is where a command reads from and writes to.
type console struct {
	in       io.Reader
	out      writer // results
	err      writer // notes, progress, errors
	color    bool   // out shows colours
	colorErr bool   // err shows colours
	live     bool   // err is a terminal, on which a line can be drawn again
	width    int    // of that terminal
}

// newConsole looks at what the three files are. Colours need a terminal and no
// NO_COLOR (no-color.org); progress needs a terminal.
func newConsole(in, out, err *os.File) *console {
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	c := &console{in: in, out: out, err: err, live: term.IsTerminal(int(err.Fd())), width: 80}
	c.color = !plain && term.IsTerminal(int(out.Fd()))
	c.colorErr = !plain && c.live
	if w, _, sizeErr := term.GetSize(int(err.Fd())); sizeErr == nil && w > 0 {
		c.width = w
	}
	return c
}

// style is a way to show text, by its code of ECMA-48.
type style string

const (
	normal style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// painted is text that is printed as it is: it was made here, or was cleaned.
type painted string

// paint gives text in a style, when standard output shows it. The text is cleaned.
func (c *console) paint(s style, text string) painted { return paint(c.color, s, clean(text)) }

func (c *console) paintErr(s style, text string) painted { return paint(c.colorErr, s, clean(text)) }

func paint(on bool, s style, text string) painted {
	if !on || s == normal {
		return painted(text)
	}
	return painted("\x1b[" + string(s) + "m" + text + "\x1b[0m")
}

// say prints a line of the result. Texts among args are cleaned.
func (c *console) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, format+"\n", cleanAll(args)...) // a closed pipe ends the process by a signal
}

// note prints a line that is no result: what else to know, what to do next.
func (c *console) note(format string, args ...any) {
	_, _ = fmt.Fprintf(c.err, format+"\n", cleanAll(args)...) // there is nowhere else to say it
}

// cleanAll cleans what may come from elsewhere.
func cleanAll(args []any) []any {
	cleaned := make([]any, len(args))
	for i, a := range args {
		switch x := a.(type) {
		case string:
			cleaned[i] = clean(x)
		case error:
			cleaned[i] = clean(x.Error())
		case []string:
			cleaned[i] = clean(strings.Join(x, ", "))
		default:
			cleaned[i] = a
		}
	}
	return cleaned
}

// clean makes foreign text safe to print within a line: without control
// characters, which a terminal obeys, and without format characters, which turn
// the order of a line around or hide in it.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, text)
}

// cleanText is clean for text of several lines.
func cleanText(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}

// visible drops what is not meant to be seen: the categories Cc (control), Cf (format,
// the bidirectional ones among them), Zl and Zp (line separators).
func visible(r rune) rune {
	if unseen(r) {
		return -1
	}
	return r
}

func unseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// json prints a value as JSON, indented.
func (c *console) json(value any) error { return c.writeJSON(value, "  ") }

// jsonLine prints a value as one line of JSON.
func (c *console) jsonLine(value any) error { return c.writeJSON(value, "") }

func (c *console) writeJSON(value any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err := c.out.Write(escapeUnseen(b.Bytes()))
	return err
}

// escapeUnseen writes the characters that clean would drop as \u escapes: the
// same JSON, safe to look at. Outside of texts JSON has none of them but line breaks.
func escapeUnseen(text []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(text) {
		if r == '\n' || !unseen(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

// maxInput bounds what is read of standard input: far more than any event.
const maxInput = 16 << 20

// readAll reads standard input, or a file when path is neither "" nor "-".
func (c *console) readAll(path string) ([]byte, error) {
	in := c.in
	if path != "" && path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	} else if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		c.note("reading standard input; end it with Ctrl-D")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	if len(text) > maxInput {
		return nil, errors.New("the input is longer than 16 MiB")
	}
	return text, nil
}

// secret gives a secret that was set, or the first line of standard input for "-".
func (c *console) secret(set string) (string, error) {
	if set != "-" {
		return set, nil
	}
	text, err := c.readAll("-")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}
