package webhook_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// The secrets of the cases, of 32, 24 and 64 bytes. Nobody else has them.
const (
	secretA = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	secretB = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"
	secretC = "whsec_AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dzj6vH4/wYNFBsiKTA3PkVMU1phaG92fYSLkpmgp661vA=="
)

// The usual event of the cases.
const (
	caseData = `{"domain":"example.com","score":85,"grade":"B"}`
	caseTime = "2026-03-08T12:34:56.789Z"
	caseHead = `{"id":"` + eventID + `","type":"scan.completed","created_at":"` + caseTime + `","data":`
	caseBody = caseHead + caseData + `}`
)

// What a case wants, said by hand and not computed by what is tested.
var (
	wantStandard = signatureWant{OK: true, Scheme: "standard"}
	wantSimple   = signatureWant{OK: true, Scheme: "simple"}
	caseEvent    = signedEvent{eventID, "scan.completed", caseTime, caseData}
)

func wantError(code string) signatureWant { return signatureWant{Error: code} }

func (w signatureWant) at(index int) signatureWant {
	w.SecretIndex = index
	return w
}

func (w signatureWant) with(event signedEvent) signatureWant {
	w.Event = &event
	return w
}

func (w signatureWant) badEvent() signatureWant {
	w.EventError = "bad_event"
	return w
}

// signSimple and signEntry sign with crypto/hmac alone, as fuzz_test.go does.
func signSimple(secret, body string) string {
	return hex.EncodeToString(hmacOf([]byte(secret), body))
}

func signEntry(secret, id, timestamp, body string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err) // a secret of the cases above is not one
	}
	return "v1," + base64.StdEncoding.EncodeToString(hmacOf(key, id+"."+timestamp+"."+body))
}

// caseList collects cases.
type caseList []signatureCase

// add adds a case that is checked with secretA at the time when it was signed.
func (l *caseList) add(name string, want signatureWant, body string, headers ...[2]string) *signatureCase {
	if headers == nil {
		headers = [][2]string{}
	}
	*l = append(*l, signatureCase{Name: name, Headers: headers, Body: []byte(body), Now: sentUnix, Secrets: []string{secretA}, Want: want})
	return &(*l)[len(*l)-1]
}

// entries adds a case with the usual id and time and a given webhook-signature.
func (l *caseList) entries(name string, want signatureWant, body, list string) *signatureCase {
	return l.add(name, want, body, standardHeaders(eventID, sentText, list)...)
}

// simple adds a case with the simple signature alone.
func (l *caseList) simple(name string, want signatureWant, body, signature string) *signatureCase {
	return l.add(name, want, body, [2]string{webhook.SignatureHeader, signature})
}

// signed adds a case with a right standard signature for an id and a timestamp.
func (l *caseList) signed(name string, want signatureWant, id, timestamp, body string) *signatureCase {
	return l.add(name, want, body, standardHeaders(id, timestamp, signEntry(secretA, id, timestamp, body))...)
}

var sentText = fmt.Sprint(sentUnix)

func standardHeaders(id, timestamp, list string) [][2]string {
	return [][2]string{{webhook.IDHeader, id}, {webhook.TimestampHeader, timestamp}, {webhook.StandardSignatureHeader, list}}
}

// genuineEntry is the right entry of the usual request.
func genuineEntry() string { return signEntry(secretA, eventID, sentText, caseBody) }

// signatureCases makes all cases, the same ones every time.
func signatureCases() []signatureCase {
	var list caseList
	list.goodBodies()
	list.otherEvents()
	list.flipped()
	list.cut()
	list.reencoded()
	list.simpleForms()
	list.entryForms()
	list.rotated()
	list.times()
	list.timestamps()
	list.repeated()
	list.names()
	list.ids()
	list.secrets()
	return list
}

