package webhook_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// simpleForms are other ways to write the simple signature; only one is right.
func (l *caseList) simpleForms() {
	right := signSimple(secretA, caseBody)
	sum, err := hex.DecodeString(right)
	if err != nil {
		panic(err) // what was just encoded
	}
	for _, tt := range []struct{ name, value string }{
		{"upper case", strings.ToUpper(right)},
		{"one letter in upper case", strings.Replace(right, "a", "A", 1)},
		{"0x before it", "0x" + right},
		{"sha256= before it", "sha256=" + right},
		{"0x in place of two characters", "0x" + right[2:]},
		{"space before it", " " + right},
		{"space behind it", right + " "},
		{"tab behind it", right + "\t"},
		{"space in place of a character", right[:63] + " "},
		{"line break behind it", right + "\n"},
		{"line break in place of a character", right[:63] + "\n"},
		{"NUL byte behind it", right + "\x00"},
		{"NUL byte in place of a character", right[:63] + "\x00"},
		{"NUL bytes", strings.Repeat("\x00", 64)},
		{"quotes around it", `"` + right + `"`},
		{"colons", strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")},
		{"base64", base64.StdEncoding.EncodeToString(sum)},
		{"the standard signature", genuineEntry()},
		{"itself twice", right + "," + right},
		{"letter that is no digit", "g" + right[1:]},
		{"digit of another script", "٣" + right[1:]},
		{"wide digits, 64 characters", strings.Map(func(r rune) rune {
			if r <= '9' {
				return r - '0' + '０'
			}
			return r
		}, right)},
	} {
		l.simple("form, simple: "+tt.name, wantError("bad_header"), caseBody, tt.value)
	}
	l.simple("form, simple: zeros", wantError("mismatch"), caseBody, strings.Repeat("0", 64))
	l.simple("form, simple: made with the decoded key", wantError("mismatch"), caseBody, hex.EncodeToString(hmacOf(decoded(secretA), caseBody)))
	l.simple("form, simple: made with the secret without whsec_", wantError("mismatch"), caseBody, hex.EncodeToString(hmacOf([]byte(secretA[6:]), caseBody)))
	l.simple("form, simple: made as the standard scheme says", wantError("mismatch"), caseBody, hex.EncodeToString(hmacOf([]byte(secretA), eventID+"."+sentText+"."+caseBody)))
	l.simple("form, simple: empty body", wantSimple.badEvent(), "", signSimple(secretA, ""))
}

func decoded(secret string) []byte {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err) // a secret of the cases is not one
	}
	return key
}

