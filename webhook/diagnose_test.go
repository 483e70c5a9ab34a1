package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/webhook"
)

const diagnosed = `{"id":"0195","type":"a","created_at":"2026-03-08T12:34:56.789Z","data":{"b":1.0,"a":"é/😀 <x>","n":[1e30,0.5,true,null,-0.0,2e-7],"e":{}}}`

// diagnosedIndented is diagnosed with an indent of two.
const diagnosedIndented = "{\n  \"id\": \"0195\",\n  \"type\": \"a\",\n  \"created_at\": \"2026-03-08T12:34:56.789Z\",\n  \"data\": {\n    \"b\": 1.0,\n    \"a\": \"é/😀 <x>\",\n    \"n\": [\n      1e30,\n      0.5,\n      true,\n      null,\n      -0.0,\n      2e-7\n    ],\n    \"e\": {}\n  }\n}"

// diagnosis is a mistake: the key and message that were signed by mistake and the way
// the result was written. What is empty is done right.
type diagnosis struct {
	name    string
	key     string
	message string
	write   func(mac []byte) string
	says    []string
}

func asHex(mac []byte) string    { return hex.EncodeToString(mac) }
func asBase64(mac []byte) string { return base64.StdEncoding.EncodeToString(mac) }

func keyBytes(t *testing.T, secret webhook.Secret) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// expectSays checks an answer: all the parts are in it, but neither the secret nor the
// right signature.
func expectSays(t *testing.T, got string, says []string, secret webhook.Secret) {
	t.Helper()
	for _, part := range says {
		if !strings.Contains(got, part) {
			t.Errorf("the answer is %q, want %q in it", got, part)
		}
	}
	expectNoSecret(t, "the answer", got, secret)
	if strings.Contains(got, webhook.Sign(secret, []byte(diagnosed))) {
		t.Errorf("the answer %q gives the right signature away", got)
	}
}

func TestDiagnoseNamesTheMistake(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, vectors(t)[0].Secret)
	whole, decoded := secret.Reveal(), keyBytes(t, secret)
	tests := []diagnosis{
		{"nothing wrong", "", "", asHex, []string{"matches."}},
		{"upper case", "", "", func(mac []byte) string { return strings.ToUpper(asHex(mac)) }, []string{"upper case"}},
		{"base64", "", "", asBase64, []string{"written in base64"}},
		{"base64 without padding", "", "", base64.RawStdEncoding.EncodeToString, []string{"written in base64"}},
		{"base64 of URLs", "", "", base64.URLEncoding.EncodeToString, []string{"written in base64"}},
		{"line break after it", "", "", func(mac []byte) string { return asHex(mac) + "\n" }, []string{"white space around it"}},
		{"prefix of GitHub", "", "", func(mac []byte) string { return "sha256=" + asHex(mac) }, []string{"sha256="}},
		{"decoded key", decoded, "", asHex, []string{"decoded base64 of the secret"}},
		{"key without its prefix", strings.TrimPrefix(whole, "whsec_"), "", asHex, []string{"without whsec_"}},
		{"key with a line break", whole + "\n", "", asHex, []string{"line break after it"}},
		{"key with a line break of Windows", whole + "\r\n", "", asHex, []string{"line break after it"}},
		{"key in quotation marks", `"` + whole + `"`, "", asHex, []string{"quotation marks"}},
		{"empty key", "", "", func([]byte) string { return asHex(hmacOf(nil, diagnosed)) }, []string{"key was empty"}},
		{"line break after the body", "", diagnosed + "\n", asHex, []string{"signed with a line break"}},
		{"line break of Windows after the body", "", diagnosed + "\r\n", asHex, []string{"signed with a line break"}},
		{"indented by two", "", diagnosedIndented, asHex, []string{"written again (indented)"}},
		{"indented by four", "", strings.ReplaceAll(diagnosedIndented, "  ", "    "), asHex, []string{"written again (indented)"}},
		{"indented by tabs", "", strings.ReplaceAll(diagnosedIndented, "  ", "\t"), asHex, []string{"written again (indented)"}},
		{"JavaScript", "", `{"id":"0195","type":"a","created_at":"2026-03-08T12:34:56.789Z","data":{"b":1,"a":"é/😀 <x>","n":[1e+30,0.5,true,null,0,2e-7],"e":{}}}`, asHex, []string{"JSON.stringify"}},
		{"Python", "", `{"id": "0195", "type": "a", "created_at": "2026-03-08T12:34:56.789Z", "data": {"b": 1.0, "a": "\u00e9/\ud83d\ude00 <x>", "n": [1e30, 0.5, true, null, -0.0, 2e-7], "e": {}}}`, asHex, []string{"json.dumps does)"}},
		{"Python, all characters", "", `{"id": "0195", "type": "a", "created_at": "2026-03-08T12:34:56.789Z", "data": {"b": 1.0, "a": "é/😀 <x>", "n": [1e30, 0.5, true, null, -0.0, 2e-7], "e": {}}}`, asHex, []string{"ensure_ascii=False"}},
		{"PHP", "", `{"id":"0195","type":"a","created_at":"2026-03-08T12:34:56.789Z","data":{"b":1.0,"a":"\u00e9\/\ud83d\ude00 <x>","n":[1e30,0.5,true,null,-0.0,2e-7],"e":{}}}`, asHex, []string{"json_encode"}},
		{"Go", "", `{"created_at":"2026-03-08T12:34:56.789Z","data":{"a":"é/😀 \u003cx\u003e","b":1,"e":{},"n":[1e+30,0.5,true,null,-0,2e-7]},"id":"0195","type":"a"}`, asHex, []string{"sorted keys"}},
		{"three mistakes at once", decoded, diagnosed + "\n", asBase64, []string{"base64; X-", "decoded base64", "signed with a line break"}},
		{"hash without a key", "", "", func([]byte) string { sum := sha256.Sum256([]byte(diagnosed)); return asHex(sum[:]) }, []string{"another secret", secret.Fingerprint()}},
		{"another secret", webhook.NewSecret().Reveal(), "", asHex, []string{"another secret", secret.Fingerprint()}},
		{"another body", "", "{}", asHex, []string{"the body was changed"}},
		{"SHA-1", "", "", func([]byte) string { return strings.Repeat("a", 40) }, []string{"SHA-1"}},
		{"SHA-512", "", "", func([]byte) string { return strings.Repeat("a", 128) }, []string{"SHA-512"}},
		{"cut off", "", "", func(mac []byte) string { return asHex(mac)[:60] }, []string{"60 hexadecimal characters"}},
		{"webhook-signature cut off", "", "", func([]byte) string { return "v1,AAAA" }, []string{"base64 of 3 bytes", "cut off"}},
		{"webhook-signature cut off in its padding", "", "", func([]byte) string { return "v1,AAAAAA==" }, []string{"base64 of 4 bytes", "cut off"}},
		{"empty", "", "", func([]byte) string { return " " }, []string{"no signature"}},
		{"no signature at all", "", "", func([]byte) string { return "Bearer token" }, []string{"not an HMAC-SHA256"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, message := whole, diagnosed
			if tt.key != "" {
				key = tt.key
			}
			if tt.message != "" {
				message = tt.message
			}
			got := webhook.Diagnose(secret, []byte(diagnosed), tt.write(hmacOf([]byte(key), message)))
			expectSays(t, got, tt.says, secret)
		})
	}
}

