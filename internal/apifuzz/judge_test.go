package apifuzz_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	verrors "github.com/pb33f/libopenapi-validator/errors"

	"github.com/compliancelayer/compliancelayer/client"
)

// judge holds answers against what is promised, and counts them.
type judge struct {
	report   func(format string, args ...any) // takes what is wrong
	accounts []*account
	doc      *document

	mu      sync.Mutex
	seen    map[string]map[int]int // answers by operation and the first digit of their status
	foreign int                    // requests that named what is another account's
	faults  int
	runs    map[string]bool // long runs of letters in answers: what a sealed secret would look like
}

func newJudge(report func(string, ...any), accounts []*account, doc *document) *judge {
	return &judge{report: report, accounts: accounts, doc: doc, seen: map[string]map[int]int{}, runs: map[string]bool{}}
}

// showing are the calls whose answer has a secret, once.
var showing = []string{"createEndpoint", "prepareSecret", "rotateSecret", "createKey", "setUp"}

// endless are the kinds of answers that are not one value.
var endless = []string{"application/x-ndjson", "text/event-stream", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"}

// verdict looks at one answer.
func (j *judge) verdict(q *request, a *answer) {
	j.count(q, a)
	good := a.StatusCode < 300
	switch {
	case a.StatusCode >= 500:
		j.fault(q, a, "a fault of the server's")
	case q.key != nil && q.key.flaw != "" && good && (q.op == nil || !q.op.open()):
		j.fault(q, a, "a key that is "+q.key.flaw+" was accepted")
	case q.broken == "" && slices.Contains([]int{400, 405, 413, 415, 431}, a.StatusCode):
		j.fault(q, a, "a request that fits the document cannot be read")
	case good && q.op != nil && !q.op.open() && !allows(q.key, q.op.Scope):
		j.fault(q, a, "the key lacks the scope")
	}
	j.leaks(q, a)
	if a.StatusCode >= 400 && q.method != http.MethodHead {
		j.form(q, a)
	}
	if q.op == nil || q.method != q.op.method || slices.Contains(endless, a.Header.Get("Content-Type")) {
		return
	}
	a.Body = io.NopCloser(strings.NewReader(decodable(string(a.body))))
	if ok, wrong := j.doc.valid.ValidateHttpResponse(q.document(), a.Response); !ok {
		j.fault(q, a, "the answer is not what the document says: "+reasons(wrong))
	}
	if good {
		if ok, wrong := j.doc.valid.ValidateHttpRequestSync(q.document()); !ok {
			j.fault(q, a, "it was accepted, but it is not what the document says: "+reasons(wrong))
		}
	}
}

// decodable makes a number smaller that JSON and the product know and the library that holds texts
// against the document does not: it decodes them to float64. What is only passed on (data,
// samples) may have it; where a number is meant, the smaller one is too great as well.
func decodable(text string) string { return strings.ReplaceAll(text, "1e400", "1e300") }

func (j *judge) count(q *request, a *answer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := "(no such call)"
	if q.op != nil {
		id = q.op.ID
	}
	if j.seen[id] == nil {
		j.seen[id] = map[int]int{}
	}
	j.seen[id][a.StatusCode/100]++
	if q.foreign {
		j.foreign++
	}
	for _, run := range longRun.FindAll(a.body, -1) {
		j.runs[string(run)] = true
	}
}

// allows reports whether a key has a scope: manage has read in it, and admin everything.
func allows(k *key, scope string) bool {
	return scope == "" || slices.Contains(k.scopes, scope) || slices.Contains(k.scopes, client.ScopeAdmin) ||
		scope == client.ScopeRead && slices.Contains(k.scopes, client.ScopeManage)
}

// leaks looks for what the caller must not see.
func (j *judge) leaks(q *request, a *answer) {
	said := a.body
	for name, values := range a.Header {
		said = append(append(said, '\n'), name+": "+strings.Join(values, ", ")...)
	}
	for _, other := range j.accounts {
		if bytes.Contains(said, []byte(hidden(other.canary))) {
			j.fault(q, a, "it has the value of a header that is to be hidden")
		}
		if q.key == nil || q.key.owner == other || !bytes.Contains(said, []byte(other.canary)) {
			continue
		}
		operator := q.key.owner != nil && q.key.owner.admin && strings.Contains(q.query, other.id) && strings.HasPrefix(q.path, "/v1/keys")
		if !operator && !strings.Contains(q.sent(), other.canary) {
			j.fault(q, a, "it has something of another account's")
		}
	}
	shows := q.op != nil && slices.Contains(showing, q.op.ID) && a.StatusCode < 300
	if shown := secret.Find(said); shown != nil && !shows {
		j.fault(q, a, "it has a secret")
	}
}

// form holds an error against the contract.
func (j *judge) form(q *request, a *answer) {
	var e client.Error
	strict := json.NewDecoder(bytes.NewReader(a.body))
	strict.DisallowUnknownFields()
	err := strict.Decode(&e)
	switch {
	case err != nil || e.Status != a.StatusCode || e.Code == "" || e.Message == "":
		j.fault(q, a, "the error has not the form of the contract")
	case e.RequestID == "" || e.RequestID != a.Header.Get("X-Request-Id"):
		j.fault(q, a, "the error has not the id of its request")
	case (e.Status == 400 || e.Status == 422) && len(e.Fields) == 0:
		j.fault(q, a, "the error names no field")
	case e.Status == 405 && a.Header.Get("Allow") == "",
		e.Status == 401 && a.Header.Get("WWW-Authenticate") == "",
		(e.Status == 429 || e.Status == 503) && a.Header.Get("Retry-After") == "":
		j.fault(q, a, "the error lacks its header")
	}
}

// fault reports a fault with all that repeats it; the first few are enough.
func (j *judge) fault(q *request, a *answer, what string) {
	j.mu.Lock()
	j.faults++
	n := j.faults
	j.mu.Unlock()
	if n > 20 {
		return
	}
	j.report("%s\nmade wrong: %s\n%.1500q\n%d %v\n%.1500s", what, q.broken, q.sent(), a.StatusCode, a.Header, a.body)
}

func reasons(wrong []*verrors.ValidationError) string {
	var b strings.Builder
	for _, w := range wrong {
		b.WriteString(w.Message + ": " + w.Reason + "; ")
		for _, s := range w.SchemaValidationErrors {
			b.WriteString("at " + s.FieldPath + ": " + s.Reason + "; ")
		}
	}
	return b.String()
}