// entryForms are other ways to write an entry of webhook-signature and its list.
func (l *caseList) entryForms() {
	// Of this body the signature has + and /, which other alphabets write otherwise.
	body, entry := caseBody, genuineEntry()
	want := caseEvent
	for n := 0; !strings.Contains(entry, "+") || !strings.Contains(entry, "/"); n++ {
		want.Data = fmt.Sprintf(`{"n":%d}`, n)
		body = caseHead + want.Data + `}`
		entry = signEntry(secretA, eventID, sentText, body)
	}
	good := wantStandard.with(want)
	mac := decoded("whsec_" + entry[3:])
	for _, tt := range []struct {
		name, list string
		want       signatureWant
	}{
		{"as it should be", entry, good},
		{"without padding", strings.TrimRight(entry, "="), wantError("mismatch")},
		{"alphabet of URLs", "v1," + base64.URLEncoding.EncodeToString(mac), wantError("mismatch")},
		{"alphabet of URLs, without padding", "v1," + base64.RawURLEncoding.EncodeToString(mac), wantError("mismatch")},
		{"escaped for a URL", strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(entry), wantError("mismatch")},
		{"plus sign as a space", strings.Replace(entry, "+", " ", 1), wantError("mismatch")},
		{"hexadecimal", "v1," + hex.EncodeToString(mac), wantError("mismatch")},
		{"lower case", "v1," + strings.ToLower(entry[3:]), wantError("mismatch")},
		{"NUL byte behind it", entry + "\x00", wantError("mismatch")},
		{"NUL byte in it", entry[:20] + "\x00" + entry[20:], wantError("mismatch")},
		{"letter outside ASCII in it", entry[:20] + "é" + entry[21:], wantError("mismatch")},
		{"comma behind it", entry + ",", wantError("mismatch")},
		{"semicolon behind it", entry + ";", wantError("mismatch")},
		{"quotes around it", `"` + entry + `"`, wantError("no_signature")},
		{"two commas", "v1,," + entry[3:], wantError("mismatch")},
		{"space behind the version", "v1, " + entry[3:], wantError("mismatch")},
		{"space before the comma", "v1 ," + entry[3:], wantError("no_signature")},
		{"no signature behind the version", "v1,", wantError("mismatch")},
		{"no comma", "v1" + entry[3:], wantError("no_signature")},
		{"no version", entry[3:], wantError("no_signature")},
		{"no version but its comma", entry[2:], wantError("no_signature")},
		{"equals sign in place of the comma", "v1=" + entry[3:], wantError("no_signature")},
		{"version in upper case", "V1," + entry[3:], wantError("no_signature")},
		{"version 1", "1," + entry[3:], wantError("no_signature")},
		{"version 01", "v01," + entry[3:], wantError("no_signature")},
		{"version 11", "v11," + entry[3:], wantError("no_signature")},
		{"version 1a", "v1a," + entry[3:], wantError("no_signature")},
		{"version 2", "v2," + entry[3:], wantError("no_signature")},
		{"empty", "", wantError("no_signature")},
		{"spaces alone", "   ", wantError("no_signature")},
		{"commas alone", ", ,", wantError("no_signature")},
		{"NUL byte alone", "\x00", wantError("no_signature")},
		{"spaces around it", "  " + entry + "   ", good},
		{"tabs around it", "\t" + entry + "\t", good},
		{"line breaks around it", "\r\n" + entry + "\n", good},
		{"several v1, the right one first", entry + " v1,AAAA v1,", good},
		{"several v1, the right one last", "v1, v1,AAAA  " + entry, good},
		{"several v1, the right one between", "v1,AAAA\t" + entry + "\tv1,BBBB", good},
		{"itself twice", entry + " " + entry, good},
		{"several v1 without the right one", "v1,AAAA v1,BBBB v1," + strings.Repeat("A", 43) + "=", wantError("mismatch")},
		{"unknown versions before it", "v1a,AAAA v2," + entry[3:] + " v99,x " + entry, good},
		{"unknown versions behind it", entry + " v1a,AAAA v2,BBBB", good},
		{"unknown versions alone", "v1a,AAAA v2," + entry[3:], wantError("no_signature")},
		{"unknown versions and a wrong v1", "v2," + entry[3:] + " v1,AAAA", wantError("mismatch")},
		{"nonsense before it", " , v1 nonsense = " + entry, good},
		{"joined with commas, the right one first", entry + ", v1,AAAA", wantError("mismatch")},
		{"joined with commas, the right one last", "v1,AAAA, " + entry, good},
		{"a hundred entries, the right one last", strings.Repeat("v1,AAAA ", 99) + entry, good},
		{"the simple signature", "v1," + signSimple(secretA, body), wantError("mismatch")},
		{"made with the whole secret", "v1," + base64.StdEncoding.EncodeToString(hmacOf([]byte(secretA), eventID+"."+sentText+"."+body)), wantError("mismatch")},
		{"made of the body alone", "v1," + base64.StdEncoding.EncodeToString(hmacOf(decoded(secretA), body)), wantError("mismatch")},
		{"made without the time", "v1," + base64.StdEncoding.EncodeToString(hmacOf(decoded(secretA), eventID+"."+body)), wantError("mismatch")},
		{"made of time and id in turn", "v1," + base64.StdEncoding.EncodeToString(hmacOf(decoded(secretA), sentText+"."+eventID+"."+body)), wantError("mismatch")},
	} {
		l.entries("form, standard: "+tt.name, tt.want, body, tt.list)
	}
	// The standard signature decides when it is there, whatever the simple one says.
	for _, tt := range []struct{ name, list, code string }{
		{"wrong", "v1," + strings.Repeat("A", 43) + "=", "mismatch"},
		{"empty", "", "no_signature"},
		{"of unknown versions", "v2,AAAA", "no_signature"},
	} {
		c := l.entries("standard signature "+tt.name+" beside a right simple one", wantError(tt.code), caseBody, tt.list)
		c.Headers = append(c.Headers, [2]string{webhook.SignatureHeader, signSimple(secretA, caseBody)})
	}
}