// The signature is right and the user gives another body than the one that was sent.
func TestDiagnoseOfAChangedBody(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, vectors(t)[0].Secret)
	tests := []struct{ name, sent, given, says string }{
		{"copied with a line break", `{"a":1}`, "{\"a\":1}\n", "has white space at its start or end that was not there"},
		{"copied from an indenting viewer", `{"a":[1,2]}`, "{\n  \"a\": [\n    1,\n    2\n  ]\n}", "without white space"},
		{"line ends of Windows", "{\"a\":\n1}", "{\"a\":\r\n1}", "line ends"},
		{"line ends of Unix", "{\"a\":\r\n1}", "{\"a\":\n1}", "line ends"},
		{"byte order mark", `{"a":1}`, "\ufeff{\"a\":1}", "byte order mark"},
		{"read before it was signed", "", `{"a":1}`, "empty when it was signed"},
		{"too large to be written again", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, `{ "a":"` + strings.Repeat("x", 1<<20) + `"}`, "another secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := webhook.Diagnose(secret, []byte(tt.given), webhook.Sign(secret, []byte(tt.sent)))
			expectSays(t, got, []string{tt.says}, secret)
		})
	}
}

// Indentation makes deeply nested text many times longer, so it has a limit.
func TestDiagnoseDoesNotIndentDeepNesting(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	deep := func(depth int, before, inner string) string {
		var b strings.Builder
		for i := range depth {
			b.WriteString("[\n" + strings.Repeat(before, i+1))
		}
		b.WriteString(inner)
		for i := range depth {
			b.WriteString("\n" + strings.Repeat(before, depth-1-i) + "]")
		}
		return b.String()
	}
	for depth, says := range map[int]string{32: "indented", 33: "another secret"} {
		body := strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth)
		got := webhook.Diagnose(secret, []byte(body), webhook.Sign(secret, []byte(deep(depth, "  ", "1"))))
		expectSays(t, got, []string{says}, secret)
	}
}

