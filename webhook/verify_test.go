package webhook_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// request is a genuine request that tests change in one place.
type request struct {
	headers http.Header
	body    []byte
	now     time.Time
	secrets []webhook.Secret
}

const (
	eventID  = "0195f0c0-1111-7000-8000-000000000001"
	sentUnix = 1772973296
)

// genuine is signed with the second of two secrets.
func genuine(tb testing.TB) request {
	tb.Helper()
	other := mustSecret(tb, secretOf(24))
	secret := mustSecret(tb, vectors(tb)[0].Secret)
	at := time.Unix(sentUnix, 0)
	body, err := webhook.EncodeBody(eventID, "scan.completed", at, []byte(`{"domain":"example.com","score":85}`))
	if err != nil {
		tb.Fatal(err)
	}
	attempt := webhook.Attempt{EventID: eventID, EventType: "scan.completed", DeliveryID: 12345, Number: 1, At: at}
	headers := http.Header{}
	webhook.SetHeaders(headers, attempt.Headers(body, mustSigner(tb, secret)))
	return request{headers, body, at, []webhook.Secret{other, secret}}
}

// sign replaces webhook-signature by a right one for whatever the request says now.
func (r request) sign(tb testing.TB) {
	tb.Helper()
	seconds, err := strconv.ParseInt(r.headers.Get(webhook.TimestampHeader), 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	r.headers.Set(webhook.StandardSignatureHeader, webhook.SignStandard(r.secrets[1], r.headers.Get(webhook.IDHeader), time.Unix(seconds, 0), r.body))
}

func onlySimple(r *request) {
	for _, name := range []string{webhook.IDHeader, webhook.TimestampHeader, webhook.StandardSignatureHeader} {
		r.headers.Del(name)
	}
}

// verifyCase changes a genuine request; want is the error, or nil with the result.
type verifyCase struct {
	name   string
	change func(t *testing.T, r *request)
	want   error
	scheme webhook.Scheme
	index  int
}

func runVerifyCases(t *testing.T, tests []verifyCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := genuine(t)
			tt.change(t, &r)
			got, err := webhook.Verify(r.headers, r.body, r.now, 0, r.secrets...)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Verify = %+v, %v, want error %v", got, err, tt.want)
			}
			if want := (webhook.Result{Scheme: tt.scheme, SecretIndex: tt.index}); got != want {
				t.Errorf("Verify = %+v, want %+v", got, want)
			}
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	const standard, simple = webhook.SchemeStandard, webhook.SchemeSimple
	runVerifyCases(t, []verifyCase{
		{"both signatures, second secret", func(*testing.T, *request) {}, nil, standard, 1},
		{"the only secret", func(_ *testing.T, r *request) { r.secrets = r.secrets[1:] }, nil, standard, 0},
		{"empty secrets are passed over", func(_ *testing.T, r *request) { r.secrets[0] = webhook.Secret{} }, nil, standard, 1},
		{"simple signature alone", func(_ *testing.T, r *request) { onlySimple(r) }, nil, simple, 1},
		{"simple signature alone, a year later", func(_ *testing.T, r *request) { onlySimple(r); r.now = r.now.AddDate(1, 0, 0) }, nil, simple, 1},
		{"standard signature alone", func(_ *testing.T, r *request) { r.headers.Del(webhook.SignatureHeader) }, nil, standard, 1},
		{"standard signature decides over a wrong simple one", func(_ *testing.T, r *request) { r.headers.Set(webhook.SignatureHeader, "x") }, nil, standard, 1},
		{"wrong, unknown and malformed entries before the right one", func(_ *testing.T, r *request) {
			right := r.headers.Get(webhook.StandardSignatureHeader)
			r.headers.Set(webhook.StandardSignatureHeader, "v1,AAAA v1a,xyz v2,"+right[3:]+" , v1, nonsense  "+right+" v1,BBBB")
		}, nil, standard, 1},
		{"list in two lines", func(_ *testing.T, r *request) {
			right := r.headers.Get(webhook.StandardSignatureHeader)
			r.headers[http.CanonicalHeaderKey(webhook.StandardSignatureHeader)] = []string{"v1,AAAA", right}
		}, nil, standard, 1},
		{"as old as allowed", func(_ *testing.T, r *request) { r.now = r.now.Add(5 * time.Minute) }, nil, standard, 1},
		{"as new as allowed", func(_ *testing.T, r *request) { r.now = r.now.Add(-5 * time.Minute) }, nil, standard, 1},
		{"body without an id", func(t *testing.T, r *request) { r.body = []byte(`{"data":{"id":"x"}}`); r.sign(t) }, nil, standard, 1},
		{"body with an id that is no text", func(t *testing.T, r *request) { r.body = []byte(`{"id":5}`); r.sign(t) }, nil, standard, 1},
		{"body that is not JSON", func(t *testing.T, r *request) { r.body = []byte("\xff{"); r.sign(t) }, nil, standard, 1},
		{"no body", func(t *testing.T, r *request) { r.body = nil; r.sign(t) }, nil, standard, 1},
	})
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*testing.T, *request) {
		return func(_ *testing.T, r *request) { r.headers.Set(name, value) }
	}
	// signed changes a header and signs again, so that only that header is at fault.
	signed := func(name, value string) func(*testing.T, *request) {
		return func(t *testing.T, r *request) { r.headers.Set(name, value); r.sign(t) }
	}
	runVerifyCases(t, []verifyCase{
		{"no headers", func(_ *testing.T, r *request) { r.headers = nil }, webhook.ErrNoSignature, "", 0},
		{"neither signature", func(_ *testing.T, r *request) { onlySimple(r); r.headers.Del(webhook.SignatureHeader) }, webhook.ErrNoSignature, "", 0},
		{"no secrets", func(_ *testing.T, r *request) { r.secrets = nil }, webhook.ErrNoSecret, "", 0},
		{"only empty secrets", func(_ *testing.T, r *request) { r.secrets = make([]webhook.Secret, 2) }, webhook.ErrNoSecret, "", 0},
		{"no secrets for the simple signature", func(_ *testing.T, r *request) { onlySimple(r); r.secrets = nil }, webhook.ErrNoSecret, "", 0},
		{"another secret", func(_ *testing.T, r *request) { r.secrets = r.secrets[:1] }, webhook.ErrMismatch, "", 0},
		{"another secret for the simple signature", func(_ *testing.T, r *request) { onlySimple(r); r.secrets = r.secrets[:1] }, webhook.ErrMismatch, "", 0},
		{"changed body", func(_ *testing.T, r *request) { r.body = bytes.Replace(r.body, []byte("85"), []byte("95"), 1) }, webhook.ErrMismatch, "", 0},
		{"changed body under the simple signature", func(_ *testing.T, r *request) { onlySimple(r); r.body = append(r.body, '\n') }, webhook.ErrMismatch, "", 0},
		{"changed id", set(webhook.IDHeader, "0195f0c0-1111-7000-8000-000000000002"), webhook.ErrMismatch, "", 0},
		{"changed timestamp", set(webhook.TimestampHeader, "1772973297"), webhook.ErrMismatch, "", 0},
		{"wrong standard signature beside a right simple one", set(webhook.StandardSignatureHeader, "v1,"+strings.Repeat("A", 43)+"="), webhook.ErrMismatch, "", 0},
		{"right simple signature as a standard entry", func(_ *testing.T, r *request) {
			r.headers.Set(webhook.StandardSignatureHeader, "v1,"+r.headers.Get(webhook.SignatureHeader))
		}, webhook.ErrMismatch, "", 0},
		{"short standard signature", set(webhook.StandardSignatureHeader, "v1,A"), webhook.ErrMismatch, "", 0},
		{"long standard signature", set(webhook.StandardSignatureHeader, "v1,"+strings.Repeat("A", 100_000)), webhook.ErrMismatch, "", 0},
		{"empty standard signature beside a right simple one", set(webhook.StandardSignatureHeader, ""), webhook.ErrNoSignature, "", 0},
		{"only unknown versions beside a right simple one", set(webhook.StandardSignatureHeader, "v1a,AAAA v2,BBBB"), webhook.ErrNoSignature, "", 0},
		{"no id", func(_ *testing.T, r *request) { r.headers.Del(webhook.IDHeader) }, webhook.ErrBadHeader, "", 0},
		{"empty id", signed(webhook.IDHeader, ""), webhook.ErrBadHeader, "", 0},
		{"id twice", func(_ *testing.T, r *request) { r.headers.Add(webhook.IDHeader, eventID) }, webhook.ErrBadHeader, "", 0},
		{"id with a full stop", func(t *testing.T, r *request) { r.body = nil; signed(webhook.IDHeader, "a.1")(t, r) }, webhook.ErrBadHeader, "", 0},
		{"id that is not the one in the body", signed(webhook.IDHeader, "another"), webhook.ErrBadHeader, "", 0},
		{"no timestamp", func(_ *testing.T, r *request) { r.headers.Del(webhook.TimestampHeader) }, webhook.ErrBadHeader, "", 0},
		{"timestamp twice", func(_ *testing.T, r *request) { r.headers.Add(webhook.TimestampHeader, "1772973296") }, webhook.ErrBadHeader, "", 0},
		{"timestamp with a sign", signed(webhook.TimestampHeader, "+1772973296"), webhook.ErrBadHeader, "", 0},
		{"timestamp before 1970", signed(webhook.TimestampHeader, "-1"), webhook.ErrBadHeader, "", 0},
		{"timestamp with a leading zero", signed(webhook.TimestampHeader, "01772973296"), webhook.ErrBadHeader, "", 0},
		{"timestamp with decimals", set(webhook.TimestampHeader, "1772973296.5"), webhook.ErrBadHeader, "", 0},
		{"timestamp in words", set(webhook.TimestampHeader, "now"), webhook.ErrBadHeader, "", 0},
		{"timestamp in milliseconds", signed(webhook.TimestampHeader, "1772973296000"), webhook.ErrBadHeader, "", 0},
		{"timestamp beyond int64", set(webhook.TimestampHeader, "9223372036854775808"), webhook.ErrBadHeader, "", 0},
		{"too old", func(_ *testing.T, r *request) { r.now = r.now.Add(5*time.Minute + 1) }, webhook.ErrTooOld, "", 0},
		{"too new", func(_ *testing.T, r *request) { r.now = r.now.Add(-5*time.Minute - 1) }, webhook.ErrTooNew, "", 0},
		{"wrong and too old", func(_ *testing.T, r *request) { r.body = nil; r.now = r.now.Add(time.Hour) }, webhook.ErrMismatch, "", 0},
		{"simple signature twice", func(_ *testing.T, r *request) {
			onlySimple(r)
			r.headers.Add(webhook.SignatureHeader, r.headers.Get(webhook.SignatureHeader))
		}, webhook.ErrBadHeader, "", 0},
		{"empty simple signature", func(_ *testing.T, r *request) { onlySimple(r); r.headers.Set(webhook.SignatureHeader, "") }, webhook.ErrBadHeader, "", 0},
	})
}

