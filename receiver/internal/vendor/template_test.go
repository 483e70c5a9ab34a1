package vendor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func event(raw string) receiver.Event[json.RawMessage] {
	return receiver.Event[json.RawMessage]{ID: "e1", Type: "alert.triggered", CreatedAt: time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC), Raw: json.RawMessage(raw)}
}

func TestDataOf(t *testing.T) {
	t.Parallel()
	got := DataOf(event(`{"domain":"example.com","score":8.5e1,"grade":"B","severity":"high","alert_type":"score_drop","title":"T","message":"M",
		"old_value":92,"new_value":"78","extra":{"a":[1,2.5,true,null,1e400]}}`))
	want := Data{
		ID: "e1", Type: "alert.triggered", CreatedAt: time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC), Domain: "example.com", Score: 85, HasScore: true, Grade: "B",
		Severity: "high", AlertType: "score_drop", Title: "T", Message: "M", OldValue: "92", NewValue: "78",
	}
	want.Data = map[string]any{
		"domain": "example.com", "score": int64(85), "grade": "B", "severity": "high", "alert_type": "score_drop", "title": "T", "message": "M",
		"old_value": int64(92), "new_value": "78", "extra": map[string]any{"a": []any{int64(1), 2.5, true, nil, "1e400"}},
	}
	// Numbers within are read as plainly as the others.
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("DataOf (-want +got):\n%s", diff)
	}
	for _, raw := range []string{`null`, `[]`, `5`, `"x"`, ``, `{"domain":{},"score":"many","grade":[1],"title":null}`} {
		got := DataOf(event(raw))
		if got.Domain != "" || got.HasScore || got.Grade != "" || got.Title != "" || got.Data == nil {
			t.Errorf("%s gives %+v, want nothing of it", raw, got)
		}
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	data := DataOf(event(`{"domain":"ex<am>ple","score":0,"severity":"high","n":7,"list":["a&b",2],"message":"it's a long story"}`))
	brackets := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	tests := map[string]string{
		`{{.Domain}} <b>`:                                           `ex&lt;am&gt;ple <b>`,
		`{{raw .Domain}}`:                                           `ex<am>ple`,
		`{{.Domain | upper}}`:                                       `EX&lt;AM&gt;PLE`,
		`{{title .Message}}`:                                        `It's A Long Story`,
		`{{.Grade | default "none" | lower}}`:                       `none`,
		`{{.Data.missing}}-{{.Data.n}}`:                             `-7`,
		`{{.Data.score | default "-"}}`:                             `0`,
		`{{if and .HasScore (lt .Score 60)}}bad{{else}}good{{end}}`: `bad`,
		`{{range .Data.list}}[{{.}}]{{end}}`:                        `[a&amp;b][2]`,
		`{{with .Severity}}{{.}}{{end}}`:                            `high`,
		`{{$d := .Domain}}{{$d}}`:                                   `ex&lt;am&gt;ple`,
		`{{truncate 5 .Message}}`:                                   `it's…`,
		`{{json .Data.list}}`:                                       `["a\u0026b",2]`,
		`{{define "d"}}{{.Domain}}{{end}}{{template "d" .}}`:        `ex&lt;am&gt;ple`,
		`{{.CreatedAt}}`:                                            `2026-03-08T12:34:56Z`,
		`{{printf "%s!" .Domain}}`:                                  `ex&lt;am&gt;ple!`,
	}
	for text, want := range tests {
		tmpl, err := Parse("text", text, brackets)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := tmpl.Text(data); err != nil || got != want {
			t.Errorf("%s gives %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestAMistakeInATemplateIsNamed(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"a\n{{.Domain | uper}}":       `the template of text, line 2: function "uper" not defined`,
		"{{.Domain":                   `the template of text, line 1: unclosed action`,
		"{{.Domian}}":                 `the template of text, line 1:2: executing "text" at <.Domian>: can't evaluate field Domian in type vendor.Data`,
		"{{_escape .Domian}}":         `in type vendor.Data`,
		"{{if .Test}}\n{{.X}}{{end}}": `line 2:2: `,
	}
	for text, want := range tests {
		_, err := Parse("text", text, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
	tmpl, err := Parse("text", "{{.Data.a.b}}", nil)
	if err != nil {
		t.Fatalf("a field of the event's own data: %v", err)
	}
	if got, err := tmpl.Text(DataOf(event(`{"a":{"b":1}}`))); got != "1" || err != nil {
		t.Errorf("got %q, %v, want 1", got, err)
	}
	if _, err := tmpl.Text(DataOf(event(`{"a":5}`))); err == nil || !strings.Contains(err.Error(), "the template of text, line 1:") {
		t.Errorf("got %v, want an error that names the field and the place", err)
	}
}

func TestATemplateWritesNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	tmpl, err := Parse("text", `{{define "x"}}{{range .Data.l}}éé{{end}}{{end}}{{range .Data.l}}{{template "x" $}}{{end}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	many, _ := json.Marshal(map[string]any{"l": make([]int, 10_000)})
	got, err := tmpl.Text(DataOf(event(string(many))))
	if err != nil || len(got) > MaxText || len(got) < MaxText-4 {
		t.Errorf("got %d bytes, %v, want at most %d", len(got), err, MaxText)
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		most int
		want string
	}{{"héllo", 5, "héllo"}, {"héllo!", 5, "héll…"}, {"ab", 1, "…"}, {"ab", 0, ""}, {"ab", -1, ""}, {"", 0, ""}}
	for _, tt := range tests {
		if got := Truncate(tt.text, tt.most); got != tt.want {
			t.Errorf("Truncate(%q, %d) = %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		most int
		want string
	}{{"héllo", 5, "héllo"}, {"héllo!", 5, "héll…"}, {"🔒🔒", 4, "🔒🔒"}, {"🔒🔒", 3, "🔒…"}, {"🔒🔒", 2, "…"}, {"", 3, ""}}
	for _, tt := range tests {
		if got := Fit(tt.text, tt.most); got != tt.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}

func TestResolved(t *testing.T) {
	t.Parallel()
	tests := []struct {
		eventType, data string
		want            bool
	}{
		{"alert.triggered", `{}`, false}, {"alert.triggered", `{"resolved":true}`, true}, {"alert.triggered", `{"resolved":"true"}`, false},
		{"alert.triggered", `{"status":"Resolved"}`, true}, {"alert.triggered", `{"status":"open"}`, false}, {"alert.resolved", `{}`, true}, {"scan.completed", `{"resolved":true}`, false},
	}
	for _, tt := range tests {
		e := event(tt.data)
		e.Type = tt.eventType
		if got := DataOf(e).Resolved(); got != tt.want {
			t.Errorf("%s with %s: resolved is %v, want %v", tt.eventType, tt.data, got, tt.want)
		}
	}
}