func TestDiagnoseOfAStandardSignature(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, vectors(t)[0].Secret)
	whole, decoded := secret.Reveal(), keyBytes(t, secret)
	const head = "0195.1772973296."
	v1 := func(mac []byte) string { return "v1," + asBase64(mac) }
	tests := []diagnosis{
		{"nothing wrong", "", "", v1, []string{"matches."}},
		{"right one in a list", "", "", func(mac []byte) string { return "v1a,x v1,AAAA " + v1(mac) }, []string{"matches."}},
		{"right one before a nearly right one", "", "", func(mac []byte) string { return v1(mac) + " v1," + asHex(mac) }, []string{"matches."}},
		{"right one after a nearly right one", "", "", func(mac []byte) string { return "v1," + asHex(mac) + " " + v1(mac) }, []string{"matches."}},
		{"nearly right one in a list", whole, "", func(mac []byte) string { return "v1,AAAA " + v1(mac) }, []string{"whole text of the secret"}},
		{"whole text as the key", whole, "", v1, []string{"whole text of the secret"}},
		{"key without its prefix", strings.TrimPrefix(whole, "whsec_"), "", v1, []string{"without whsec_"}},
		{"body alone", "", diagnosed, v1, []string{"covers the body alone"}},
		{"without the id", "", "1772973296." + diagnosed, v1, []string{"webhook-id was left out"}},
		{"body with a line break", "", head + diagnosed + "\n", v1, []string{"signed with a line break"}},
		{"hexadecimal", "", "", func(mac []byte) string { return "v1," + asHex(mac) }, []string{"written in hexadecimal"}},
		{"without padding", "", "", func(mac []byte) string { return "v1," + base64.RawStdEncoding.EncodeToString(mac) }, []string{"not in standard base64"}},
		{"without the version", "", "", asBase64, []string{"begins with v1"}},
		{"another secret", webhook.NewSecret().Reveal(), "", v1, []string{"another secret"}},
		{"only an unknown version", "", "", func([]byte) string { return "v1a,AAAA" }, []string{"not an HMAC-SHA256"}},
		{"empty", "", "", func([]byte) string { return " " }, []string{"no signature"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, message := decoded, head+diagnosed
			if tt.key != "" {
				key = tt.key
			}
			if tt.message != "" {
				message = tt.message
			}
			got := webhook.DiagnoseStandard(secret, "0195", "1772973296", []byte(diagnosed), tt.write(hmacOf([]byte(key), message)))
			expectSays(t, got, tt.says, secret)
		})
	}
}

func TestDiagnoseOfAStandardSignatureWithoutItsHeaders(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, vectors(t)[0].Secret)
	v := vectors(t)[0]
	got := webhook.Diagnose(secret, []byte(v.Body), v.Standard)
	expectSays(t, got, []string{"also covers webhook-id and webhook-timestamp"}, secret)

	alone := hmac.New(sha256.New, []byte(keyBytes(t, secret)))
	alone.Write([]byte(diagnosed))
	got = webhook.Diagnose(secret, []byte(diagnosed), "v1,"+asBase64(alone.Sum(nil)))
	expectSays(t, got, []string{"covers the body alone"}, secret)
}

// Not parallel: AllocsPerRun counts what the whole process allocates.
func TestDiagnoseComputedEveryCodeAgainForEachEntry(t *testing.T) {
	secret := webhook.NewSecret()
	wrong := "v1," + asBase64(hmacOf([]byte("another secret"), diagnosed)) + " "
	work := func(entries int) float64 {
		return testing.AllocsPerRun(1, func() {
			webhook.DiagnoseStandard(secret, "0195", "1772973296", []byte(diagnosed), strings.Repeat(wrong, entries))
		})
	}
	if one, many := work(1), work(10_000); many > 2*one {
		t.Errorf("10,000 entries cost %v allocations, one costs %v", many, one)
	}
}

func TestDiagnoseLooksAtTheFirstEntriesOnly(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, vectors(t)[0].Secret)
	right := "v1," + asBase64(hmacOf([]byte(keyBytes(t, secret)), "0195.1772973296."+diagnosed))
	for before, says := range map[int]string{7: "matches.", 8: "Only the first 8 entries"} {
		list := strings.Repeat("v1,AAAA ", before) + right
		got := webhook.DiagnoseStandard(secret, "0195", "1772973296", []byte(diagnosed), list)
		expectSays(t, got, []string{says}, secret)
	}
}

func TestDiagnoseWithoutASecret(t *testing.T) {
	t.Parallel()
	const want = "There is no secret to compare with."
	if got := webhook.Diagnose(webhook.Secret{}, nil, "x"); got != want {
		t.Errorf("Diagnose = %q, want %q", got, want)
	}
	if got := webhook.DiagnoseStandard(webhook.Secret{}, "", "", nil, "x"); got != want {
		t.Errorf("DiagnoseStandard = %q, want %q", got, want)
	}
}