func TestVerifyTolerance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		tolerance time.Duration
		age       time.Duration
		want      error
	}{
		{"zero means five minutes", 0, 5 * time.Minute, nil},
		{"zero does not mean for ever", 0, 6 * time.Minute, webhook.ErrTooOld},
		{"less than zero means five minutes", -time.Hour, 5 * time.Minute, nil},
		{"less than zero, too new", -time.Hour, -6 * time.Minute, webhook.ErrTooNew},
		{"a second, within", time.Second, time.Second, nil},
		{"a second, too old", time.Second, time.Second + 1, webhook.ErrTooOld},
		{"a second, too new", time.Second, -time.Second - 1, webhook.ErrTooNew},
		{"for ever", math.MaxInt64, 200 * 365 * 24 * time.Hour, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := genuine(t)
			if _, err := webhook.Verify(r.headers, r.body, r.now.Add(tt.age), tt.tolerance, r.secrets...); !errors.Is(err, tt.want) {
				t.Errorf("Verify %v after signing with tolerance %v: %v, want %v", tt.age, tt.tolerance, err, tt.want)
			}
		})
	}
}

func TestVerifySimple(t *testing.T) {
	t.Parallel()
	v := vectors(t)[0]
	other, secret := webhook.NewSecret(), mustSecret(t, v.Secret)
	tests := []struct {
		name, signature string
		secrets         []webhook.Secret
		index           int
		want            error
	}{
		{"right", v.Simple, []webhook.Secret{secret}, 0, nil},
		{"second secret", v.Simple, []webhook.Secret{other, secret}, 1, nil},
		{"other secret", v.Simple, []webhook.Secret{other}, 0, webhook.ErrMismatch},
		{"no secret", v.Simple, nil, 0, webhook.ErrNoSecret},
		{"empty secret", strings.Repeat("0", 64), make([]webhook.Secret, 1), 0, webhook.ErrNoSecret},
		{"empty", "", []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
		{"upper case", strings.ToUpper(v.Simple), []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
		{"one character less", v.Simple[1:], []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
		{"one character more", v.Simple + "0", []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
		{"joined with itself", v.Simple + ", " + v.Simple, []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
		{"not hexadecimal", "g" + v.Simple[1:], []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
		{"standard signature", v.Standard, []webhook.Secret{secret}, 0, webhook.ErrBadHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := webhook.VerifySimple([]byte(v.Body), tt.signature, tt.secrets...)
			if !errors.Is(err, tt.want) || got != tt.index {
				t.Errorf("VerifySimple = %d, %v, want %d, %v", got, err, tt.index, tt.want)
			}
		})
	}
}

// mutate gives text with a random change that is more than white space around it, which
// headers may gain on their way.
func mutate(random *rand.Rand, text []byte) []byte {
	for {
		if changed := mutateOnce(random, text); string(bytes.TrimSpace(changed)) != string(bytes.TrimSpace(text)) {
			return changed
		}
	}
}

// mutateOnce replaces a byte, takes one out, puts one in or cuts off the end.
func mutateOnce(random *rand.Rand, text []byte) []byte {
	changed := bytes.Clone(text)
	i := random.IntN(len(text))
	switch random.IntN(4) {
	case 0:
		changed[i] ^= byte(1 + random.IntN(255))
	case 1:
		changed = append(changed[:i], changed[i+1:]...)
	case 2:
		changed = append(changed[:i], append([]byte{byte(random.IntN(256))}, changed[i:]...)...)
	default:
		changed = changed[:i]
	}
	return changed
}

func TestTwentyThousandMutationsAreRefused(t *testing.T) {
	t.Parallel()
	const seed1, seed2 = 20260308, 123456
	random := rand.New(rand.NewPCG(seed1, seed2))
	headers := []string{webhook.IDHeader, webhook.TimestampHeader, webhook.StandardSignatureHeader}
	for n := range 20_000 {
		r := randomRequest(t, random, n%2 == 0)
		what := ""
		switch n / 2 % 3 {
		case 0:
			what, r.body = "body", mutate(random, r.body)
		case 1:
			name := webhook.SignatureHeader
			if n%2 == 0 {
				name = headers[random.IntN(len(headers))]
			}
			what = name
			r.headers.Set(name, string(mutate(random, []byte(r.headers.Get(name)))))
		case 2:
			key := mutate(random, []byte(r.secrets[0].Reveal()))
			secret, err := webhook.ParseSecret(string(key))
			if err != nil {
				secret = webhook.NewSecret() // most changes leave no secret at all
			}
			what, r.secrets[0] = "secret", secret
		}
		if result, err := webhook.Verify(r.headers, r.body, r.now, 0, r.secrets...); err == nil {
			t.Fatalf("mutation %d of the %s was accepted as %+v: headers %q, body %q", n, what, result, r.headers, r.body)
		}
	}
}

// randomRequest is a genuine request with random content, checked to be one.
func randomRequest(t *testing.T, random *rand.Rand, standard bool) request {
	t.Helper()
	secret := webhook.NewSecret()
	at := time.Unix(sentUnix+random.Int64N(1_000_000), 0)
	body := make([]byte, 1+random.IntN(200))
	for i := range body {
		body[i] = byte(random.IntN(256))
	}
	body[0] = 'x' // never only white space
	headers := http.Header{}
	attempt := webhook.Attempt{EventID: eventID, EventType: "a", DeliveryID: 1, Number: 1, At: at}
	webhook.SetHeaders(headers, attempt.Headers(body, mustSigner(t, secret)))
	r := request{headers, body, at, []webhook.Secret{secret}}
	if !standard {
		onlySimple(&r)
	}
	if _, err := webhook.Verify(r.headers, r.body, r.now, 0, r.secrets...); err != nil {
		t.Fatalf("the request to be mutated is refused: %v", err)
	}
	return r
}
