package jira

import (
	"strings"
	"unicode/utf8"
)

// maxText is the longest description or comment in characters: Jira's own default
// limit of a text field (jira.text.field.character.limit) is 32,767. What a document
// has around its text counts too, so there is room left.
const maxText = 30000

// node is a part of a document in the Atlassian Document Format
// (https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/). Text
// is text there and never markup, so nothing in it can become a link, a mention or a
// picture.
type node struct {
	Type    string `json:"type"`
	Version int    `json:"version,omitempty"` // of the document: 1
	Text    string `json:"text,omitempty"`
	Content []node `json:"content,omitempty"`
}

// document makes a document of a text: paragraphs where it has empty lines, line breaks
// where it has others.
func document(text string) node {
	doc := node{Type: "doc", Version: 1, Content: []node{}}
	for paragraph := range strings.SplitSeq(cut(clean(text), maxText), "\n\n") {
		if content := lines(paragraph); len(content) > 0 {
			doc.Content = append(doc.Content, node{Type: "paragraph", Content: content})
		}
	}
	if len(doc.Content) == 0 { // a document without anything is refused
		doc.Content = append(doc.Content, node{Type: "paragraph", Content: []node{{Type: "text", Text: "-"}}})
	}
	return doc
}

func lines(paragraph string) (content []node) {
	for line := range strings.SplitSeq(strings.Trim(paragraph, "\n"), "\n") {
		if len(content) > 0 {
			content = append(content, node{Type: "hardBreak"})
		}
		if line = strings.TrimRight(line, " "); line != "" { // an empty text is refused
			content = append(content, node{Type: "text", Text: line})
		}
	}
	return content
}

// maxSummary is the longest summary that Jira takes, in characters; it takes no line
// breaks in one either.
const maxSummary = 255

// summary makes one line of a text.
func summary(text string) string {
	line := cut(strings.Join(strings.Fields(clean(text)), " "), maxSummary)
	if line == "" { // required by Jira
		return "ComplianceLayer"
	}
	return line
}

// clean removes what a text of Jira cannot have: control characters other than line
// breaks and tabs. Bytes that are no UTF-8 become the replacement character.
func clean(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return c
		case c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0xfffe || c == 0xffff:
			return -1
		case c == '\u2028' || c == '\u2029': // line breaks too
			return '\n'
		}
		return c
	}, strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\ufffd"))
}

// cut shortens a text to so many UTF-16 units, which is what Jira counts, and shows that
// it did.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most/2 || units(text) <= most {
		return text
	}
	used := 0
	for i, c := range text {
		if used += width(c); used > most-1 {
			return text[:i] + "…"
		}
	}
	return text
}

func units(text string) (n int) {
	for _, c := range text {
		n += width(c)
	}
	return n
}

func width(c rune) int {
	if c > 0xffff {
		return 2
	}
	return 1
}
