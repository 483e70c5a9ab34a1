package web

import (
	"bytes"
	"encoding/json"
	"strings"
)

// snippet is how a receiver checks a signature, in one language.
type snippet struct{ Language, Code string }

// snippetNames are the languages in the order of the page, with their files.
var snippetNames = []struct{ language, file string }{
	{"JavaScript", "javascript.js"}, {"Python", "python.py"}, {"Go", "go.txt"}, {"PHP", "php.php"}, {"Ruby", "ruby.rb"},
}

// readSnippets reads them. They check the header webhook-signature, which holds a signature for each live secret, against every secret that the
// receiver knows: X-ComplianceLayer-Signature has room for one, so a receiver of it breaks at a rotation, whatever the
// overlap. Each is whole: it takes the raw bytes, holds the time to five minutes, and compares in constant time.
func readSnippets() ([]snippet, error) {
	var all []snippet
	for _, n := range snippetNames {
		code, err := files.ReadFile("snippets/" + n.file)
		if err != nil {
			return nil, err
		}
		all = append(all, snippet{n.language, strings.TrimSpace(string(code))})
	}
	return all, nil
}

// publishing writes how a program publishes an event of a type.
func publishing(name string, sample []byte) string {
	var line bytes.Buffer
	if json.Compact(&line, sample) != nil || line.Len() == 0 {
		line.Reset()
		line.WriteString("{}")
	}
	return `curl -X POST https://YOUR-SERVER/v1/events \
  -H "Authorization: Bearer $COMPLIANCELAYER_API_KEY" \
  -H "Content-Type: application/json" \
  -d ` + quoted(`{"type":"`+name+`","data":`+line.String()+`}`)
}

// receiving writes how a receiver takes an event of a type up, after it has checked the signature.
func receiving(name string) string {
	return `// after the signature was checked, and not twice for one event.id
switch (event.type) {
  case "` + name + `":
    queue.add(event.id, event.data); // answer 200 now, work on it later
    break;
}`
}
