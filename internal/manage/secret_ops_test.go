package manage_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// roles writes an endpoint's secrets as "fingerprint role", the one in use first.
func (w *world) roles(e manage.Endpoint) []string {
	w.t.Helper()
	var texts []string
	for _, s := range must(w.Secrets(w.t.Context(), w.user, e.ID))(w.t) {
		texts = append(texts, s.Fingerprint+" "+string(s.Role))
	}
	return texts
}

func fingerprint(t *testing.T, text string) string {
	t.Helper()
	return must(webhook.ParseSecret(text))(t).Fingerprint()
}

func TestARotationInSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	first := e.Secrets[0].Fingerprint

	dropped := must(w.PrepareSecret(t.Context(), w.user, e.ID))(t)
	prepared := must(w.PrepareSecret(t.Context(), w.user, e.ID))(t)
	second := fingerprint(t, prepared.Text)
	if prepared.Role != store.Next || prepared.Fingerprint != second || dropped.Text == prepared.Text {
		t.Errorf("prepared %+v, want another next secret", prepared.Secret)
	}
	if diff := cmp.Diff([]string{first + " current", second + " next"}, w.roles(e)); diff != "" {
		t.Errorf("prepared (-want +got):\n%s", diff)
	}

	current := must(w.PromoteSecret(t.Context(), w.user, manage.PromoteSecret{EndpointID: e.ID}))(t)
	if current.Role != store.Current || current.Fingerprint != second {
		t.Errorf("promoted %+v, want the prepared one as current", current)
	}
	if diff := cmp.Diff([]string{second + " current", first + " old"}, w.roles(e)); diff != "" {
		t.Errorf("promoted (-want +got):\n%s", diff)
	}
	old := must(w.Secrets(t.Context(), w.user, e.ID))(t)[1]
	if left := time.Until(old.ExpiresAt); left > 24*time.Hour || left < 23*time.Hour {
		t.Errorf("the overlap lasts %s, want a day", left)
	}
}

func TestRotatingInOneStep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		overlap *time.Duration
		want    int // live secrets after
	}{
		{"with the default overlap", nil, 2},
		{"with the longest overlap", pointer(manage.MaxOverlap), 2},
		{"without overlap", pointer(time.Duration(0)), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			e := w.endpoint(w.user)
			got := must(w.RotateSecret(t.Context(), w.user, manage.RotateSecret{EndpointID: e.ID, Overlap: tt.overlap}))(t)
			roles := w.roles(e)
			if len(roles) != tt.want || roles[0] != fingerprint(t, got.Text)+" current" {
				t.Errorf("the secrets are %q, want %d with the new one first", roles, tt.want)
			}
			// What was answered is what signs from now on.
			checked := must(w.CheckSecret(t.Context(), w.user, manage.CheckSecret{EndpointID: e.ID, Secret: got.Text}))(t)
			if !checked.Match || checked.Role != store.Current {
				t.Errorf("the new secret is %+v, want the current one", checked)
			}
		})
	}
}

func TestMistakesInRotating(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	if _, err := w.PromoteSecret(t.Context(), w.user, manage.PromoteSecret{EndpointID: e.ID}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("promote without a prepared one: got %v, want a conflict", err)
	}
	for _, overlap := range []time.Duration{-1, manage.MaxOverlap + 1} {
		_, err := w.PromoteSecret(t.Context(), w.user, manage.PromoteSecret{EndpointID: e.ID, Overlap: &overlap})
		if diff := cmp.Diff([]string{"overlap"}, invalid(t, err)); diff != "" {
			t.Errorf("promote with %s (-want +got):\n%s", overlap, diff)
		}
		_, err = w.RotateSecret(t.Context(), w.user, manage.RotateSecret{EndpointID: e.ID, Overlap: &overlap})
		if diff := cmp.Diff([]string{"overlap"}, invalid(t, err)); diff != "" {
			t.Errorf("rotate with %s (-want +got):\n%s", overlap, diff)
		}
	}
	if got := len(w.roles(e)); got != 1 {
		t.Errorf("there are %d secrets, want the first alone", got)
	}
}

func TestCheckingASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}}))(t)
	id := made.Endpoint.ID
	current := must(w.RotateSecret(t.Context(), w.user, manage.RotateSecret{EndpointID: id}))(t).Text
	next := must(w.PrepareSecret(t.Context(), w.user, id))(t).Text
	stranger := webhook.NewSecret()
	tests := []struct {
		name string
		text string
		role store.Role // "" = no match
		says string
	}{
		{"the current one", current, store.Current, "the current secret"},
		{"the next one", next, store.Next, "the next secret"},
		{"the old one", made.Secret, store.Old, "an old secret"},
		{"one of another endpoint", stranger.Reveal(), "", stranger.Fingerprint()},
		{"the current one with a line break", current + "\n", "", "the current secret, but with white space"},
		{"the old one in quotation marks", `"` + made.Secret + `"`, "", "an old secret"},
		{"without its beginning", strings.TrimPrefix(current, "whsec_"), "", "does not begin with whsec_"},
		{"cut off", current[:20], "", "not a signing secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := must(w.CheckSecret(t.Context(), w.user, manage.CheckSecret{EndpointID: id, Secret: tt.text}))(t)
			if got.Match != (tt.role != "") || got.Role != tt.role || !strings.Contains(got.Message, tt.says) {
				t.Errorf("got %+v, want the role %q and %q", got, tt.role, tt.says)
			}
			for _, secret := range []string{current, next, made.Secret} {
				if strings.Contains(got.Message, secret[6:]) {
					t.Errorf("the answer holds a secret: %s", got.Message)
				}
			}
		})
	}
}

func TestCheckingASignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}}))(t)
	id := made.Endpoint.ID
	old := must(webhook.ParseSecret(made.Secret))(t)
	current := must(webhook.ParseSecret(must(w.RotateSecret(t.Context(), w.user, manage.RotateSecret{EndpointID: id}))(t).Text))(t)
	body := []byte(`{"id":"evt_1","data":{"n":1}}`)
	at := time.Unix(1772973296, 0)
	seconds := fmt.Sprint(at.Unix())
	tests := []struct {
		name string
		in   manage.CheckSecret
		role store.Role
		says string
	}{
		{"made with the current one", manage.CheckSecret{Body: body, Signature: webhook.Sign(current, body)}, store.Current, "matches"},
		{"made with the old one", manage.CheckSecret{Body: body, Signature: webhook.Sign(old, body)}, store.Old, "an old secret"},
		{"the standard one of the current", manage.CheckSecret{Body: body, WebhookID: "evt_1", Timestamp: seconds, Signature: webhook.SignStandard(current, "evt_1", at, body)}, store.Current, "matches"},
		{"the standard one of the old", manage.CheckSecret{Body: body, WebhookID: "evt_1", Timestamp: seconds, Signature: webhook.SignStandard(old, "evt_1", at, body)}, store.Old, "matches"},
		{"of a body with a line break more", manage.CheckSecret{Body: append([]byte(nil), append(body, '\n')...), Signature: webhook.Sign(current, body)}, "", "made with this secret"},
		{"a mistake with the old one is seen past the current one", manage.CheckSecret{Body: append([]byte(nil), append(body, '\n')...), Signature: webhook.Sign(old, body)}, "", "made with this secret"},
		{"of another secret", manage.CheckSecret{Body: body, Signature: webhook.Sign(webhook.NewSecret(), body)}, "", current.Fingerprint()},
		{"no signature at all", manage.CheckSecret{Body: body, Signature: "hello"}, "", "not an HMAC-SHA256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.in.EndpointID = id
			got := must(w.CheckSecret(t.Context(), w.user, tt.in))(t)
			if got.Match != (tt.role != "") || got.Role != tt.role || !strings.Contains(got.Message, tt.says) {
				t.Errorf("got %+v, want the role %q and %q", got, tt.role, tt.says)
			}
		})
	}
}

func TestQuestionsAboutSecretsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	tests := []struct {
		name string
		in   manage.CheckSecret
		want string
	}{
		{"nothing", manage.CheckSecret{}, "secret"},
		{"both at once", manage.CheckSecret{Secret: "whsec_x", Signature: "y"}, "secret"},
		{"a body alone", manage.CheckSecret{Body: []byte("x")}, "signature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.in.EndpointID = e.ID
			_, err := w.CheckSecret(t.Context(), w.user, tt.in)
			if diff := cmp.Diff([]string{tt.want}, invalid(t, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnOverlapOnANodeWhoseClockIsAheadEndsByTheClockOfTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *manage.Config) { c.Store = behind{c.Store} })
	e := w.endpoint(w.user)
	overlap := time.Minute
	must(w.RotateSecret(t.Context(), w.user, manage.RotateSecret{EndpointID: e.ID, Overlap: &overlap}))(t)
	secrets := must(w.Secrets(t.Context(), w.user, e.ID))(t)
	theirs := must(behind{w.db}.Clock(t.Context()))(t)
	if left := secrets[1].ExpiresAt.Sub(theirs); left > overlap || left < overlap/2 {
		t.Errorf("the old secret goes on signing for %s, want %s: requests are signed by the clock of the store", left, overlap)
	}
}