// goodBodies are bodies that a sender may send, under each scheme and under both.
func (l *caseList) goodBodies() {
	for _, tt := range []struct{ name, data string }{
		{"usual data", caseData},
		{"empty object", `{}`},
		{"empty array", `[]`},
		{"empty text", `""`},
		{"null", `null`},
		{"false", `false`},
		{"zero", `0`},
		{"letters of two, three and four bytes", `{"name":"Zürich ✅ 🔒"}`},
		{"escaped letters", `{"name":"Z\u00fcrich \ud83d\udd12","path":"a\/b\\c\"d\b\f\n\r\t"}`},
		{"half a surrogate pair", `{"name":"\ud800"}`},
		{"line separators", "{\"text\":\"a\u2028b\u2029c\"}"},
		{"characters of HTML", `{"text":"<b>&amp;</b>"}`},
		{"delete character", "{\"text\":\"\u007f\"}"},
		{"NUL, escaped", `{"text":"\u0000"}`},
		{"integer above 2^53", `{"scan_id":9007199254740993}`},
		{"integer of 30 digits", `{"n":123456789012345678901234567890}`},
		{"integer of 5000 digits", `{"n":` + strings.Repeat("7", 5000) + `}`},
		{"numbers written oddly", `[1.0,1e2,1E+2,-0,0.10,1e-400,1e400]`},
		{"nested", `{"a":[{"b":[[],{},[{"c":{"d":null}}]]}]}`},
		{"200 deep", strings.Repeat("[", 200) + strings.Repeat("]", 200)},
		{"brackets and commas in texts", `{"a":"]},{[\"","b,":"}"}`},
		{"order of keys and repeated keys", `{"z":1,"a":2,"z":3}`},
		{"key __proto__", `{"__proto__":{"x":1},"constructor":null}`},
		{"byte order mark in a text", "{\"text\":\"\ufeff\"}"},
		{"event in the data", `{"id":"other","type":"x","created_at":"","data":{"id":1}}`},
		{"white space in texts", `{"text":"  a  b  "}`},
		{"test event", `{"test":true,"domain":"example.com","score":85,"grade":"B","message":"This is a test webhook from ComplianceLayer"}`},
	} {
		body := caseHead + tt.data + `}`
		event := signedEvent{eventID, "scan.completed", caseTime, tt.data}
		l.entries("good, standard: "+tt.name, wantStandard.with(event), body, signEntry(secretA, eventID, sentText, body))
		l.simple("good, simple: "+tt.name, wantSimple.with(event), body, signSimple(secretA, body))
	}
	both := append([][2]string{{"Content-Type", "application/json"}, {webhook.SignatureHeader, signSimple(secretA, caseBody)}}, standardHeaders(eventID, sentText, genuineEntry())...)
	l.add("good, both signatures", wantStandard.with(caseEvent), caseBody, both...)
	both[1][1] = "x"
	l.add("good, standard beside a wrong simple one", wantStandard.with(caseEvent), caseBody, both...)
}

