package manage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// names gives the names of the fields that are wrong.
func fieldNames(m mistakes) []string {
	names := []string{}
	for _, f := range m.fields {
		names = append(names, f.Name)
	}
	return names
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	many := make([]delivery.Header, maxHeaders+1)
	for i := range many {
		many[i] = delivery.Header{Name: fmt.Sprintf("X-%d", i), Value: "v"}
	}
	tests := []struct {
		name    string
		headers []delivery.Header
		want    []string
	}{
		{"none", nil, []string{}},
		{"the most there may be", many[:maxHeaders], []string{}},
		{"one too many", many, []string{"headers"}},
		{"a password and a cookie", []delivery.Header{{Name: "Authorization", Value: "Bearer x"}, {Name: "Cookie", Value: "a=b"}}, []string{}},
		{"an empty name", []delivery.Header{{Name: "", Value: "v"}}, []string{"headers[0].name"}},
		{"a space in the name", []delivery.Header{{Name: "X A", Value: "v"}}, []string{"headers[0].name"}},
		{"a colon in the name", []delivery.Header{{Name: "X:", Value: "v"}}, []string{"headers[0].name"}},
		{"an accent in the name", []delivery.Header{{Name: "Clé", Value: "v"}}, []string{"headers[0].name"}},
		{"a name that is too long", []delivery.Header{{Name: strings.Repeat("x", maxHeaderName+1), Value: "v"}}, []string{"headers[0].name"}},
		{"every sign that a token may have", []delivery.Header{{Name: "aZ09!#$%&'*+-.^_`|~", Value: "v"}}, []string{}},
		{"the same name twice in another case", []delivery.Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}, []string{"headers[1].name"}},
		{"a line break in the value", []delivery.Header{{Name: "X-A", Value: "1\r\nHost: evil"}}, []string{"headers[0].value"}},
		{"a tab in the value", []delivery.Header{{Name: "X-A", Value: "a\tb"}}, []string{"headers[0].value"}},
		{"a delete character in the value", []delivery.Header{{Name: "X-A", Value: "a\x7f"}}, []string{"headers[0].value"}},
		{"bytes that are no text", []delivery.Header{{Name: "X-A", Value: "a\xff"}}, []string{"headers[0].value"}},
		{"an empty value", []delivery.Header{{Name: "X-A", Value: ""}}, []string{}},
		{"a space at the end of the value", []delivery.Header{{Name: "X-A", Value: "v "}}, []string{"headers[0].value"}},
		{"the longest value", []delivery.Header{{Name: "X-A", Value: strings.Repeat("v", maxHeaderValue)}}, []string{}},
		{"a value that is too long", []delivery.Header{{Name: "X-A", Value: strings.Repeat("v", maxHeaderValue+1)}}, []string{"headers[0].value"}},
		{"name and value wrong at once", []delivery.Header{{Name: "X-A", Value: "v"}, {Name: "Host", Value: "\n"}}, []string{"headers[1].name", "headers[1].value"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var wrong mistakes
			wrong.headers(tt.headers)
			if diff := cmp.Diff(tt.want, fieldNames(wrong)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", tt.headers, diff)
			}
		})
	}
}

func TestHeadersThatCannotBeReplaced(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "TE",
		"Trailer", "Upgrade", "Expect", "User-Agent", "Accept-Encoding", "Idempotency-Key", "X-Idempotency-Key",
		"Proxy-Authorization", "Proxy-Connection", "webhook-id", "Webhook-Signature", "X-ComplianceLayer-Signature", "x-compliancelayer-anything",
	} {
		var wrong mistakes
		wrong.headers([]delivery.Header{{Name: name, Value: "v"}})
		if diff := cmp.Diff([]string{"headers[0].name"}, fieldNames(wrong)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAHeadersValueIsNeverQuoted(t *testing.T) {
	t.Parallel()
	var wrong mistakes
	wrong.headers([]delivery.Header{{Name: "Host", Value: "hunter2\n"}, {Name: "Authorization", Value: " hunter2"}})
	if err := wrong.err(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want an error without the value", err)
	}
}
