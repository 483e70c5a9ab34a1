package vendortest

import (
	"errors"
	"fmt"
	"strings"
)

// adf is a document in the Atlassian Document Format, of which this knows what a plain
// text needs: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/.
type adf struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
	Text    string `json:"text"`
	Content []adf  `json:"content"`
}

// maxJiraText is Jira's limit of a text field, in characters.
const maxJiraText = 32767

// text checks a document and gives what it says.
func (d adf) text() (string, error) {
	if d.Type != "doc" || d.Version != 1 || d.Text != "" {
		return "", errors.New("a document has the type doc and the version 1")
	}
	if len(d.Content) == 0 {
		return "", errors.New("the document is empty")
	}
	var paragraphs []string
	for _, paragraph := range d.Content {
		text, err := paragraph.paragraph()
		if err != nil {
			return "", err
		}
		paragraphs = append(paragraphs, text)
	}
	text := strings.Join(paragraphs, "\n\n")
	if n := len([]rune(text)); n > maxJiraText {
		return "", fmt.Errorf("the text has %d characters, over %d", n, maxJiraText)
	}
	return text, nil
}

func (d adf) paragraph() (string, error) {
	if d.Type != "paragraph" || d.Version != 0 || d.Text != "" {
		return "", fmt.Errorf("a document has paragraphs, and not %q", d.Type)
	}
	var text strings.Builder
	for _, part := range d.Content {
		switch {
		case part.Version != 0 || len(part.Content) > 0:
			return "", fmt.Errorf("a %s has nothing in it", part.Type)
		case part.Type == "hardBreak" && part.Text == "":
			text.WriteString("\n")
		case part.Type == "text" && part.Text != "" && !strings.ContainsAny(part.Text, "\n\r\x00"):
			text.WriteString(part.Text)
		default:
			return "", fmt.Errorf("a %s with the text %q", part.Type, part.Text)
		}
	}
	return text.String(), nil
}
