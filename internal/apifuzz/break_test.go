package apifuzz_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// breaks are the ways to break a request, each with its share of them.
var breaks = []struct {
	name  string
	share int
	do    func(*maker, *request)
}{
	{"a member of another type", 12, func(m *maker, q *request) { m.replace(q, leaf(pick(m, oddValues))) }},
	{"an odd text", 12, func(m *maker, q *request) { m.replace(q, quoted(pick(m, oddTexts))) }},
	{"an odd number", 8, func(m *maker, q *request) { m.replace(q, leaf(pick(m, oddNumbers))) }},
	{"a member left out", 6, (*maker).leaveOut},
	{"a member twice", 5, (*maker).double},
	{"a member that there is not", 5, (*maker).invent},
	{"deep nesting", 3, func(m *maker, q *request) {
		deep := pick(m, []int{10, 63, 64, 65, 1000, 20000})
		m.replace(q, leaf(pick(m, []string{strings.Repeat("[", deep) + strings.Repeat("]", deep), strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep)})))
	}},
	{"another value as the body", 4, func(m *maker, q *request) { q.tree = leaf(pick(m, oddValues)) }},
	{"broken bytes", 8, (*maker).breakBytes},
	{"another content type", 4, func(m *maker, q *request) {
		q.header.Set("Content-Type", pick(m, []string{"", "text/plain", "application/xml", "application/json; charset=latin1", "multipart/form-data", "\xff", "application/json;;"}))
	}},
	{"another method", 4, func(m *maker, q *request) {
		q.method = pick(m, []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"})
		q.op = m.doc.Paths[q.op.path][strings.ToLower(q.method)]
	}},
	{"an odd id", 8, func(m *maker, q *request) { m.swapID(q, pick(m, oddIDs)) }},
	{"an odd path", 3, func(m *maker, q *request) {
		odd := pick(m, []string{q.path + "/", "/" + q.path, strings.Replace(q.path, "/v1", "/v1/../v1", 1), q.path + "%00", strings.ToUpper(q.path), "/v2/events", "/v1", q.path + "/none"})
		if odd != q.path { // some of these change nothing of a short path
			q.op, q.path = nil, odd
		}
	}},
	{"an odd parameter", 9, (*maker).oddParameter},
	{"what is another account's", 12, (*maker).stray},
	{"many headers", 2, func(m *maker, q *request) {
		for i := range pick(m, []int{10, 50, 70, 200}) {
			q.header.Add(fmt.Sprintf("X-Many-%d", i), strings.Repeat("x", m.IntN(100)))
		}
	}},
	{"odd headers", 4, func(m *maker, q *request) {
		q.header[pick(m, []string{"Idempotency-Key", "Accept", "X-Request-Id", "Content-Encoding", "Traceparent", "Range", "If-None-Match", "X-Http-Method-Override", "Forwarded", "Origin"})] =
			pick(m, [][]string{{""}, {"\xff\xfe"}, {"a b"}, {strings.Repeat("k", 256)}, {"a", "b"}, {"é"}, {"gzip"}, {"bytes=0-1"}, {"DELETE"}})
	}},
	{"two keys", 1, func(m *maker, q *request) { q.header.Add("Authorization", "Bearer "+q.key.text) }},
	{"another scheme", 1, func(m *maker, q *request) {
		q.header.Set("Authorization", "Basic Y2w6Y2w=")
		q.key = &key{flaw: "another scheme"}
	}},
}

// The odd things. What does not fit a place is refused there; what happens to fit is accepted.
var (
	oddValues  = []string{`"\ud800"`, `"\u0000"`, `null`, `true`, `0`, `-1`, `""`, `"x"`, `[]`, `{}`, `[null]`, `[[]]`, `{"":""}`, `[{"a":1}]`}
	oddNumbers = []string{
		"-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e400", "1E-400", "1.5", "NaN", "Infinity", "-Infinity", "00", "-0", "0x10", "1_000",
		strings.Repeat("9", 5000), "1e9", "1.0",
	}
	oddTexts = []string{
		"", " ", "\x00", "a\x00b", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\u202e", "\ufeff", "\ufffd", "\u2028", "é", "é", "😀", "ﬀ", "İ", "null", "'; drop table events; --", "%s%n",
		"../../etc/passwd", "<script>alert(1)</script>", "${jndi:ldap://x}", "\r\nX-Evil: 1", "*", "scan.*.*", "-1s", "9999999h", "0.1ns", "1h1h", "http://", "https://[::1]:0/", "https://user:pass@example.com/",
		"http://169.254.169.254/", "https://example.com:99999/", "https://xn--/", "file:///etc/passwd", strings.Repeat("a", 70_000), strings.Repeat("é", 300), strings.Repeat("a.", 200),
	}
	oddIDs = []string{
		"%00", "a%00b", "%ff%fe", "%2e%2e", "%252e", "%2F", "a%2Fb", "%20", "-1", "0", "99999999999999999999", "9223372036854775807", "1e3", "+1", "0x1", "%E2%80%AE", "'%20or%201=1",
		"*", "null", "ep_", "ep_%2500", "key_none", "acc_none", "00000000-0000-0000-0000-000000000000", strings.Repeat("a", 300), "scan.completed", "endpoint.disabled", "batch", "retry",
	}
)