// otherEvents are genuine bodies that the sender does not make in this form.
func (l *caseList) otherEvents() {
	at := func(text string) string { return strings.Replace(caseBody, caseTime, text, 1) }
	event := func(id, eventType, createdAt, data string) signatureWant {
		return wantSimple.with(signedEvent{id, eventType, createdAt, data})
	}
	for _, tt := range []struct {
		name, body string
		want       signatureWant
	}{
		{"other order and unknown members", `{"data":{"a":1},"v":[2,{"data":3}],"created_at":"` + caseTime + `","type":"t","id":"i"}`, event("i", "t", caseTime, `{"a":1}`)},
		{"names that differ in case", strings.TrimSuffix(caseBody, "}") + `,"ID":"x","Data":1}`, wantSimple.with(caseEvent)},
		{"repeated members, the last counts", `{"id":"x","data":1,` + caseBody[1:], wantSimple.with(caseEvent)},
		{"repeated id, the last is null", strings.TrimSuffix(caseBody, "}") + `,"id":null}`, wantSimple.badEvent()},
		{"escaped name", strings.Replace(caseBody, `"data"`, `"d\u0061ta"`, 1), wantSimple.with(caseEvent)},
		{"escaped id", strings.Replace(caseBody, `"scan.completed"`, `"scan\u002ecompleted"`, 1), wantSimple.with(caseEvent)},
		{"member __proto__", `{"__proto__":{"id":"x","data":1},` + caseBody[1:], wantSimple.with(caseEvent)},
		{"no data but in __proto__", strings.Replace(caseBody, `"data":`, `"__proto__":`, 1), wantSimple.badEvent()},
		{"white space between everything", " \t\r\n" + strings.NewReplacer(`":`, "\" :\n ", `,"`, " ,\t\"").Replace(caseHead) + " [ 1 , 2 ]\r\n } \n", event(eventID, "scan.completed", caseTime, `[ 1 , 2 ]`)},
		{"data between white space", caseHead + "\n 12 \t}", event(eventID, "scan.completed", caseTime, `12`)},
		{"id of letters outside ASCII", `{"id":"Zürich\ud800","type":"é","created_at":"` + caseTime + `","data":1}`, event("Zürich\ufffd", "é", caseTime, `1`)},
		{"time without decimals", at("2026-03-08T12:34:56Z"), event(eventID, "scan.completed", "2026-03-08T12:34:56.000Z", caseData)},
		{"time of one decimal", at("2026-03-08T12:34:56.7Z"), event(eventID, "scan.completed", "2026-03-08T12:34:56.700Z", caseData)},
		{"time of nine decimals, cut off", at("2026-03-08T12:34:56.789999999Z"), wantSimple.with(caseEvent)},
		{"time of fifteen decimals, cut off", at("2026-03-08T12:34:56.789999999999999Z"), wantSimple.with(caseEvent)},
		{"time of another zone", at("2026-03-08T18:04:56.789+05:30"), wantSimple.with(caseEvent)},
		{"time of a zone west of here", at("2026-03-07T12:35:56.789-23:59"), wantSimple.with(caseEvent)},
		{"time of a leap day", at("2028-02-29T00:00:00Z"), event(eventID, "scan.completed", "2028-02-29T00:00:00.000Z", caseData)},
		{"time of the year 9999", at("9999-12-31T23:59:59.999Z"), event(eventID, "scan.completed", "9999-12-31T23:59:59.999Z", caseData)},
		{"time of the year 1", at("0001-01-01T00:00:00Z"), event(eventID, "scan.completed", "0001-01-01T00:00:00.000Z", caseData)},
		{"time before 1970", at("1969-12-31T23:59:59.001Z"), event(eventID, "scan.completed", "1969-12-31T23:59:59.001Z", caseData)},
	} {
		l.simple("event: "+tt.name, tt.want, tt.body, signSimple(secretA, tt.body))
	}

	for _, createdAt := range []string{
		"", "2026-03-08", "2026-03-08T12:34:56", "2026-03-08 12:34:56Z", "2026-03-08t12:34:56z", "2026-03-08T12:34Z", "20260308T123456Z",
		"2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-03-08T24:00:00Z", "2026-03-08T12:60:00Z", "2026-03-08T12:34:60Z", "2026-03-08T1:34:56Z", "2026-03-08T12:34:56,789Z", "2026-03-08T12:34:56.Z",
		"2026-03-08T12:34:56+0100", "2026-03-08T12:34:56+24:00", "2026-03-08T12:34:56+01:60", "+2026-03-08T12:34:56Z", "12026-03-08T12:34:56Z",
		" 2026-03-08T12:34:56Z", `2026-03-08T12:34:56Z\n`, "٢٠٢٦-03-08T12:34:56Z", "yesterday",
	} {
		body := at(createdAt)
		l.simple("bad event: the time "+createdAt, wantSimple.badEvent(), body, signSimple(secretA, body))
	}

	bad := func(old, now string) string { return strings.Replace(caseBody, old, now, 1) }
	for _, tt := range []struct{ name, body string }{
		{"no body", ""},
		{"white space alone", " \n"},
		{"null", "null"},
		{"array", "[" + caseBody + "]"},
		{"text", `"event"`},
		{"number", "1"},
		{"NUL bytes", "\x00\x00"},
		{"NUL byte behind it", caseBody + "\x00"},
		{"NUL byte in a text", bad("example", "exam\x00ple")},
		{"line break in a text", bad("example", "exam\nple")},
		{"no text at all", "\xff\xfe\x00{"},
		{"not UTF-8 in a text", bad("example", "ex\xffample")},
		{"half of a letter", bad("example", "ex\xc3ample")},
		{"surrogate in UTF-8", bad("example", "\xed\xa0\x80")},
		{"letter written too long", bad("example", "\xc0\xaf")},
		{"UTF-16", "\x00{\x00}"},
		{"byte order mark before it", "\ufeff" + caseBody},
		{"no-break space before it", "\u00a0" + caseBody},
		{"cut off", caseBody[:len(caseBody)-1]},
		{"text behind it", caseBody + "x"},
		{"two of them", caseBody + caseBody},
		{"comma at the end", bad(`"B"}`, `"B",}`)},
		{"comment", bad("{", "{/* */")},
		{"single quotes", strings.ReplaceAll(caseBody, `"`, `'`)},
		{"NaN", bad("85", "NaN")},
		{"Infinity", bad("85", "-Infinity")},
		{"leading zero", bad("85", "085")},
		{"plus sign", bad("85", "+85")},
		{"number that ends in its point", bad("85", "85.")},
		{"number that begins with its point", bad("85", ".85")},
		{"number in hexadecimal", bad("85", "0x55")},
		{"unknown escape", bad("example", `\x41`)},
		{"short escape", bad("example", `\u12`)},
		{"escape with a sign", bad("example", `\u+123`)},
		{"digits of another script", bad("85", "٨٥")},
		{"10000 deep and one more", caseHead + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}"},
		{"no id", bad(`"id"`, `"ID"`)},
		{"id null", bad(`"`+eventID+`"`, "null")},
		{"id a number", bad(`"`+eventID+`"`, "5")},
		{"id an object", bad(`"`+eventID+`"`, `{"id":"x"}`)},
		{"id empty", bad(eventID, "")},
		{"no type", bad(`"type"`, `"t"`)},
		{"type an array", bad(`"scan.completed"`, `["scan.completed"]`)},
		{"type empty", bad("scan.completed", "")},
		{"no created_at", bad(`"created_at"`, `"createdAt"`)},
		{"created_at null", bad(`"`+caseTime+`"`, "null")},
		{"created_at a number", bad(`"`+caseTime+`"`, sentText)},
		{"no data", bad(`"data"`, `"Data"`)},
		{"empty object", "{}"},
	} {
		l.simple("bad event: "+tt.name, wantSimple.badEvent(), tt.body, signSimple(secretA, tt.body))
	}
}

