package receiver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

func TestWhatIsNotRightIsRefusedAndKeepsNothing(t *testing.T) {
	t.Parallel()
	secret, now := webhook.NewSecret(), time.Now()
	good := func() *http.Request {
		return webhooktest.NewRequest(t, "/hooks", secret, webhooktest.NewEvent("scan.completed", scanData))
	}
	with := func(change func(*http.Request)) *http.Request {
		req := good()
		change(req)
		return req
	}
	signedAt := func(offset time.Duration, body string) *http.Request {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks", strings.NewReader(body))
		signer, err := webhook.NewSigner(secret)
		if err != nil {
			t.Fatal(err)
		}
		event, _ := webhook.ParseEvent([]byte(body))
		attempt := webhook.Attempt{EventID: event.ID, EventType: event.Type, DeliveryID: 1, Number: 1, At: now.Add(offset)}
		webhook.SetHeaders(req.Header, attempt.Headers([]byte(body), signer))
		return req
	}
	const body = `{"id":"1","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{}}`
	simple := func(body string) *http.Request {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks", strings.NewReader(body))
		req.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, []byte(body)))
		return req
	}
	tests := []struct {
		name string
		req  *http.Request
		want int
		says string
	}{
		{"a GET", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/hooks", nil), 405, "POST"},
		{"a PUT", with(func(r *http.Request) { r.Method = http.MethodPut }), 405, "POST"},
		{"no signature", with(func(r *http.Request) {
			r.Header.Del(webhook.StandardSignatureHeader)
			r.Header.Del(webhook.SignatureHeader)
		}), 401, "not signed"},
		{"another secret", webhooktest.NewRequest(t, "/", webhook.NewSecret(), webhooktest.NewEvent("scan.completed", `{}`)), 401, "does not match"},
		{"a short signature", with(func(r *http.Request) {
			r.Header.Del(webhook.StandardSignatureHeader)
			r.Header.Set(webhook.SignatureHeader, "ab")
		}), 401, "64 lower-case"},
		{"another body", with(func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body)) }), 401, "does not match"},
		{"five minutes and more ago", signedAt(-6*time.Minute, body), 401, "too long ago"},
		{"in the future", signedAt(6*time.Minute, body), 401, "in the future"},
		{"two ids", with(func(r *http.Request) { r.Header.Add(webhook.IDHeader, "2") }), 401, "2 times"},
		{"a body too long, which says so", with(func(r *http.Request) { r.ContentLength = 2 << 20 }), 413, "longer than"},
		{"a body too long, which does not", with(func(r *http.Request) {
			r.ContentLength, r.Body = -1, io.NopCloser(io.LimitReader(zeros{}, 2<<20))
		}), 413, "longer than"},
		{"a body that breaks off", with(func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
		}), 400, "whole"},
		{"signed, and no JSON", simple("scan"), 400, "not a JSON object"},
		{"signed, with an id that no store can keep", simple(`{"id":"a\u0000b","type":"x","created_at":"2026-03-08T12:34:56Z","data":{}}`), 400, "visible ASCII"},
		{"signed, with an id without end", simple(`{"id":"` + strings.Repeat("a", 256) + `","type":"x","created_at":"2026-03-08T12:34:56Z","data":{}}`), 400, "visible ASCII"},
		{"the simple signature alone", simple(body), 200, "kept"},
		{"a newer signature beside", with(func(r *http.Request) {
			r.Header.Set(webhook.StandardSignatureHeader, "v9,abc v1a,def "+r.Header.Get(webhook.StandardSignatureHeader))
		}), 200, "kept"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := memstore.New(nil)
			k := newKit(t, receiver.Config{
				Secrets: []webhook.Secret{webhook.NewSecret(), secret}, Store: store,
				Now: func() time.Time { return now }, // the requests are made before the cases have their turn
			})
			answer := k.post(tt.req)
			k.want(answer, tt.want, tt.name)
			if !strings.Contains(answer.Body.String(), tt.says) {
				t.Errorf("the answer %q does not say %q", answer.Body, tt.says)
			}
			if answer.Code == http.StatusMethodNotAllowed && answer.Header().Get("Allow") != http.MethodPost {
				t.Errorf("Allow is %q, want POST", answer.Header().Get("Allow"))
			}
			items, _, err := store.List(t.Context(), receiver.Filter{}, receiver.Page{})
			if kept := tt.want == http.StatusOK; err != nil || (len(items) == 1) != kept {
				t.Errorf("the store has %d items, %v", len(items), err)
			}
			if text := answer.Body.String() + k.logs.String(); strings.Contains(text, secret.Reveal()) {
				t.Error("the secret is in the answer or in the log")
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{'0'}, len(p))), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// away is a store that does not answer.
type away struct{ receiver.Store }

func (away) Put(context.Context, []receiver.Item) ([]bool, error) {
	return nil, errors.New("the disk is full")
}

func (away) Begin(_ context.Context, item receiver.Item, _ time.Duration) (receiver.Item, receiver.Standing, error) {
	return item, "", errors.New("the disk is full")
}

