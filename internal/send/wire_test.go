package send

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// capture plays a receiver that hands out the raw bytes of each request.
func capture(raw chan<- []byte, reply string) func(net.Conn) {
	return func(conn net.Conn) {
		for r := bufio.NewReader(conn); ; {
			request, err := readRequest(r)
			if err != nil {
				return
			}
			raw <- request
			io.WriteString(conn, reply)
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestRequestOnTheWire holds every byte of a request against testdata, the
// changing values of its headers aside.
func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	raw := make(chan []byte, 1)
	r := newReceiver(t, capture(raw, ok))
	s, p := newSender(t, setup{})
	secrets := []webhook.Secret{webhook.NewSecret(), webhook.NewSecret()}
	target, err := NewTarget(p, r.url()+"?team=1", []delivery.Header{
		{Name: "X-Team", Value: "blue"}, {Name: "Authorization", Value: "Bearer s3cret"}, {Name: "a-lower", Value: "kept as typed"},
	}, secrets)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := sendChecked(t, s, target, newLease(testBody))
	if a.Class != delivery.OK || a.Hint != "" {
		t.Fatalf("class %q, hint %q, info %q", a.Class, a.Hint, a.LocalInfo)
	}
	wire := string(<-raw)

	stable := wire
	for _, h := range a.Request.Header {
		switch h.Name {
		case "Host", webhook.SignatureHeader, webhook.StandardSignatureHeader, webhook.TimestampHeader:
			shape := strings.Repeat("x", len(h.Value))
			if h.Name == "Host" {
				shape = "receiver"
			}
			stable = strings.Replace(stable, h.Name+": "+h.Value, h.Name+": "+shape, 1)
		}
	}
	golden(t, "request.golden", []byte(strings.ReplaceAll(stable, "\r", `\r`)))

	// The record is the head as it was sent, but for what is masked.
	head, _, _ := strings.Cut(wire, "\r\n\r\n")
	_, head, _ = strings.Cut(head, "\r\n")
	var record []string
	for _, h := range a.Request.Header {
		record = append(record, h.Name+": "+h.Value)
	}
	want := strings.ReplaceAll(head, "Bearer s3cret", mask)
	if diff := cmp.Diff(strings.Split(want, "\r\n"), record); diff != "" {
		t.Errorf("record against wire (-wire +record):\n%s", diff)
	}
	if want := r.url() + "?team=1"; a.Request.URL != want {
		t.Errorf("recorded URL %q, want %q", a.Request.URL, want)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, diff)
	}
}

// TestRequestIsTheSameOverHTTP2 makes sure that nothing is added there either.
func TestRequestIsTheSameOverHTTP2(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- body
		w.WriteHeader(http.StatusAccepted)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	c := setup{roots: append(setup{}.roots, server.Certificate())}
	a, unsent := attemptTo(t, c, "https://example.com:"+server.URL[strings.LastIndexByte(server.URL, ':')+1:])
	if a.Class != delivery.OK || a.StatusCode != 202 || a.Response.Proto != "HTTP/2.0" || unsent {
		t.Fatalf("class %q, status %d, %s, unsent %v, info %q", a.Class, a.StatusCode, a.Response.Proto, unsent, a.LocalInfo)
	}
	req := <-got
	if body := <-bodies; !bytes.Equal(body, testBody) || req.Method != http.MethodPost {
		t.Errorf("%s with body %q", req.Method, body)
	}
	arrived := map[string]string{"Host": req.Host}
	for name, values := range req.Header {
		arrived[name] = strings.Join(values, "|")
	}
	recorded := map[string]string{}
	for _, h := range a.Request.Header {
		recorded[http.CanonicalHeaderKey(h.Name)] = h.Value
	}
	if diff := cmp.Diff(recorded, arrived); diff != "" {
		t.Errorf("headers (-recorded +arrived):\n%s", diff)
	}
	if a.Timing.DNS <= 0 || a.Timing.Connect <= 0 || a.Timing.TLS <= 0 || a.Timing.FirstByte <= 0 {
		t.Errorf("timing %+v, want all parts", a.Timing)
	}
}

// TestSignaturesVerify checks what a receiver checks, with one secret and during
// a rotation, on two attempts of the same delivery.
func TestSignaturesVerify(t *testing.T) {
	t.Parallel()
	current, other, third := webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret()
	tests := []struct {
		name    string
		secrets []webhook.Secret
	}{
		{"one secret", []webhook.Secret{current}},
		{"an overlap", []webhook.Secret{current, other}},
		{"an overlap of three", []webhook.Secret{current, other, third}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := make(chan []byte, 1)
			r := newReceiver(t, capture(raw, ok))
			s, p := newSender(t, setup{})
			target, err := NewTarget(p, r.url(), nil, tt.secrets)
			if err != nil {
				t.Fatal(err)
			}
			for number := range 2 {
				l := newLease(testBody)
				l.Attempt = number + 1
				a, _ := sendChecked(t, s, target, l)
				req := parseRequest(t, <-raw)
				checkSigned(t, req, a, tt.secrets)
				if got := req.Header.Get(webhook.AttemptHeader); got != strconv.Itoa(number+1) {
					t.Errorf("attempt header %q, want %d", got, number+1)
				}
			}
		})
	}
}

