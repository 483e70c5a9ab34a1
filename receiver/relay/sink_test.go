//go:build unix

package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/webhook"
)

func rawOf(t *testing.T, id, data string) receiver.Event[json.RawMessage] {
	t.Helper()
	body, err := webhook.EncodeBody(id, "scan.completed", time.Now(), json.RawMessage(data))
	if err != nil {
		t.Fatal(err)
	}
	return receiver.Event[json.RawMessage]{ID: id, Type: "scan.completed", Raw: json.RawMessage(data), Data: json.RawMessage(data), Body: body, Try: 1}
}

func TestWebhookRouteSendsTheBytesItSigned(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	for _, data := range []string{`{"message":"plain"}`, `{"message":"A & B <c>"}`} {
		var verr error
		var got []byte
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			if _, verr = webhook.Verify(r.Header, got, time.Now(), 0, secret); verr != nil {
				w.WriteHeader(401)
			}
		}))
		s, err := newWebhookSink(&Webhook{URL: NewSecret(srv.URL), Secret: secret}, srv.Client(), time.Second*5)
		if err != nil {
			t.Fatal(err)
		}
		e := rawOf(t, "e1", data)
		err = s.Handle(t.Context(), e)
		if err != nil || !bytes.Equal(got, e.Body) {
			f, _ := errors.AsType[*receiver.Failure](err)
			t.Errorf("data %s: Handle: %v (failure %+v); receiver: %v\n sent %s\n body %s", data, err, f, verr, got, e.Body)
		}
		srv.Close()
	}
}

func TestTwoRoutesToOneFileLoseNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	a, b := &fileSink{path: path}, &fileSink{path: path}
	const n = 200
	var all sync.WaitGroup
	for name, s := range map[string]*fileSink{"a": a, "b": b} {
		all.Go(func() {
			for i := range n {
				if err := s.Handle(t.Context(), rawOf(t, fmt.Sprintf("%s%d", name, i), `{"x":"`+strings.Repeat(name, i%50)+`"}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	text, _ := os.ReadFile(path)
	good := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var e struct{ ID string }
		if json.Unmarshal([]byte(line), &e) == nil {
			good[e.ID] = true
		}
	}
	if len(good) != 2*n {
		t.Errorf("%d events were said to be written, the file has %d of them whole", 2*n, len(good))
	}
}

func TestCommandThatLeavesSomethingRunningIsDone(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	c := &commandSink{run: []string{"sh", "-c", "cat >/dev/null; echo done >> " + out + "; sleep 5 & exit 0"}, timeout: 10 * time.Second}
	err := c.Handle(t.Context(), rawOf(t, "e1", `{}`))
	if err != nil {
		f, _ := errors.AsType[*receiver.Failure](err)
		done, _ := os.ReadFile(out)
		t.Errorf("a program that ended with status 0: %v; %+v; its effect: %q", err, f, done)
	}
}

func TestCommandErrorHoldsNoSecret(t *testing.T) {
	t.Parallel()
	c := &commandSink{run: []string{"sh", "-c", "set -x; curl -H \"Authorization: $TOKEN\" http://127.0.0.1:1"}, env: []string{"TOKEN=s3cr3t-t0ken"}, timeout: 5 * time.Second}
	err := c.Handle(t.Context(), rawOf(t, "e1", `{}`))
	if err == nil || !strings.Contains(err.Error(), "Authorization") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("the error, which is kept in the inbox, logged and listed: %v", err)
	}
}

func TestCommandKilledBySignalIsUnsure(t *testing.T) {
	t.Parallel()
	c := &commandSink{run: []string{"sh", "-c", "kill -9 $$"}, timeout: 5 * time.Second}
	err := c.Handle(t.Context(), rawOf(t, "e1", `{}`))
	f, ok := errors.AsType[*receiver.Failure](err)
	if !ok || !f.Unsure {
		t.Errorf("a program that was killed (by the kernel for want of memory, say): %v; want a Failure with Unsure", err)
	}
}

// A firewall of the other side that refuses one event for its words.
func TestOneEventThatIsRefusedWith403DoesNotStopItsRouteForEver(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 503} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		s, err := newWebhookSink(&Webhook{URL: NewSecret(srv.URL), Secret: webhook.NewSecret()}, srv.Client(), time.Second*5)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Handle(t.Context(), rawOf(t, "e1", `{}`))
		f, ok := errors.AsType[*receiver.Failure](err)
		if !ok || !f.Unavailable || !f.Answered {
			t.Errorf("%d gives %v, want Unavailable and Answered, or the event keeps its place in its ordered lane for ever", status, err)
		}
		srv.Close()
	}
}