// rotated are requests during the change of a secret.
func (l *caseList) rotated() {
	sign := func(secret string) string { return signEntry(secret, eventID, sentText, caseBody) }
	good, wrong := wantStandard.with(caseEvent), wantError("mismatch")
	for _, tt := range []struct {
		name    string
		signed  []string
		secrets []string
		want    signatureWant
	}{
		{"sent with the old, known old and new", []string{secretA}, []string{secretA, secretB}, good},
		{"sent with the new, known old and new", []string{secretB}, []string{secretA, secretB}, good.at(1)},
		{"sent with the old, known new and old", []string{secretA}, []string{secretB, secretA}, good.at(1)},
		{"sent with both, known the old", []string{secretA, secretB}, []string{secretA}, good},
		{"sent with both, known the new", []string{secretA, secretB}, []string{secretB}, good},
		{"sent with both in turn, known the old", []string{secretB, secretA}, []string{secretA}, good},
		{"sent with both, known both: the receiver's order counts", []string{secretB, secretA}, []string{secretA, secretB}, good},
		{"sent with both, known both in turn", []string{secretA, secretB}, []string{secretB, secretA}, good},
		{"sent with three, known the third", []string{secretA, secretB, secretC}, []string{secretC}, good},
		{"sent with the third, known all", []string{secretC}, []string{secretA, secretB, secretC}, good.at(2)},
		{"known one twice", []string{secretA}, []string{secretB, secretA, secretA}, good.at(1)},
		{"an empty one before it", []string{secretA}, []string{"", secretA}, good.at(1)},
		{"an empty one behind it", []string{secretA}, []string{secretA, ""}, good},
		{"sent with the new, known the old", []string{secretB}, []string{secretA}, wrong},
		{"sent with the old, known the new", []string{secretA}, []string{secretB}, wrong},
		{"sent with two, known the third", []string{secretA, secretB}, []string{secretC}, wrong},
	} {
		var list []string
		for _, secret := range tt.signed {
			list = append(list, sign(secret))
		}
		l.entries("rotation, standard: "+tt.name, tt.want, caseBody, strings.Join(list, " ")).Secrets = tt.secrets
		if len(tt.signed) > 1 {
			continue // the simple header has room for one
		}
		want := tt.want
		if want.OK {
			want.Scheme = "simple"
		}
		l.simple("rotation, simple: "+tt.name, want, caseBody, signSimple(tt.signed[0], caseBody)).Secrets = tt.secrets
	}
	// A list may come in several lines of the header.
	for _, tt := range []struct {
		name  string
		lines []string
		want  signatureWant
	}{
		{"the right one in the second line", []string{"v1,AAAA", sign(secretA)}, good},
		{"the right one in the first line", []string{sign(secretA), "v1,AAAA v2,x"}, good},
		{"an empty line first", []string{"", sign(secretA)}, good},
		{"three lines of unknown versions", []string{"v2,a", "", "v3,b"}, wantError("no_signature")},
		{"an entry in two halves", []string{sign(secretA)[:20], sign(secretA)[20:]}, wrong},
	} {
		c := l.add("lines: "+tt.name, tt.want, caseBody, [2]string{webhook.IDHeader, eventID}, [2]string{webhook.TimestampHeader, sentText})
		for _, line := range tt.lines {
			c.Headers = append(c.Headers, [2]string{webhook.StandardSignatureHeader, line})
		}
	}
}