// flipped are requests of which one bit was changed.
func (l *caseList) flipped() {
	simple, entry := signSimple(secretA, caseBody), genuineEntry()
	for i := 0; i < len(caseBody); i += 7 {
		body := flip(caseBody, i, uint(i)%8)
		l.entries(fmt.Sprintf("forged, standard: bit %d of byte %d of the body", i%8, i), wantError("mismatch"), body, entry)
		l.simple(fmt.Sprintf("forged, simple: bit %d of byte %d of the body", i%8, i), wantError("mismatch"), body, simple)
	}
	for i := range simple {
		changed := flip(simple, i, 0)
		want := wantError("mismatch")
		if strings.Trim(changed, "0123456789abcdef") != "" {
			want = wantError("bad_header")
		}
		l.simple(fmt.Sprintf("forged, simple: character %d of the signature", i), want, caseBody, changed)
	}
	for i := len("v1,"); i < len(entry); i++ {
		l.entries(fmt.Sprintf("forged, standard: character %d of the signature", i), wantError("mismatch"), caseBody, flip(entry, i, 0))
	}
	for i := range eventID {
		l.add(fmt.Sprintf("forged, standard: character %d of the id", i), wantError("mismatch"), caseBody, standardHeaders(flip(eventID, i, 0), sentText, entry)...)
	}
	for i := range sentText {
		want := wantError("mismatch")
		if i == 0 {
			want = wantError("bad_header") // it begins with 0 then
		}
		l.add(fmt.Sprintf("forged, standard: digit %d of the timestamp", i), want, caseBody, standardHeaders(eventID, flip(sentText, i, 0), entry)...)
	}
	// The last character before the padding has two bits that decode to nothing.
	last := len(entry) - 2
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		other := entry[:last] + string(c) + "="
		was, _ := base64.StdEncoding.DecodeString(entry[len("v1,"):])
		is, err := base64.StdEncoding.DecodeString(other[len("v1,"):])
		if err == nil && other != entry && string(is) == string(was) {
			l.entries("another spelling of the same bytes: "+string(c), wantError("mismatch"), caseBody, other)
		}
	}
}

// flip changes one bit.
func flip(text string, at int, bit uint) string {
	changed := []byte(text)
	changed[at] ^= 1 << bit
	return string(changed)
}