// breakIt breaks a request in one way, sometimes in two.
func (m *maker) breakIt(q *request) {
	for range 1 + m.IntN(2) {
		n := m.IntN(breakShares())
		for _, b := range breaks {
			if n -= b.share; n < 0 && q.op != nil {
				b.do(m, q)
				q.broken += b.name + "; "
				break
			}
		}
	}
}

func breakShares() (sum int) {
	for _, b := range breaks {
		sum += b.share
	}
	return sum
}

// place gives a place in the body that has something in it; nil = there is none.
func (m *maker) place(q *request) (in *node, at int) {
	if q.tree == nil {
		return nil, 0
	}
	all := slices.DeleteFunc(q.tree.parents(), func(n *node) bool { return len(n.kids) == 0 })
	if len(all) == 0 {
		return nil, 0
	}
	in = pick(m, all)
	return in, m.IntN(len(in.kids))
}

func (m *maker) replace(q *request, by *node) {
	if in, at := m.place(q); in != nil {
		in.kids[at] = by
	}
}

func (m *maker) leaveOut(q *request) {
	in, at := m.place(q)
	if in == nil {
		return
	}
	in.kids = slices.Delete(in.kids, at, at+1)
	if in.kind == '{' {
		in.names = slices.Delete(in.names, at, at+1)
	}
}

func (m *maker) double(q *request) {
	in, at := m.place(q)
	if in == nil {
		return
	}
	in.kids = append(in.kids, in.kids[at])
	if in.kind == '{' {
		in.names = append(in.names, in.names[at])
	}
}

func (m *maker) invent(q *request) {
	if in, _ := m.place(q); in != nil && in.kind == '{' {
		in.add(pick(m, []string{"", "a", "Type", "URL", "__proto__", "id ", "\u0000", "\xff", "urll", strings.Repeat("n", 5000)}), leaf("1"))
	}
}

// breakBytes breaks what the writing of the body gives.
func (m *maker) breakBytes(q *request) {
	if q.tree == nil {
		return
	}
	q.finish()
	if q.body == "" { // another break has left nothing of it
		return
	}
	b := []byte(q.body)
	at := m.IntN(len(b))
	switch m.IntN(6) {
	case 0:
		b = b[:at]
	case 1:
		b[at] ^= byte(1 + m.IntN(255))
	case 2:
		b = slices.Insert(b, at, []byte(pick(m, []string{"\x00", "\xff", ",", "{", "]", `"`, "\\", "//", "\u2028"}))...)
	case 3:
		b = append([]byte("\xef\xbb\xbf"), b...)
	case 4:
		b = append(b, pick(m, []string{"{}", "x", ",", "\x00", " \n\t"})...)
	case 5:
		b = append(b, strings.Repeat(" ", pick(m, []int{64 << 10, 256 << 10, 300 << 10}))...)
	}
	q.tree = leaf(string(b))
}

// swapID puts another id into the path.
func (m *maker) swapID(q *request, id string) {
	root, rest, ok := strings.Cut(q.op.path, "{")
	if !ok || m.spared(q.op, id) {
		return
	}
	_, rest, _ = strings.Cut(rest, "}")
	q.path = root + id + strings.ReplaceAll(rest, "{n}", pick(m, []string{"1", "0", "-1", "99", "1e9", "a"}))
	q.op = nil // where that leads is not looked up
}

func (m *maker) oddParameter(q *request) {
	names := []string{"no such", "a%00b", "limit", "cursor"}
	for _, p := range q.op.Parameters {
		if p.In == "query" {
			names = append(names, p.Name, p.Name, p.Name)
		}
	}
	value := pick(m, []string{"", "%00", "%ff", "%zz", "-1", "0", "1.5", "251", "99999999999999999999", "a,b", ",", "true", "e30=", "%E2%80%AE", "now", "2026-13-01T00:00:00Z", "2026-03-08T12:34:56+01:00", "1_a", "9e9d", url.QueryEscape(pick(m, oddTexts[:20]))})
	q.query += "&" + strings.ReplaceAll(pick(m, names), " ", "+") + "=" + value
}

// stray names what is another account's, in the path, the query or the body.
func (m *maker) stray(q *request) {
	q.foreign = true
	other := pick(m, m.p.accounts)
	if strings.Contains(q.op.path, "{") {
		op := q.op
		if m.swapID(q, strings.TrimPrefix(m.pathOf(op, other), op.path[:strings.Index(op.path, "{")])); q.op == nil && m.spared(op, "") {
			return
		}
		q.path, q.op = m.pathOf(op, other), op
	}
	kind := pick(m, []string{anEndpoint, anEvent, anAccount})
	id := m.stock.any(m.Rand, other, kind)
	if kind == anAccount {
		id = other.id
	}
	for _, p := range q.op.Parameters {
		switch {
		case p.Name == "cursor" && m.chance(30):
			q.query += "&cursor=" + url.QueryEscape(m.stock.any(m.Rand, other, pick(m, m.doc.all).ID))
		case p.Name == kind+"_id" && !strings.Contains(q.query, p.Name):
			q.query += "&" + p.Name + "=" + url.QueryEscape(id)
		}
	}
	if q.tree == nil {
		return
	}
	for _, n := range q.tree.parents() {
		if at := slices.Index(n.names, kind+"_id"); at >= 0 {
			n.kids[at] = quoted(id)
		}
	}
}
