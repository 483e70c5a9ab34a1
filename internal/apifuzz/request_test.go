package apifuzz_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request is one request before it is sent.
type request struct {
	op      *operation // nil = there is no such call
	method  string
	path    string // escaped
	query   string
	header  http.Header
	tree    *node  // the body; nil = none
	body    string // the body as it is sent
	key     *key
	foreign bool   // it may name what is another account's
	broken  string // what was done to it; "" = it fits the document
}

// answer is what came back. A stream's and an export's bodies are not one value.
type answer struct {
	*http.Response
	body []byte
}

// request makes a request that fits the document, with a key of the maker's account.
func (m *maker) request(op *operation) *request {
	q := &request{op: op, method: op.method, header: http.Header{}, key: pick(m, m.who.keys)}
	q.path = m.pathOf(op, m.who)
	values := url.Values{}
	for _, p := range op.Parameters {
		if p.In == "query" && m.chance(30) {
			values.Set(p.Name, m.parameter(op, p))
		}
		if p.In == "header" && m.chance(20) {
			q.header.Set(p.Name, m.who.canary+strconv.Itoa(m.IntN(20)))
		}
	}
	if values.Get("group") != "" || op.ID == "listDeadLetters" && m.chance(30) {
		q.header.Set("Accept", "application/x-ndjson")
	}
	q.query = values.Encode()
	if s := op.body(); s != nil {
		q.tree = m.value(s, "")
		q.header.Set("Content-Type", pick(m, []string{"application/json", "application/json", "application/json; charset=utf-8", "APPLICATION/JSON"}))
	}
	return q
}

// parameter makes the value of a query parameter.
func (m *maker) parameter(op *operation, p parameter) string {
	if p.Name == "cursor" {
		return m.stock.any(m.Rand, m.who, op.ID)
	}
	if p.Schema.is("array") {
		return m.text(p.Schema.Items, "."+p.Name)
	}
	var b strings.Builder
	m.value(p.Schema, "."+p.Name).write(&b)
	return strings.Trim(b.String(), `"`)
}

// kinds tells what the id in a path is.
var kinds = map[string]string{
	"/v1/endpoints/": anEndpoint, "/v1/events/": anEvent, "/v1/deliveries/": aDelivery, "/v1/jobs/": aJob,
	"/v1/keys/": aKey, "/v1/accounts/": anAccount, "/v1/event-types/": aType, "/v1/notification-addresses/": anAddress,
}

// pathOf puts something of an account's into a path.
func (m *maker) pathOf(op *operation, whose *account) string {
	root, rest, ok := strings.Cut(op.path, "{")
	if !ok {
		return op.path
	}
	_, rest, _ = strings.Cut(rest, "}")
	id := m.stock.any(m.Rand, whose, kinds[root])
	if kinds[root] == anAccount && whose.admin == false {
		id = whose.id
	}
	if id == "" || m.spared(op, id) {
		id = "none"
	}
	return root + id + strings.ReplaceAll(rest, "{n}", strconv.Itoa(1+m.IntN(2)))
}

// spared reports whether a call would end those who call.
func (m *maker) spared(op *operation, id string) bool {
	if op.ID != "deleteAccount" && op.ID != "revokeKey" {
		return false
	}
	return slices.ContainsFunc(m.p.accounts, func(a *account) bool {
		ends := a.id == id || slices.ContainsFunc(a.keys, func(k *key) bool { return k.id == id })
		return ends && (m.who == a || m.who.admin)
	})
}

// finish writes the body.
func (q *request) finish() {
	if q.tree == nil {
		return
	}
	var b strings.Builder
	q.tree.write(&b)
	q.body = b.String()
	if q.foreign && q.key.owner != nil && q.key.owner.admin { // the operator's key for another account is that account's to see
		q.body = strings.ReplaceAll(q.body, q.key.owner.canary, "words")
	}
	if q.broken != "" { // it may be stored under a name that hides nothing
		q.body = strings.ReplaceAll(q.body, hidden(""), "shown")
	}
}

// sent is everything that the request says.
func (q *request) sent() string {
	var b strings.Builder
	b.WriteString(q.method + " " + q.path + "?" + q.query + "\n")
	_ = q.header.Write(&b) // to a text
	b.WriteString(q.body)
	plain, err := url.QueryUnescape(q.query)
	if err == nil {
		b.WriteString(plain)
	}
	return b.String()
}

// http gives the request for the wire, byte for byte as it was made.
func (q *request) http(ctx context.Context, server string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, server, nil)
	if err != nil {
		return nil, err
	}
	r.URL.Opaque, r.URL.RawQuery = "//"+r.URL.Host+q.path, q.query
	r.Header = q.header.Clone()
	if q.key != nil && q.key.text != "" {
		r.Header.Add("Authorization", "Bearer "+q.key.text)
	}
	if q.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(q.body)), int64(len(q.body))
	}
	return r, nil
}

// document gives the request as those read it who hold it against the document: a
// parameter without a value counts as left out.
func (q *request) document() *http.Request {
	given := slices.DeleteFunc(strings.Split(q.query, "&"), func(p string) bool { return strings.HasSuffix(p, "=") })
	r := httptest.NewRequest(q.method, q.path+"?"+strings.Join(given, "&"), strings.NewReader(decodable(q.body)))
	r.Header = q.header.Clone()
	if q.body == "" {
		r.Header.Del("Content-Type") // of nothing
	}
	r.Header.Set("Authorization", "Bearer cl_")
	return r
}