// times are requests at and beyond the borders of the tolerance.
func (l *caseList) times() {
	good := wantStandard.with(caseEvent)
	for _, tt := range []struct {
		age, tolerance int64
		want           signatureWant
	}{
		{0, 300, good}, {299, 300, good}, {300, 300, good}, {301, 300, wantError("too_old")},
		{-299, 300, good}, {-300, 300, good}, {-301, 300, wantError("too_new")},
		{300, 0, good}, {301, 0, wantError("too_old")}, {-300, 0, good}, {-301, 0, wantError("too_new")},
		{300, -1, good}, {301, -1, wantError("too_old")}, {-300, -3600, good}, {-301, -3600, wantError("too_new")},
		{1, 1, good}, {2, 1, wantError("too_old")}, {-1, 1, good}, {-2, 1, wantError("too_new")},
		{600, 600, good}, {601, 600, wantError("too_old")}, {-600, 600, good}, {-601, 600, wantError("too_new")},
		{86_400, 300, wantError("too_old")}, {-86_400, 300, wantError("too_new")}, {31_536_000, 31_536_000, good},
	} {
		c := l.entries(fmt.Sprintf("time: %d s old, tolerance %d s", tt.age, tt.tolerance), tt.want, caseBody, genuineEntry())
		c.Now, c.Tolerance = sentUnix+tt.age, tt.tolerance
	}
	l.simple("time: the simple scheme has none", wantSimple.with(caseEvent), caseBody, signSimple(secretA, caseBody)).Now = sentUnix + 31_536_000
	l.entries("time: forged and too old", wantError("mismatch"), caseBody+" ", genuineEntry()).Now = sentUnix + 3600
	l.signed("time: too old and another id", wantError("too_old"), "another", sentText, caseBody).Now = sentUnix + 3600
	l.signed("time: the first second", good, eventID, "0", caseBody).Now = 0
	l.signed("time: the last second of 1969", good, eventID, "0", caseBody).Now = -1
	l.signed("time: eleven digits", good, eventID, "99999999999", caseBody).Now = 99_999_999_999
	l.signed("time: of another century", wantError("too_new"), eventID, "99999999999", caseBody)
	l.signed("time: 0 now", wantError("too_old"), eventID, "0", caseBody)
}

// timestamps are times in another form, each signed as it is written.
func (l *caseList) timestamps() {
	for _, text := range []string{
		"0" + sentText, "00", "+" + sentText, "-" + sentText, "-0", "-1", sentText + ".0", sentText + ".5", sentText + ".", "." + sentText,
		"1.772973296e9", "1e9", "1772973296e0", "0x69ad6df0", "0b1", "0o1", "1_772_973_296", "1,772,973,296", sentText + "000", sentText + "000000000",
		"100000000000", "9223372036854775807", "9223372036854775808", "18446744073709551616", strings.Repeat("9", 400), strings.Repeat("0", 400),
		"", " ", " " + sentText, sentText + " ", sentText + "\t", sentText + "\n", "\ufeff" + sentText, sentText + "\x00", "\x00", sentText + ";",
		"now", "NaN", "Infinity", "-Infinity", "null", "true", "[]", "٠", "١٧٧٢٩٧٣٢٩٦", "１７７２９７３２９６", "१७७२९७३२९६", "1772973²96", "2026-03-08T12:34:56Z", sentText + "n", sentText + "L",
	} {
		short := text
		if len(short) > 40 {
			short = fmt.Sprintf("%s... of %d characters", short[:10], len(text))
		}
		l.signed(fmt.Sprintf("timestamp %q", short), wantError("bad_header"), eventID, text, caseBody)
	}
}