type captured struct {
	*http.Request
	body []byte
}

func parseRequest(t *testing.T, raw []byte) captured {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	return captured{req, body}
}

func checkSigned(t *testing.T, req captured, a delivery.Attempt, secrets []webhook.Secret) {
	t.Helper()
	if got, want := req.Header.Get(webhook.TimestampHeader), strconv.FormatInt(a.StartedAt.Unix(), 10); got != want {
		t.Errorf("timestamp %s, want that of the attempt, %s", got, want)
	}
	if got := len(strings.Fields(req.Header.Get(webhook.StandardSignatureHeader))); got != len(secrets) {
		t.Errorf("%d standard signatures for %d secrets", got, len(secrets))
	}
	for _, secret := range secrets {
		if _, err := webhook.Verify(req.Header, req.body, time.Now(), 0, secret); err != nil {
			t.Errorf("verify with each secret alone: %v", err)
		}
	}
	simple := req.Header.Values(webhook.SignatureHeader)
	if len(simple) != 1 {
		t.Fatalf("%d simple signatures, want 1", len(simple))
	}
	if i, err := webhook.VerifySimple(req.body, simple[0], secrets...); err != nil || i != 0 {
		t.Errorf("the simple signature is of secret %d (%v), want the current one", i, err)
	}
}

// TestThousandSendsKeepTheirConnection allows for a few new ones, because
// net/http gives a connection up when its writer did not run for 50 ms, which
// happens on a loaded machine.
func TestThousandSendsKeepTheirConnection(t *testing.T) {
	t.Parallel()
	sends := map[string]int{"short answers": 1000}
	longBody := strings.Repeat("x", delivery.MaxResponseBody)
	replies := map[string]string{
		"short answers":               ok,
		"answers without a body":      "HTTP/1.1 204 No Content\r\n\r\n",
		"failures":                    "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
		"answers as long as are read": "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(longBody)) + "\r\n\r\n" + longBody,
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, answer(reply))
			s, p := newSender(t, setup{})
			target := newTarget(t, p, r.url())
			var connected int32
			for i := range max(100, sends[name]) {
				a, _ := sendChecked(t, s, target, newLease(testBody))
				if a.StatusCode == 0 {
					t.Fatalf("send %d: %s: %s", i, a.Class, a.LocalInfo)
				}
				if a.Timing.Connect > 0 {
					connected++
				}
			}
			if got := r.conns.Load(); got > 5 || got != connected {
				t.Errorf("%d connections, want 1; %d attempts with a time for connecting", got, connected)
			}
		})
	}
}

// TestDyingConnectionGetsOneRequest lets the receiver close a kept connection
// when the next request arrives on it.
func TestDyingConnectionGetsOneRequest(t *testing.T) {
	t.Parallel()
	raw := make(chan []byte, 10)
	r := newReceiver(t, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for _, reply := range []string{ok, ""} {
			request, err := readRequest(reader)
			if err != nil {
				return
			}
			raw <- request
			io.WriteString(conn, reply)
		}
	})
	s, p := newSender(t, setup{})
	target := newTarget(t, p, r.url())
	if a, _ := sendChecked(t, s, target, newLease(testBody)); a.Class != delivery.OK {
		t.Fatalf("first send: %s: %s", a.Class, a.LocalInfo)
	}
	a, unsent := sendChecked(t, s, target, newLease(testBody))
	if a.Class != delivery.Closed || unsent {
		t.Errorf("class %q, unsent %v, want %q and sent; info %q", a.Class, unsent, delivery.Closed, a.LocalInfo)
	}
	if len(raw) != 2 || r.conns.Load() != 1 {
		t.Errorf("%d requests on %d connections, want 2 on 1", len(raw), r.conns.Load())
	}
}

func TestANodeWhoseClockIsWrongSignsByTheClockThatAllAgreeOn(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, 6 * time.Minute} {
		raw := make(chan []byte, 1)
		date := time.Now().Add(ahead + time.Hour).UTC().Format(http.TimeFormat)
		r := newReceiver(t, capture(raw, "HTTP/1.1 503 Later\r\nRetry-After: "+date+"\r\nContent-Length: 0\r\n\r\n"))
		a, _ := attemptTo(t, setup{ahead: ahead}, r.url())
		req := parseRequest(t, <-raw)
		if got, want := req.Header.Get(webhook.TimestampHeader), strconv.FormatInt(a.StartedAt.Add(ahead).Unix(), 10); got != want {
			t.Errorf("%s ahead: timestamp %s, want %s", ahead, got, want)
		}
		if a.RetryAfter < time.Hour-time.Minute || a.RetryAfter > time.Hour {
			t.Errorf("%s ahead: the date in Retry-After gives %s, want an hour", ahead, a.RetryAfter)
		}
	}
}
