package jira

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"a line", "one", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"one"}]}]}`},
		{"a line break", "one\r\ntwo", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"one"},{"type":"hardBreak"},{"type":"text","text":"two"}]}]}`},
		{"paragraphs", "\none\n\n\n\ntwo\n", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"one"}]},{"type":"paragraph","content":[{"type":"text","text":"two"}]}]}`},
		{"nothing", " \n\n", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"-"}]}]}`},
		{"what looks like markup is text", "[~admin] {color:red}", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"[~admin] {color:red}"}]}]}`},
		{"control characters", "a\x00b\u0085c\u2028d\xff", `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"abc"},{"type":"hardBreak"},{"type":"text","text":"d` + "\ufffd" + `"}]}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(document(tt.text))
			if err != nil || string(got) != tt.want {
				t.Errorf("document(%q) = %s, %v, want %s", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestDocumentIsNotTooLong(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(document(strings.Repeat("a\n\n", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(raw), `"text":"a"`); n < 9_000 || n > maxText/3+1 {
		t.Errorf("the document has %d paragraphs of one character and an empty line, want about %d", n, maxText/3)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"as it is", "Low score", "Low score"},
		{"line breaks", " Low\r\nscore\u2028for\tall \n", "Low score for all"},
		{"nothing", "\n", "ComplianceLayer"},
		{"as long as it may be", strings.Repeat("ä", 255), strings.Repeat("ä", 255)},
		{"too long", strings.Repeat("ä", 256), strings.Repeat("ä", 254) + "…"},
		{"characters that Jira counts twice", strings.Repeat("😀", 128), strings.Repeat("😀", 127) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := summary(tt.text)
			if got != tt.want {
				t.Errorf("summary(%q) = %q, want %q", tt.text, got, tt.want)
			}
			if n := utf8.RuneCountInString(got); n > 255 {
				t.Errorf("the summary has %d characters", n)
			}
		})
	}
}
