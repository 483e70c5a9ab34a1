package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/webhook"
)

var update = flag.Bool("update", false, "rewrite testdata/signatures.json")

// signaturesFile is at the root, because the libraries in other languages are held to it too.
const signaturesFile = "../testdata/signatures.json"

// signatureCase is one line of testdata/signatures.json: a request, what it is checked
// with, and what every library must say to it.
type signatureCase struct {
	Name string `json:"name"`
	// Headers are pairs of a name and a value, so that one may be repeated.
	Headers [][2]string `json:"headers"`
	// Body is base64, since not every body is a text.
	Body []byte `json:"body"`
	// Now and Tolerance are in seconds; a tolerance of 0 or less is the default.
	Now       int64 `json:"now"`
	Tolerance int64 `json:"tolerance"`
	// Secrets are those of the receiver. An empty one counts as none.
	Secrets []string      `json:"secrets"`
	Want    signatureWant `json:"want"`
}

// signatureWant is either an error or a scheme with the place of the secret, and then
// either an event or bad_event.
type signatureWant struct {
	OK          bool         `json:"ok"`
	Error       string       `json:"error,omitempty"`
	Scheme      string       `json:"scheme,omitempty"`
	SecretIndex int          `json:"secret_index"`
	Event       *signedEvent `json:"event,omitempty"`
	EventError  string       `json:"event_error,omitempty"`
}

// signedEvent is an event as texts: the time in UTC to the millisecond, the rest cut
// off, and the data as it stands in the body.
type signedEvent struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	CreatedAt string `json:"created_at"`
	Data      string `json:"data"`
}

// errorCodes are the names of the errors in the file.
var errorCodes = []struct {
	code string
	err  error
}{
	{"bad_secret", webhook.ErrBadSecret},
	{"no_secret", webhook.ErrNoSecret},
	{"no_signature", webhook.ErrNoSignature},
	{"bad_header", webhook.ErrBadHeader},
	{"mismatch", webhook.ErrMismatch},
	{"too_old", webhook.ErrTooOld},
	{"too_new", webhook.ErrTooNew},
	{"bad_event", webhook.ErrBadEvent},
}

func codeOf(t *testing.T, err error) string {
	t.Helper()
	for _, known := range errorCodes {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	t.Errorf("the error %v has no code", err)
	return ""
}

// TestSignaturesFileIsWhatTheCasesSay keeps the file from being changed by hand.
func TestSignaturesFileIsWhatTheCasesSay(t *testing.T) {
	t.Parallel()
	cases := signatureCases()
	want := encodeCases(t, cases)
	if *update {
		if err := os.WriteFile(signaturesFile, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(signaturesFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("testdata/signatures.json is not what the cases give: go test ./webhook -run Signatures -update, and read the difference")
	}
}

// TestSignaturesFileIsWhole holds that no kind of case has got lost.
func TestSignaturesFileIsWhole(t *testing.T) {
	t.Parallel()
	cases := readSignatures(t)
	if len(cases) < 400 {
		t.Errorf("there are %d cases, want at least 400", len(cases))
	}
	names, verdicts := map[string]bool{}, map[string]int{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
		if c.Want.OK == (c.Want.Error != "") || c.Want.OK != (c.Want.Event != nil || c.Want.EventError != "") {
			t.Errorf("%s: wants %+v, which contradicts itself", c.Name, c.Want)
		}
		verdicts[c.Want.Error+c.Want.Scheme]++
		verdicts[c.Want.EventError]++
	}
	for _, verdict := range []string{"bad_secret", "no_secret", "no_signature", "bad_header", "mismatch", "too_old", "too_new", "bad_event", "simple", "standard"} {
		if verdicts[verdict] < 3 {
			t.Errorf("%d cases want %s, want at least 3", verdicts[verdict], verdict)
		}
	}
}

func TestSignaturesAsInTheFile(t *testing.T) {
	t.Parallel()
	for _, c := range readSignatures(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.Want, verdictOn(t, c)); diff != "" {
				t.Errorf("headers %q, body %q (-want +got):\n%s", c.Headers, c.Body, diff)
			}
		})
	}
}

// verdictOn is what this package says to a case.
func verdictOn(t *testing.T, c signatureCase) signatureWant {
	t.Helper()
	var secrets []webhook.Secret
	for _, text := range c.Secrets {
		if text == "" {
			secrets = append(secrets, webhook.Secret{})
			continue
		}
		secret, err := webhook.ParseSecret(text)
		if err != nil {
			return signatureWant{Error: codeOf(t, err)}
		}
		secrets = append(secrets, secret)
	}
	headers := http.Header{}
	for _, header := range c.Headers {
		headers.Add(header[0], header[1])
	}
	result, err := webhook.Verify(headers, c.Body, time.Unix(c.Now, 0), time.Duration(c.Tolerance)*time.Second, secrets...)
	if err != nil {
		return signatureWant{Error: codeOf(t, err)}
	}
	got := signatureWant{OK: true, Scheme: string(result.Scheme), SecretIndex: result.SecretIndex}
	event, err := webhook.ParseEvent(c.Body)
	if err != nil {
		got.EventError = codeOf(t, err)
		return got
	}
	got.Event = &signedEvent{event.ID, event.Type, event.CreatedAt.Format("2006-01-02T15:04:05.000Z"), string(event.Data)}
	return got
}

func readSignatures(t *testing.T) []signatureCase {
	t.Helper()
	text, err := os.ReadFile(signaturesFile)
	if err != nil {
		t.Fatal(err)
	}
	var cases []signatureCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// encodeCases writes one case a line, so that a difference can be read.
func encodeCases(t *testing.T, cases []signatureCase) []byte {
	t.Helper()
	var out bytes.Buffer
	for i, c := range cases {
		separator := ",\n"
		if i == 0 {
			separator = "[\n"
		}
		out.WriteString(separator)
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(c); err != nil {
			t.Fatal(err)
		}
		out.Write(bytes.TrimSpace(line.Bytes()))
	}
	out.WriteString("\n]\n")
	return out.Bytes()
}