// repeated are headers that are missing or there more than once.
func (l *caseList) repeated() {
	right := standardHeaders(eventID, sentText, genuineEntry())
	names := []string{"id", "timestamp", "signature"}
	for i, name := range names[:2] {
		without := append(append([][2]string{}, right[:i]...), right[i+1:]...)
		l.add("no "+name, wantError("bad_header"), caseBody, without...)
		l.add(name+" twice", wantError("bad_header"), caseBody, append(append([][2]string{}, right...), right[i])...)
		l.add(name+" twice, in other cases of its name", wantError("bad_header"), caseBody, append(append([][2]string{}, right...), [2]string{strings.ToUpper(right[i][0]), right[i][1]})...)
		l.add(name+" twice, the first empty", wantError("bad_header"), caseBody, append([][2]string{{right[i][0], ""}}, right...)...)
		l.add(name+" twice, the second empty", wantError("bad_header"), caseBody, append(append([][2]string{}, right...), [2]string{right[i][0], ""})...)
		l.add(name+" twice, the first wrong", wantError("bad_header"), caseBody, append([][2]string{{right[i][0], "1"}}, right...)...)
		l.add(name+" joined with itself", wantError(map[string]string{"id": "mismatch", "timestamp": "bad_header"}[name]), caseBody, replaced(right, i, right[i][1]+", "+right[i][1])...)
	}
	l.add("no headers", wantError("no_signature"), caseBody)
	l.add("no signature", wantError("no_signature"), caseBody, right[:2]...)
	l.add("other headers alone", wantError("no_signature"), caseBody, [2]string{"Content-Type", "application/json"}, [2]string{"X-Hub-Signature-256", "sha256=" + signSimple(secretA, caseBody)})
	l.add("only a standard signature", wantError("bad_header"), caseBody, right[2])
	l.add("signature twice", wantStandard.with(caseEvent), caseBody, append(append([][2]string{}, right...), right[2])...)

	simple := [2]string{webhook.SignatureHeader, signSimple(secretA, caseBody)}
	l.add("simple signature twice", wantError("bad_header"), caseBody, simple, simple)
	l.add("simple signature twice, the second wrong", wantError("bad_header"), caseBody, simple, [2]string{webhook.SignatureHeader, "x"})
	l.add("simple signature twice, the first empty", wantError("bad_header"), caseBody, [2]string{webhook.SignatureHeader, ""}, simple)
	l.add("simple signature twice, in other cases of its name", wantError("bad_header"), caseBody, simple, [2]string{strings.ToLower(simple[0]), simple[1]})
	l.add("simple signature twice, beside the standard one", wantStandard.with(caseEvent), caseBody, append([][2]string{simple, simple}, right...)...)
}

// replaced changes the value of one header.
func replaced(headers [][2]string, at int, value string) [][2]string {
	changed := append([][2]string{}, headers...)
	changed[at][1] = value
	return changed
}

// names are names of headers in every case, and names that are others.
func (l *caseList) names() {
	right := standardHeaders(eventID, sentText, genuineEntry())
	renamed := func(change func(string) string, headers ...[2]string) [][2]string {
		var list [][2]string
		for _, header := range headers {
			list = append(list, [2]string{change(header[0]), header[1]})
		}
		return list
	}
	simple := [2]string{webhook.SignatureHeader, signSimple(secretA, caseBody)}
	for _, tt := range []struct {
		name   string
		change func(string) string
	}{
		{"upper case", strings.ToUpper},
		{"lower case", strings.ToLower},
		{"net/http's case", http.CanonicalHeaderKey},
		{"mixed case", func(s string) string { return strings.NewReplacer("e", "E", "i", "I", "S", "s").Replace(s) }},
	} {
		l.add("name, standard: "+tt.name, wantStandard.with(caseEvent), caseBody, renamed(tt.change, right...)...)
		l.add("name, simple: "+tt.name, wantSimple.with(caseEvent), caseBody, renamed(tt.change, simple)...)
	}
	for _, tt := range []struct {
		name   string
		change func(string) string
	}{
		{"space behind it", func(s string) string { return s + " " }},
		{"space before it", func(s string) string { return " " + s }},
		{"colon behind it", func(s string) string { return s + ":" }},
		{"NUL byte behind it", func(s string) string { return s + "\x00" }},
		{"line break behind it", func(s string) string { return s + "\n" }},
		{"underscores", func(s string) string { return strings.ReplaceAll(s, "-", "_") }},
		{"no hyphens", func(s string) string { return strings.ReplaceAll(s, "-", "") }},
		{"letters that fold to it", func(s string) string {
			return strings.NewReplacer("k", "\u212a", "s", "\u017f", "S", "\u017f").Replace(s)
		}},
		{"HTTP_ before it", func(s string) string { return "HTTP_" + strings.ToUpper(strings.ReplaceAll(s, "-", "_")) }},
		{"svix- in place of webhook-", func(s string) string { return strings.Replace(s, "webhook-", "svix-", 1) }},
	} {
		if headers := renamed(tt.change, right...); headers[2][0] != right[2][0] {
			l.add("other name, standard: "+tt.name, wantError("no_signature"), caseBody, headers...)
		}
		if headers := renamed(tt.change, simple); headers[0][0] != simple[0] {
			l.add("other name, simple: "+tt.name, wantError("no_signature"), caseBody, headers...)
		}
	}
	l.add("other name: letter that folds to the id's", wantError("bad_header"), caseBody, append(renamed(func(string) string { return "webhoo\u212a-id" }, right[0]), right[1:]...)...)
	l.add("other name: __proto__", wantError("no_signature"), caseBody, [2]string{"__proto__", genuineEntry()}, [2]string{"constructor", "x"})
	l.add("other names beside the right ones", wantStandard.with(caseEvent), caseBody, append([][2]string{{"webhook-id ", "x"}, {"__proto__", "x"}, {"", "x"}, {"webhook", "x"}}, right...)...)
}

