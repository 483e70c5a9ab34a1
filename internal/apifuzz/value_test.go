package apifuzz_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// node is a JSON value that can be broken before it is written: an object whose members may
// be there twice, a list, or any text that stands for the rest.
type node struct {
	kind  byte // '{', '[' or 0
	names []string
	kids  []*node
	text  string // when kind is 0
}

func leaf(text string) *node { return &node{text: text} }

// quoted makes a JSON string of a text, valid or not: what is not valid UTF-8 stays so.
func quoted(s string) *node {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			b.WriteString(fmt.Sprintf(`\u%04x`, c))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return leaf(b.String())
}

func (n *node) write(b *strings.Builder) {
	if n.kind == 0 {
		b.WriteString(n.text)
		return
	}
	b.WriteByte(n.kind)
	for i, kid := range n.kids {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.kind == '{' {
			quoted(n.names[i]).write(b)
			b.WriteByte(':')
		}
		kid.write(b)
	}
	b.WriteByte(n.kind + 2) // ] and } follow their opening brackets at this distance
}

// add adds a member to an object.
func (n *node) add(name string, kid *node) {
	n.names, n.kids = append(n.names, name), append(n.kids, kid)
}

// parents lists the objects and lists in a value.
func (n *node) parents() (all []*node) {
	if n.kind == 0 {
		return nil
	}
	all = append(all, n)
	for _, kid := range n.kids {
		all = append(all, kid.parents()...)
	}
	return all
}

// maker makes values that fit their schemas.
type maker struct {
	*rand.Rand
	p     *program
	doc   *document
	stock *stock
	who   *account
	edge  bool // values at the bounds of the schema, and one beyond them
}

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

func pick[T any](m *maker, all []T) T { return all[m.IntN(len(all))] }

// value makes a value of a schema that stands at a place, such as NewEndpoint.url.
func (m *maker) value(s *schema, place string) *node {
	s, name := m.doc.at(s)
	if name != "" {
		if special := m.object(name); special != nil {
			return special
		}
	}
	switch {
	case s.is("object"):
		return m.members(s, name)
	case s.is("array"):
		return m.list(s, place)
	case s.is("string"):
		return quoted(m.text(s, place))
	case s.is("integer"):
		if strings.HasSuffix(place, ".per_second") && m.chance(50) {
			return leaf("1") // so that a job is there for a while
		}
		return leaf(strconv.Itoa(m.number(s)))
	case s.is("number"):
		return leaf("1.5")
	case s.is("boolean"):
		return leaf(strconv.FormatBool(m.chance(50)))
	}
	return leaf(pick(m, []string{`{"a":[1,"x",null]}`, `1`, `"text"`, `null`, `[]`}))
}

func (m *maker) members(s *schema, name string) *node {
	n := &node{kind: '{'}
	names := make([]string, 0, len(s.Properties))
	for property := range s.Properties {
		names = append(names, property)
	}
	slices.Sort(names)
	for _, property := range names {
		if slices.Contains(s.Required, property) || m.chance(40) {
			n.add(property, m.value(s.Properties[property], name+"."+property))
		}
	}
	return n
}

func (m *maker) list(s *schema, place string) *node {
	n := &node{kind: '['}
	size := 1 + m.IntN(3)
	if m.edge {
		least, most := 0, 30
		if s.MinItems != nil {
			least = *s.MinItems
		}
		if s.MaxItems != nil {
			most = *s.MaxItems
		}
		if most > 100 && m.chance(95) { // a thousand events are a lot of work
			most = 100
		}
		size = pick(m, []int{0, least, most, most + 1})
	}
	for range size {
		n.kids = append(n.kids, m.value(s.Items, place))
	}
	return n
}

func (m *maker) number(s *schema) int {
	least, most := 0, 100
	if s.Minimum != nil {
		least = *s.Minimum
	}
	if s.Maximum != nil {
		most = *s.Maximum
	}
	if m.edge {
		return pick(m, []int{least - 1, least, most, most + 1})
	}
	return least + m.IntN(most-least+1)
}

// text makes a text; what fits better than any is known for some places.
func (m *maker) text(s *schema, place string) string {
	if len(s.Enum) > 0 {
		return pick(m, s.Enum)
	}
	if m.edge && s.MaxLength != nil {
		size := pick(m, []int{0, *s.MaxLength, *s.MaxLength + 1})
		return strings.Repeat(pick(m, []string{"a", "é", "😀"}), size)
	}
	_, member, _ := strings.Cut(place, ".")
	if known := m.known(place, member); known != "" {
		return known
	}
	switch s.Format {
	case "uuid":
		return fmt.Sprintf("%08x-0000-7000-8000-%012x", m.Uint32(), m.Uint32())
	case "date-time":
		return m.time()
	}
	return "words of " + m.who.canary
}