func TestWhatCannotBeKeptIsNotAnsweredWith200(t *testing.T) {
	t.Parallel()
	for _, inline := range []bool{false, true} {
		k := newKit(t, receiver.Config{Store: away{memstore.New(nil)}, Inline: inline})
		answer := k.send(webhooktest.NewEvent("backup.ended", `{}`))
		k.want(answer, http.StatusServiceUnavailable, "a store that is away")
		if answer.Header().Get("Retry-After") != "5" || strings.Contains(answer.Body.String(), "disk") {
			t.Errorf("inline %t: Retry-After %q, %q; want 5, and nothing of our insides", inline, answer.Header().Get("Retry-After"), answer.Body)
		}
	}
}

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	secrets := []webhook.Secret{webhook.NewSecret()}
	tests := []struct {
		name   string
		config receiver.Config
		says   string
	}{
		{"no secret", receiver.Config{Store: memstore.New(nil)}, "Config.Secrets"},
		{"no store", receiver.Config{Secrets: secrets}, "Config.Store"},
		{"a transaction without a database", receiver.Config{Secrets: secrets, Store: memstore.New(nil), InTx: true}, "sqlstore"},
		{"more time than the sender has", receiver.Config{Secrets: secrets, Store: memstore.New(nil), Inline: true, Timeout: 30 * time.Second}, "30s"},
		{"a negative number", receiver.Config{Secrets: secrets, Store: memstore.New(nil), Attempts: -1}, "negative"},
	}
	for _, tt := range tests {
		if _, err := receiver.New(tt.config); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: New gives %v, want an error that says %s", tt.name, err, tt.says)
		}
	}
}

func TestSecretsAreReadAsTheyStandInAVariable(t *testing.T) {
	t.Parallel()
	a, b := webhook.NewSecret(), webhook.NewSecret()
	got, err := receiver.ParseSecrets(a.Reveal() + ",\n " + b.Reveal() + "\n")
	if err != nil || len(got) != 2 || !got[0].Equal(a) || !got[1].Equal(b) {
		t.Errorf("ParseSecrets of two: %v, %v", got, err)
	}
	if _, err := receiver.ParseSecrets(" "); err == nil {
		t.Error("ParseSecrets of nothing: no error")
	}
	_, err = receiver.ParseSecrets(a.Reveal() + ",hunter2")
	if err == nil || !strings.Contains(err.Error(), "secret 2") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("ParseSecrets with a bad second: %v; want an error that counts and does not quote", err)
	}
}

func TestInlineTheHandlerDecidesTheAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		handle func(context.Context, rawEvent) error
		want   int
		after  string
	}{
		{"it ends well", func(context.Context, rawEvent) error { return nil }, 200, ""},
		{"an error", func(context.Context, rawEvent) error { return errors.New("broken") }, 500, ""},
		{"a panic", func(context.Context, rawEvent) error { panic("broken") }, 500, ""},
		{"not now", func(context.Context, rawEvent) error {
			return receiver.Unavailable(errors.New("away"), time.Minute)
		}, 503, "60"},
		{"it takes too long", func(ctx context.Context, _ rawEvent) error { <-ctx.Done(); return ctx.Err() }, 500, ""},
		{"it takes too long, and does not look at its context", func(context.Context, rawEvent) error {
			time.Sleep(time.Minute)
			return errors.New("late")
		}, 500, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, receiver.Config{Inline: true}).start()
				var seen calls
				k.OnOther(func(ctx context.Context, e rawEvent) error {
					seen.add(e)
					return tt.handle(ctx, e)
				})
				event := webhooktest.NewEvent("backup.ended", `{}`)
				begin := time.Now()
				answer := k.send(event)
				k.want(answer, tt.want, tt.name)
				if took := time.Since(begin); took >= 30*time.Second {
					t.Errorf("answered after %v, when the sender has gone", took)
				}
				if got := answer.Header().Get("Retry-After"); got != tt.after {
					t.Errorf("Retry-After is %q, want %q", got, tt.after)
				}
				pass(2 * time.Minute) // the sender comes again
				k.send(event)
				wantRuns := 2
				if tt.want == 200 {
					wantRuns = 1
				}
				pass(2 * time.Minute)
				if n := len(seen.all()); n != wantRuns {
					t.Errorf("two copies were handled %d times, want %d", n, wantRuns)
				}
			})
		})
	}
}

func TestInlineACopyThatComesMeanwhileIsAskedToComeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Inline: true})
		release := make(chan struct{})
		k.OnOther(func(context.Context, rawEvent) error { <-release; return nil })
		event := webhooktest.NewEvent("backup.ended", `{}`)
		first := make(chan int, 1)
		go func() { first <- k.send(event).Code }()
		synctest.Wait()
		copied := k.send(event)
		k.want(copied, http.StatusServiceUnavailable, "a copy while the first is handled")
		if copied.Header().Get("Retry-After") == "" {
			t.Error("the copy is not told when to come again")
		}
		close(release)
		if code := <-first; code != http.StatusOK {
			t.Errorf("the first: %d, want 200", code)
		}
		k.want(k.send(event), http.StatusOK, "a copy afterwards")
	})
}

// A sender that hangs up in the middle must not make the handler's work half done.
func TestInlineTheHandlerEndsWhenTheSenderHangsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Inline: true})
		var whole calls
		k.OnOther(func(ctx context.Context, e rawEvent) error {
			select {
			case <-time.After(10 * time.Second):
				whole.add(e)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		ctx, hangUp := context.WithCancel(t.Context())
		req := webhooktest.NewRequest(t, "/hooks", k.secret, event).WithContext(ctx)
		go k.post(req)
		pass(time.Second)
		hangUp()
		pass(time.Minute)
		k.want(k.send(event), http.StatusOK, "the sender's next try")
		if n := len(whole.all()); n != 1 {
			t.Errorf("handled %d times, want once, whole", n)
		}
	})
}

func TestAReceiverMayInsistOnTheSignatureWithATime(t *testing.T) {
	t.Parallel()
	k := newKit(t, receiver.Config{StandardOnly: true})
	k.want(k.send(webhooktest.NewEvent("backup.ended", `{}`)), http.StatusOK, "a request with both signatures")
	req := webhooktest.NewRequest(t, "/hooks", k.secret, webhooktest.NewEvent("backup.ended", `{}`))
	req.Header.Del(webhook.StandardSignatureHeader)
	k.want(k.post(req), http.StatusUnauthorized, "one with the time taken off")
}