// ids are ids that are signed as they are, and those that a body contradicts.
func (l *caseList) ids() {
	with := func(id string) string { return strings.Replace(caseBody, `"`+eventID+`"`, id, 1) }
	event := func(id string) signatureWant {
		return wantStandard.with(signedEvent{id, "scan.completed", caseTime, caseData})
	}
	l.signed("id: short", event("a"), "a", sentText, with(`"a"`))
	l.signed("id: of 200 characters", event(strings.Repeat("a", 200)), strings.Repeat("a", 200), sentText, with(`"`+strings.Repeat("a", 200)+`"`))
	l.signed("id: as one of Standard Webhooks", event("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"), "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", sentText, with(`"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"`))
	l.signed("id: with spaces in it", event("a b"), "a b", sentText, with(`"a b"`))
	l.signed("id: written with escapes in the body", event("abc"), "abc", sentText, with(`"\u0061b\u0063"`))
	for _, tt := range []struct{ name, id string }{
		{"a full stop", "a.b"}, {"a full stop alone", "."}, {"a full stop at its end", eventID + "."}, {"a full stop at its start", "." + eventID}, {"the timestamp in it", eventID + "." + sentText},
	} {
		l.signed("id with "+tt.name, wantError("bad_header"), tt.id, sentText, with(`"`+tt.id+`"`))
	}
	// The same signed bytes, with the border between id and timestamp moved.
	moved := signEntry(secretA, "a", "1", "2."+caseBody)
	l.add("id with a moved border", wantError("bad_header"), caseBody, standardHeaders("a.1", "2", moved)...).Now = 2
	l.signed("id that is not the body's", wantError("bad_header"), "another", sentText, caseBody)
	l.signed("id in upper case", wantError("bad_header"), strings.ToUpper(eventID[:8])+"F"+eventID[9:], sentText, caseBody)
	l.signed("id with a space behind it", wantError("bad_header"), eventID+" ", sentText, caseBody)
	l.signed("id with a NUL byte behind it", wantError("bad_header"), eventID+"\x00", sentText, caseBody)
	l.signed("id of the first of two members", wantError("bad_header"), eventID, sentText, strings.TrimSuffix(caseBody, "}")+`,"id":"x"}`)
	l.signed("id of the second of two members", wantStandard.with(caseEvent), eventID, sentText, `{"id":"x",`+caseBody[1:])
	l.signed("id empty", wantError("bad_header"), "", sentText, with(`""`))
	for _, tt := range []struct{ name, body string }{
		{"no id", strings.Replace(caseBody, `"id"`, `"ID"`, 1)},
		{"an id that is a number", with(`5`)},
		{"an id that is null", with(`null`)},
		{"an empty id", with(`""`)},
		{"an id in __proto__ only", strings.Replace(caseBody, `"id"`, `"__proto__"`, 1)},
		{"no JSON", "event"},
		{"an array", `[{"id":"x"}]`},
		{"nothing", ""},
		{"bytes that are not UTF-8", "\xff\xfe"},
		{"NUL bytes", "\x00\x00\x00"},
		{"another id in JSON that is cut off", `{"id":"x","type":`},
		{"another id and NaN", `{"id":"x","type":NaN}`},
	} {
		l.signed("body with "+tt.name, wantStandard.badEvent(), eventID, sentText, tt.body)
	}
	l.signed("body that is not UTF-8 in a text", wantStandard.badEvent(), eventID, sentText, strings.Replace(caseBody, "example", "ex\xffample", 1))
	l.signed("body that is not UTF-8 in a text, with another id", wantError("bad_header"), "another", sentText, strings.Replace(caseBody, "example", "ex\xffample", 1))
}

