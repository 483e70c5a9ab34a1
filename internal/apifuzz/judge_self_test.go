package apifuzz_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestTheJudgeSeesWhatIsWrong shows the judge answers that no server may give.
func TestTheJudgeSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	ours, theirs := &account{id: "acc_ours", canary: canary()}, &account{id: "acc_theirs", canary: canary()}
	list := &operation{ID: "listEndpoints", method: http.MethodGet, path: "/v1/endpoints", Scope: "read"}
	reader := &key{text: "cl_", scopes: []string{"read"}, owner: ours}
	const json = "application/json"
	tests := []struct {
		name   string
		key    *key
		status int
		body   string
		want   string
	}{
		{"a 500", reader, 500, `{}`, "fault of the server's"},
		{"a 503", reader, 503, `{}`, "fault of the server's"},
		{"a row of another account's", reader, 200, theirs.canary, "another account's"},
		{"a signing secret", reader, 200, "whsec_" + strings.Repeat("A", 44), "it has a secret"},
		{"an API key", reader, 200, "cl_aaaaaaaa_" + strings.Repeat("a", 52), "it has a secret"},
		{"a hidden header", reader, 200, hidden(ours.canary), "to be hidden"},
		{"a key without the scope", &key{scopes: []string{"publish"}, owner: ours}, 200, ``, "lacks the scope"},
		{"a key that is good for nothing", &key{flaw: "revoked"}, 200, ``, "that is revoked was accepted"},
		{"an error that is a text", reader, 404, `not found`, "form of the contract"},
		{"an error without a request", reader, 404, `{"error":"not_found","message":"No.","status":404,"request_id":""}`, "id of its request"},
		{"a refusal that names no field", reader, 422, `{"error":"validation_failed","message":"No.","status":422,"request_id":"r"}`, "names no field"},
		{"a 429 without Retry-After", reader, 429, `{"error":"rate_limit_exceeded","message":"No.","status":429,"request_id":"r"}`, "lacks its header"},
		{"a refusal of what fits", reader, 400, `{"error":"invalid_request","message":"No.","status":400,"request_id":"r","fields":[{"field":"a","message":"b"}]}`, "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			j := newJudge(func(format string, args ...any) { fmt.Fprintf(&said, format, args...) }, []*account{ours, theirs}, nil)
			q := &request{op: list, method: "(not held against the document)", path: list.path, key: tt.key}
			res := &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {json}, "X-Request-Id": {"r"}}}
			j.verdict(q, &answer{res, []byte(tt.body)})
			if !strings.Contains(said.String(), tt.want) {
				t.Errorf("got %q, want %q in it", said.String(), tt.want)
			}
		})
	}
}
