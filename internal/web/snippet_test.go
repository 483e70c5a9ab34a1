package web_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// signedRequest is a request as a receiver gets it. Its headers have lower-case names.
type signedRequest struct {
	Name    string            `json:"name"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

// with gives the request with other headers: names and values in turn; "" takes one away.
func (r signedRequest) with(name string, pairs ...string) signedRequest {
	r.Name, r.Headers = name, maps.Clone(r.Headers)
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Headers[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(r.Headers, pairs[i])
		}
	}
	return r
}

// keepingReceiver keeps the requests that it gets.
func keepingReceiver(t *testing.T) (*httptest.Server, <-chan signedRequest) {
	t.Helper()
	got := make(chan signedRequest, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		headers := map[string]string{}
		for name := range r.Header {
			headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		got <- signedRequest{Headers: headers, Body: body}
	}))
	t.Cleanup(s.Close)
	return s, got
}

// program makes a snippet a program: it reads requests and says of each whether it is genuine.
type program struct {
	command []string // the file of the snippet comes behind
	file    string
	before  string
	after   string
	beside  string   // or a file of its own, main.go
	known   []string // what it must say when it cannot be run
}

// commonHeaders are those that every snippet must know.
var commonHeaders = []string{"webhook-id", "webhook-timestamp", "webhook-signature", "COMPLIANCELAYER_SECRET"}

var programs = map[string]program{
	"JavaScript": {command: []string{"node"}, file: "receiver.js", after: `
const all = JSON.parse(require("node:fs").readFileSync(0));
console.log(JSON.stringify(all.map((r) => genuine(r.headers, Buffer.from(r.body, "base64")))));`},
	"Python": {command: []string{"python3"}, file: "receiver.py", after: `
import json, sys
print(json.dumps([genuine(r["headers"], base64.b64decode(r["body"])) for r in json.load(sys.stdin)]))`},
	"Go": {command: []string{"go", "run"}, file: "receiver.go", before: "package main\n", beside: `package main

import ("encoding/json"; "log"; "net/http"; "os")

func main() {
	var all []struct { Headers map[string]string; Body []byte }
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil { log.Fatal(err) }
	known, said := secrets(), []bool{}
	for _, r := range all {
		h := http.Header{}
		for name, value := range r.Headers { h.Set(name, value) }
		said = append(said, genuine(h, r.Body, known))
	}
	_ = json.NewEncoder(os.Stdout).Encode(said)
}`},
	"PHP": {command: []string{"php"}, file: "receiver.php", after: `
$keys = keys();
echo json_encode(array_map(function ($r) use ($keys) {
    $server = [];
    foreach ($r["headers"] as $name => $value) $server["HTTP_" . strtoupper(str_replace("-", "_", $name))] = $value;
    return genuine($server, base64_decode($r["body"]), $keys);
}, json_decode(stream_get_contents(STDIN), true)));`, known: []string{"hash_equals", "HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE"}},
	"Ruby": {command: []string{"ruby"}, file: "receiver.rb", after: `
require "json"
puts JSON.generate(JSON.parse(STDIN.read).map { |r|
  genuine?(r["headers"].to_h { |name, value| ["HTTP_" + name.upcase.tr("-", "_"), value] }, r["body"].unpack1("m"))
})`, known: []string{"secure_compare", "HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE"}},
}

// A receiver that checked as the page said broke at a rotation with an overlap: it looked at the header that has room for
// one signature. Each snippet is run as the page has it, on a request that was delivered during an overlap.
func TestTheSnippetsGoThroughARotation(t *testing.T) {
	t.Parallel()
	zoe := newWorld(t, nil).owner()
	r, got := keepingReceiver(t)
	made := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*")
	page := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	rotated := zoe.post(page+"/secret/rotate", http.StatusOK, "overlap", "24h", "sure", "yes").has("goes on signing beside it")
	before, after := made.find(secretPattern), rotated.find(secretPattern)
	zoe.post(page+"/test", http.StatusOK).has("it arrived")
	delivered := <-got

	requests := []signedRequest{
		delivered,
		delivered.with("with an entry of another version", "webhook-signature", "v2,abc "+delivered.Headers["webhook-signature"]),
		delivered.with("without signatures", "webhook-signature", "", "x-compliancelayer-signature", ""),
		delivered.with("with the simple signature alone", "webhook-signature", ""),
		delivered.with("with another id", "webhook-id", "msg_1"),
		delivered.with("with a later time", "webhook-timestamp", "99999999999"),
		delivered.with("without a time", "webhook-timestamp", ""),
		delivered.with("with a time that is none", "webhook-timestamp", "1e9"),
		delivered.with("with a short signature", "webhook-signature", "v1,AAAA"),
		signedAt(t, delivered, after, time.Now().Add(-6*time.Minute)),
		signedAt(t, delivered, after, time.Now().Add(24*time.Hour)),
	}
	forged := delivered.with("with another body")
	forged.Body = bytes.Replace(delivered.Body, []byte("scan"), []byte("scam"), 1)
	requests = append(requests, forged)
	refused := make([]bool, len(requests))
	taken := append([]bool{true, true}, refused[2:]...)

	for language, p := range programs {
		// Not in parallel: they would wait for their turn, and the request is genuine for five minutes only.
		t.Run(language, func(t *testing.T) {
			code := html.UnescapeString(made.inText(`(?s)<summary>` + language + `</summary><pre[^>]*>(.*?)</pre>`))
			p.check(t, code)
			file := filepath.Join(t.TempDir(), p.file)
			if err := os.WriteFile(file, []byte(p.before+code+p.after), 0o600); err != nil {
				t.Fatal(err)
			}
			if p.beside != "" {
				p.command = append(slices.Clone(p.command), filepath.Join(filepath.Dir(file), "main.go"))
				if err := os.WriteFile(filepath.Join(filepath.Dir(file), "main.go"), []byte(p.beside), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := exec.LookPath(p.command[0]); err != nil && p.known != nil {
				t.Logf("%s is not installed, so the snippet was only looked at", p.command[0])
				return
			}
			for _, tt := range []struct {
				name, secrets string
				want          []bool
			}{
				{"the old secret", before, taken}, {"the new secret", after, taken}, {"both", before + "," + after, taken},
				{"another secret", webhook.NewSecret().Reveal(), refused},
			} {
				var said []bool
				if out, err := p.run(t, file, tt.secrets, requests); err != nil || json.Unmarshal(out, &said) != nil {
					t.Fatalf("with %s it ends with %v: %s", tt.name, err, out)
				}
				if diff := cmp.Diff(tt.want, said); diff != "" {
					t.Errorf("with %s it says of the requests (-want +got):\n%s", tt.name, diff)
				}
			}
			for secret, signed := range wrongSecrets(delivered) {
				if out, err := p.run(t, file, secret, []signedRequest{signed}); err == nil || strings.Contains(string(out), "true") {
					t.Errorf("with the secret %q it does not stop at its start, %v: %s", secret, err, out)
				}
			}
		})
	}
}

const secretPattern = `(whsec_[A-Za-z0-9+/]{20,}=*)`

// inText gives what a pattern's first group matches in the page as it came.
func (a answer) inText(pattern string) string {
	a.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(a.text)
	if found == nil {
		a.t.Fatalf("%s has nothing like %s:\n%s", a.path, pattern, a.text)
	}
	return found[1]
}

// signedAt signs a request once more, at another time.
func signedAt(t *testing.T, r signedRequest, secret string, at time.Time) signedRequest {
	t.Helper()
	parsed, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	id := r.Headers["webhook-id"]
	return r.with("signed at another time", "webhook-timestamp", strconv.FormatInt(at.Unix(), 10), "webhook-signature", webhook.SignStandard(parsed, id, at, r.Body))
}

// wrongSecrets are settings that are no secrets, each with a request that anybody can sign who thinks of it: with the key
// that a careless decoder makes of the setting.
func wrongSecrets(r signedRequest) map[string]signedRequest {
	all := map[string]signedRequest{}
	for secret, key := range map[string]string{"": "", "whsec_": "", "hunter2": "\x86\xe9\xed\x7a", "whsec_hunter2": "\x86\xe9\xed\x7a", "whsec_c2hvcnQ=": "short"} {
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "%s.%s.%s", r.Headers["webhook-id"], r.Headers["webhook-timestamp"], r.Body)
		all[secret] = r.with("signed with the key of "+secret, "webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return all
}

// check looks at a snippet without running it.
func (p program) check(t *testing.T, code string) {
	t.Helper()
	want := p.known
	if want == nil {
		want = commonHeaders
	}
	for _, text := range want {
		if !strings.Contains(code, text) && !strings.Contains(code, "webhook.Verify") {
			t.Errorf("the snippet lacks %s:\n%s", text, code)
		}
	}
}

// run runs the file of a snippet with secrets on requests.
func (p program) run(t *testing.T, file, secrets string, requests []signedRequest) ([]byte, error) {
	t.Helper()
	in, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), p.command[0], append(p.command[1:len(p.command):len(p.command)], file)...)
	cmd.Env = append(os.Environ(), "COMPLIANCELAYER_SECRET="+secrets)
	cmd.Stdin = bytes.NewReader(in)
	return cmd.CombinedOutput()
}