// secrets are secrets that are none, and those at the borders of what is one.
func (l *caseList) secrets() {
	for _, secret := range []string{secretA, secretB, secretC} {
		good := fmt.Sprintf("secret of %d bytes", len(decoded(secret)))
		l.entries(good+", standard", wantStandard.with(caseEvent), caseBody, signEntry(secret, eventID, sentText, caseBody)).Secrets = []string{secret}
		l.simple(good+", simple", wantSimple.with(caseEvent), caseBody, signSimple(secret, caseBody)).Secrets = []string{secret}
	}
	for _, tt := range []struct {
		name    string
		secrets []string
	}{{"no secret", []string{}}, {"an empty secret", []string{""}}, {"three empty secrets", []string{"", "", ""}}} {
		l.entries(tt.name+", standard", wantError("no_secret"), caseBody, genuineEntry()).Secrets = tt.secrets
		l.simple(tt.name+", simple", wantError("no_secret"), caseBody, signSimple(secretA, caseBody)).Secrets = tt.secrets
		l.simple(tt.name+", simple, signed with it", wantError("no_secret"), caseBody, signSimple("", caseBody)).Secrets = tt.secrets
		l.simple(tt.name+" and a malformed header", wantError("bad_header"), caseBody, "x").Secrets = tt.secrets
		l.add(tt.name+" and no signature", wantError("no_signature"), caseBody).Secrets = tt.secrets
	}
	for _, secret := range []string{
		"whsec_", "whsec", secretA[6:], "WHSEC_" + secretA[6:], "whsec-" + secretA[6:], "whpk_" + secretA[6:], " " + secretA, secretA + " ", secretA + "\n", secretA + "\x00",
		secretA[:20] + "\n" + secretA[20:], secretA[:20] + " " + secretA[20:], strings.TrimRight(secretA, "="), secretA + "=", secretA[:len(secretA)-2] + "9=", strings.NewReplacer("+", "-", "/", "_").Replace(secretC),
		secretA + "," + secretB, "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)),
		"whsec_" + strings.Repeat("é", 20), "whsec_" + strings.Repeat("ａ", 32), "whsec_" + strings.Repeat("*", 44), "whsec_" + hex.EncodeToString(decoded(secretA)) + "0",
	} {
		l.entries(fmt.Sprintf("malformed secret %q", secret), wantError("bad_secret"), caseBody, genuineEntry()).Secrets = []string{secret}
	}
	l.simple("malformed secret behind the right one", wantError("bad_secret"), caseBody, signSimple(secretA, caseBody)).Secrets = []string{secretA, "whsec_"}
	l.add("malformed secret and no signature", wantError("bad_secret"), caseBody).Secrets = []string{"secret"}
	l.simple("signature made with a malformed secret", wantError("bad_secret"), caseBody, signSimple("secret", caseBody)).Secrets = []string{"secret"}
}