// cut are signatures and bodies that are too short or too long.
func (l *caseList) cut() {
	simple, entry := signSimple(secretA, caseBody), genuineEntry()
	for _, n := range []int{0, 1, 2, 31, 32, 62, 63} {
		l.simple(fmt.Sprintf("cut, simple: %d characters of the signature", n), wantError("bad_header"), caseBody, simple[:n])
		l.simple(fmt.Sprintf("cut, simple: without the first %d characters", 64-n), wantError("bad_header"), caseBody, simple[64-n:])
	}
	for _, n := range []int{65, 66, 128, 4096} {
		l.simple(fmt.Sprintf("cut, simple: %d characters", n), wantError("bad_header"), caseBody, strings.Repeat(simple, 64)[:n])
	}
	for _, n := range []int{3, 4, 5, 7, 35, 45, 46} {
		l.entries(fmt.Sprintf("cut, standard: %d characters of the entry", n), wantError("mismatch"), caseBody, entry[:n])
	}
	for _, n := range []int{0, 1, 2} {
		l.entries(fmt.Sprintf("cut, standard: %d characters of the entry", n), wantError("no_signature"), caseBody, entry[:n])
	}
	l.entries("cut, standard: one character more", wantError("mismatch"), caseBody, entry+"=")
	l.entries("cut, standard: the signature twice in one entry", wantError("mismatch"), caseBody, entry+entry[3:])
	l.entries("cut, standard: a long entry", wantError("mismatch"), caseBody, "v1,"+strings.Repeat("A", 5000))
	for _, n := range []int{0, 1, 10, 50, len(caseBody) / 2, len(caseBody) - 2, len(caseBody) - 1} {
		l.entries(fmt.Sprintf("cut, standard: %d bytes of the body", n), wantError("mismatch"), caseBody[:n], entry)
		l.simple(fmt.Sprintf("cut, simple: %d bytes of the body", n), wantError("mismatch"), caseBody[:n], simple)
	}
}

// reencoded are bodies of the same value in other bytes, as a framework leaves them that
// parses first.
func (l *caseList) reencoded() {
	body := caseHead + `{"name":"Zürich \u00e9 a\/b <b>","score":85.0,"n":1e2}}`
	for _, tt := range []struct{ name, body string }{
		{"line break behind it", body + "\n"},
		{"carriage return and line break", body + "\r\n"},
		{"NUL byte behind it", body + "\x00"},
		{"space before it", " " + body},
		{"byte order mark", "\ufeff" + body},
		{"spaces behind colons", strings.ReplaceAll(body, `":`, `": `)},
		{"spaces behind commas", strings.ReplaceAll(body, `,"`, `, "`)},
		{"order of keys", strings.Replace(body, `"score":85.0,"n":1e2`, `"n":1e2,"score":85.0`, 1)},
		{"number without its decimal", strings.Replace(body, "85.0", "85", 1)},
		{"number without its exponent", strings.Replace(body, "1e2", "100", 1)},
		{"escape as a letter", strings.Replace(body, `\u00e9`, "é", 1)},
		{"escape in upper case", strings.Replace(body, `\u00e9`, `\u00E9`, 1)},
		{"letter as an escape", strings.Replace(body, "ü", `\u00fc`, 1)},
		{"letter as two characters", strings.Replace(body, "ü", "u\u0308", 1)},
		{"letter in Latin-1", strings.Replace(body, "ü", "\xfc", 1)},
		{"letter as a replacement character", strings.Replace(body, "ü", "\ufffd", 1)},
		{"slash without its escape", strings.Replace(body, `\/`, "/", 1)},
		{"characters of HTML as escapes", strings.Replace(body, "<b>", `\u003cb\u003e`, 1)},
		{"time to the second", strings.Replace(body, ".789Z", "Z", 1)},
		{"further member", strings.Replace(body, "{", `{"v":1,`, 1)},
		{"nothing but the data", body[len(caseHead) : len(body)-1]},
		{"base64", base64.StdEncoding.EncodeToString([]byte(body))},
		{"in a text", `"` + strings.ReplaceAll(body, `"`, `\"`) + `"`},
		{"as a form", "payload=" + body},
	} {
		l.entries("re-encoded, standard: "+tt.name, wantError("mismatch"), tt.body, signEntry(secretA, eventID, sentText, body))
		l.simple("re-encoded, simple: "+tt.name, wantError("mismatch"), tt.body, signSimple(secretA, body))
	}
}