func (m *maker) time() string {
	return pick(m, []string{"2000-01-01T00:00:00Z", "2026-03-08T12:34:56.789Z", "2100-01-01T00:00:00.123456789+14:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"})
}

// typeName gives the name of a type: built in, or the account's own.
func (m *maker) typeName() string {
	if own := m.stock.any(m.Rand, m.who, aType); own != "" && m.chance(40) {
		return own
	}
	return pick(m, samples(m.who.canary)).name
}

// known gives a value for a place that only some texts fit; "" = any does.
func (m *maker) known(place, member string) string {
	switch place {
	case "NewEndpoint.url", "EndpointPatch.url":
		return pick(m, m.p.targets) + "/" + m.who.canary
	case "NewEndpoint.events", "EndpointPatch.events":
		return pick(m, []string{"*", "scan.*", "domain.added", m.typeName()})
	case "NewEventType.name":
		return m.who.canary + "." + pick(m, []string{"one", "two", "three", "four"}) + strconv.Itoa(m.IntN(1000))
	case "NewNotificationAddress.email":
		return fmt.Sprintf("%s-%d@example.com", strings.ToLower(m.who.canary), m.IntN(30))
	case "NewKey.expires_at":
		return "2100-01-01T00:00:00Z"
	}
	switch member {
	case "type", "types":
		return m.typeName()
	case "overlap", "window":
		return pick(m, []string{"0s", "1m", "24h", "7d", "1h30m"})
	case "class":
		return pick(m, []string{"ok", "server_error", "client_error", "refused"})
	case "from":
		return "2020-01-01T00:00:00.000Z"
	case "to":
		return "2100-01-01T00:00:00.000Z"
	case "account_id":
		return m.who.id
	case "endpoint_id":
		return m.stock.any(m.Rand, m.who, anEndpoint)
	case "event_id":
		return m.stock.any(m.Rand, m.who, anEvent)
	}
	return ""
}

// object makes objects whose members must fit each other; nil = any members do.
func (m *maker) object(name string) *node {
	if m.edge && m.chance(50) {
		return nil
	}
	n := &node{kind: '{'}
	switch name {
	case "NewEvent":
		s := pick(m, samples(m.who.canary))
		n.add("type", quoted(s.name))
		n.add("data", leaf(s.data))
		if m.chance(20) {
			n.add("id", m.value(&schema{Type: "string", Format: "uuid"}, ""))
		}
	case "Header":
		h := pick(m, [][2]string{{"X-Canary", m.who.canary}, {"X-Secret-Token", hidden(m.who.canary)}, {"Authorization", "Bearer " + hidden(m.who.canary)}, {"X-Odd", "é\t<&>"}})
		n.add("name", quoted(h[0]+strings.Repeat("-x", m.IntN(5))))
		n.add("value", quoted(h[1]))
	case "DeliveryFilter": // any others at once would match nothing
		if m.chance(50) {
			n.add("status", leaf(pick(m, []string{`["failed"]`, `["failed","held","discarded"]`, `["delivered"]`})))
		}
		if m.chance(20) {
			n.add("class", quoted("server_error"))
		}
	case "CheckSecret":
		if own := m.stock.secret(m.Rand, m.who); own != "" && m.chance(50) {
			n.add("secret", quoted(own))
			break
		}
		n.add("body", quoted(`{"id":"1"}`))
		n.add("signature", quoted(strings.Repeat("ab", 32)))
	case "NewEventType":
		n.add("name", quoted(m.known("NewEventType.name", "")))
		n.add("description", quoted("words of "+m.who.canary))
		if m.chance(60) {
			n.add("schema", leaf(`{"type":"object","required":["a"],"properties":{"a":{"type":"string","maxLength":50}}}`))
			n.add("sample", leaf(fmt.Sprintf(`{"a":%q}`, m.who.canary)))
		}
	default:
		return nil
	}
	return n
}

// hidden is what an account's headers with a secret's name hold: it is shown to nobody.
func hidden(canary string) string { return "hidden" + canary }

// sample is data of a type.
type sample struct{ name, data string }

// samples are events that are accepted, with an account's canary in them.
func samples(canary string) []sample {
	note := string(must2(json.Marshal(canary)))
	return []sample{
		{"domain.added", `{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z","note":` + note + `}`},
		{"domain.removed", `{"domain":"example.com","removed_at":"2026-03-08T12:34:56.789Z","note":` + note + `}`},
		{"scan.completed", `{"scan_id":1,"job_id":2,"domain":"example.com","score":85,"grade":"B","issues_count":8,"critical_issues":0,"high_issues":2,"medium_issues":3,"low_issues":3,"scanned_at":"2026-03-08T12:34:56.789Z","scan_duration_ms":2847,"note":` + note + `}`},
	}
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err) // a text always encodes
	}
	return v
}
