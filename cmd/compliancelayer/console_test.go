package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// quiet makes a console that keeps what it is told.
func quiet() (c *console, out, notes *bytes.Buffer) {
	out, notes = &bytes.Buffer{}, &bytes.Buffer{}
	return &console{in: strings.NewReader(""), out: out, err: notes, width: 80}, out, notes
}

func TestForeignTextIsCleaned(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain text", "Grüße, 日本 ✓", "Grüße, 日本 ✓"},
		{"an escape sequence", "a\x1b[31mred\x1b[0m", "a[31mred[0m"},
		{"an 8-bit escape sequence", "a\u009b31mred", "a31mred"},
		{"a title", "\x1b]0;evil\a", "]0;evil"},
		{"the way back", "good\rbad\b\b\b", "good bad"},
		{"line breaks", "a\nb\tc", "a b c"},
		{"text turned around", "user\u202etxt.exe\u2066x\u2069\u200f", "usertxt.exex"},
		{"what cannot be seen", "a\u200bb\ufeffc\u00add\u2028e", "abcd e"},
		{"what is not UTF-8", "a\xffb", "a\ufffdb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := clean(tt.text); got != tt.want {
				t.Errorf("clean(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
	if got, want := cleanText("a\r\n\tb\x1b[2J\u202e"), "a\n\tb[2J"; got != want {
		t.Errorf("cleanText keeps %q, want %q", got, want)
	}
}

func TestSayingCleansTextsAndErrorsButNotWhatIsPainted(t *testing.T) {
	t.Parallel()
	c, out, _ := quiet()
	c.color = true
	c.say("%s %s %s %d", "a\x1bb", misuse("c\x1bd"), c.paint(red, "e\x1bf"), 7)
	if got, want := out.String(), "ab cd \x1b[31mef\x1b[0m 7\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestColoursAreLeftOut(t *testing.T) {
	t.Parallel()
	c, _, _ := quiet()
	if got := c.paint(green, "ok"); got != "ok" {
		t.Errorf("painted %q without colours", got)
	}
}

func TestJSONHasNoCharactersThatATerminalObeys(t *testing.T) {
	t.Parallel()
	c, out, _ := quiet()
	text := "a\x1b\u009b\u202e\U000e0041<&>é"
	if err := c.json(map[string]string{"text": text}); err != nil {
		t.Fatal(err)
	}
	printed := out.String()
	if want := `"a\u001b\u009b\u202e\udb40\udc41<&>é"`; !strings.Contains(printed, want) {
		t.Errorf("printed %s, want %s in it", printed, want)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["text"] != text {
		t.Errorf("read back %q (%v), want %q", back["text"], err, text)
	}
}

func TestTableColumnsFitTheirWidestCell(t *testing.T) {
	t.Parallel()
	c, out, _ := quiet()
	c.table([]string{"ID", "STATE", "URL"}, [][]string{{"1", "delivered", "a\nb"}, {"größer", "ok", ""}})
	want := "ID      STATE      URL\n1       delivered  a b\ngrößer  ok\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out, want)
	}
}

func TestDetailsLeaveEmptyValuesOut(t *testing.T) {
	t.Parallel()
	c, out, _ := quiet()
	c.details(field{"id", "1"}, field{"a very long name", ""}, field{"state", "ok"})
	if want := "id     1\nstate  ok\n"; out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out, want)
	}
}

func TestProgressIsQuietInAPipe(t *testing.T) {
	t.Parallel()
	c, out, notes := quiet()
	b := c.progress("retry")
	b.set(1, 2, "1 of 2")
	b.end()
	if out.Len()+notes.Len() != 0 {
		t.Errorf("printed %q and %q", out, notes)
	}
}

func TestProgressIsOneLineThatGoesAway(t *testing.T) {
	t.Parallel()
	c, out, notes := quiet()
	c.live, c.width = true, 40
	b := c.progress("retry")
	b.set(1, 4, "1 of 4\n, evil")
	b.set(2, 4, "too soon to be drawn")
	b.set(4, 4, "4 of 4")
	b.end()
	b.end()
	want := "\r\x1b[Kretry [======                  ]  25 % \r\x1b[Kretry [========================] 100 % \r\x1b[K"
	if notes.String() != want || out.Len() != 0 {
		t.Errorf("printed %q, want %q", notes, want)
	}
}

func TestProgressWithoutATotalCounts(t *testing.T) {
	t.Parallel()
	c, _, notes := quiet()
	c.live = true
	c.progress("export").set(7, 0, "7 deliveries")
	if want := "\r\x1b[Kexport  7 deliveries"; notes.String() != want {
		t.Errorf("printed %q, want %q", notes, want)
	}
}

func TestASecretCanComeFromStandardInput(t *testing.T) {
	t.Parallel()
	c, _, _ := quiet()
	c.in = strings.NewReader(" whsec_abc \nrest")
	for set, want := range map[string]string{"-": "whsec_abc", "given": "given", "": ""} {
		if got, err := c.secret(set); err != nil || got != want {
			t.Errorf("secret(%q) = %q, %v; want %q", set, got, err, want)
		}
	}
}

func TestInputThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	c, _, _ := quiet()
	c.in = strings.NewReader(strings.Repeat("x", maxInput+1))
	if _, err := c.readAll(""); err == nil {
		t.Error("read more than 16 MiB")
	}
}
