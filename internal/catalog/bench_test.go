package catalog

import (
	"encoding/json"
	"strings"
	"testing"
)

// payload500 is the sample of scan.completed with findings that the schema does not know, about 500 bytes.
func payload500(tb testing.TB) json.RawMessage {
	tb.Helper()
	sample := builtin(tb, ScanCompleted).Sample
	more := `,"findings":[{"id":"tls-1.0","severity":"high","title":"TLS 1.0 is offered"},` +
		`{"id":"no-dmarc","severity":"medium","title":"no DMARC record"},` +
		`{"id":"hsts","severity":"low","title":"HSTS max-age is short"}],"scanner":"` + strings.Repeat("2.4.1 ", 9) + `"}`
	return append(sample[:len(sample)-1:len(sample)-1], more...)
}

func BenchmarkValidate(b *testing.B) {
	v := compiled(b, ScanCompleted)
	tests := []struct {
		name string
		data json.RawMessage
	}{
		{"sample", builtin(b, ScanCompleted).Sample},
		{"500 bytes", payload500(b)},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(tt.data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Validate(tt.data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(tt.name+" by the library alone", func(b *testing.B) {
			slow := &Validator{schema: v.schema, source: v.source}
			b.ReportAllocs()
			for b.Loop() {
				if err := slow.Validate(tt.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	schema := builtin(b, ScanCompleted).Schema
	for b.Loop() {
		if _, err := Compile(schema); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatcher(b *testing.B) {
	m := NewMatcher([]string{"domain.*", "alert.triggered", "score.*"})
	b.ReportAllocs()
	for b.Loop() {
		if m.Match(ScanCompleted) {
			b.Fatal("matched")
		}
	}
}

func builtin(tb testing.TB, name string) Type {
	tb.Helper()
	t, ok := Lookup(name)
	if !ok {
		tb.Fatalf("Lookup(%q) found nothing", name)
	}
	return t
}

func compiled(tb testing.TB, name string) *Validator {
	tb.Helper()
	v, err := Compile(builtin(tb, name).Schema)
	if err != nil {
		tb.Fatalf("Compile(schema of %s): %v", name, err)
	}
	return v
}
