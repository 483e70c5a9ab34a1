package crash_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
)

// TestSecretsStayOutOfLogsAndFiles runs a process that says all it can, does with it
// everything that involves a secret, and looks for the secrets where none may be.
func TestSecretsStayOutOfLogsAndFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, filepath.Join(t.TempDir(), "data.db"), newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky), newReceiver(t, "sick", sick))
	w.settings.Level = slog.LevelDebug
	c := start(t, w.settings)
	w.setUp(c.api)
	h := &hoard{world: w, url: c.url, api: c.api, never: map[string]string{"the admin key": w.settings.APIKey}, payload: "canary-payload-" + rand.Text()}
	for _, r := range w.receivers {
		h.keep("the first secret of "+r.name, r.secret.Reveal())
	}
	h.useSecrets()
	h.useKeys()
	h.publish()
	h.misuse()
	c.kill() // so that what was written last is in the write-ahead log

	h.searchLog(c)
	h.searchFiles()
}

// hoard is what is to be looked for.
type hoard struct {
	*world
	url     string
	api     *client.Client
	never   map[string]string // must be in no log, by what it is
	signing []string          // signing secrets; must be in no file of the database either
	links   []string          // tokens of links, likewise
	payload string            // must be in no log but that of debugging
}

func (h *hoard) keep(what, secret string) {
	h.never[what] = secret
	h.signing = append(h.signing, secret)
}

// must ends the test at an error.
func must[T any](t testing.TB) func(got T, err error) T {
	return func(got T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}

// useSecrets makes, prepares, promotes, rotates and checks signing secrets.
func (h *hoard) useSecrets() {
	ctx, t := h.t.Context(), h.t
	h.never["a header's value"] = "canary-header-" + rand.Text()
	h.never["a token in a URL"] = "canary-url-" + rand.Text()
	e := must[client.Endpoint](t)(h.api.CreateEndpoint(ctx, client.NewEndpoint{
		URL: h.receivers[2].server.URL + "/?token=" + h.never["a token in a URL"], Events: []string{eventType},
		Headers: []client.Header{{Name: "X-Auth-Token", Value: h.never["a header's value"]}},
	}))
	h.keep("a new endpoint's secret", e.Secret)
	h.keep("a prepared secret", must[client.NewSecret](t)(h.api.PrepareSecret(ctx, e.ID)).Secret)
	must[client.SecretInfo](t)(h.api.PromoteSecret(ctx, e.ID, client.Overlap{Overlap: "1h"}))
	h.keep("a rotated secret", must[client.NewSecret](t)(h.api.RotateSecret(ctx, e.ID, client.Overlap{Overlap: "1h"})).Secret)
	must[client.CheckedSecret](t)(h.api.CheckSecret(ctx, e.ID, client.CheckSecret{Secret: h.never["a rotated secret"]}))
	must[client.TestResult](t)(h.api.TestEndpoint(ctx, e.ID, client.TestEndpoint{}))
}

// useKeys makes a key, uses it, revokes it and uses it again, and makes a link.
func (h *hoard) useKeys() {
	ctx, t := h.t.Context(), h.t
	key := must[client.CreatedKey](t)(h.api.CreateKey(ctx, client.NewKey{Name: "reader", Scopes: []string{client.ScopeRead}}))
	h.never["a created key"] = key.Text
	reader := must[*client.Client](t)(client.New(client.Config{Server: h.url, APIKey: key.Text}))
	must[client.Me](t)(reader.Me(ctx))
	if _, err := reader.CreateKey(ctx, client.NewKey{Name: "more", Scopes: []string{client.ScopeAdmin}}); err == nil {
		t.Error("a key that may only read has made another")
	}
	if err := h.api.RevokeKey(ctx, "", key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Me(ctx); err == nil {
		t.Error("a revoked key was accepted")
	}
	account := must[client.Account](t)(h.api.CreateAccount(ctx, client.NewAccount{Name: "a customer"}))
	link := must[client.PortalLink](t)(h.api.PortalLink(ctx, account.ID)).URL
	token := link[strings.LastIndex(link, "/")+1:]
	h.never["the token of a link"] = token
	h.links = append(h.links, token)
}

// publish sends the payload to receivers that answer in all ways, and to some that cannot
// be reached.
func (h *hoard) publish() {
	ctx, t := h.t.Context(), h.t
	nobody := newReceiver(t, "nobody", nil)
	nobody.server.Close()
	for _, url := range []string{nobody.server.URL, strings.Replace(h.receivers[0].server.URL, "http://", "https://", 1)} {
		e := must[client.Endpoint](t)(h.api.CreateEndpoint(ctx, client.NewEndpoint{URL: url, Events: []string{eventType}}))
		h.keep("the secret of "+url, e.Secret)
	}
	data, err := json.Marshal(map[string]string{"card": h.payload})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		must[client.AcceptedEvent](t)(h.api.Publish(ctx, client.NewEvent{Type: eventType, Data: data}))
	}
	h.waitWhile(ctx, h.api, client.StatusPending)
	for h.count(ctx, h.api, client.StatusFailed, client.StatusHeld) == 0 {
		pause(ctx, lateness)
	}
}

// misuse makes every kind of wrong request, with secrets in it.
func (h *hoard) misuse() {
	ctx, t := h.t.Context(), h.t
	h.never["a wrong key"] = "cl_" + strings.ToLower(rand.Text()) + rand.Text()
	h.never["a password in a URL"] = "canary-password-" + rand.Text()
	wrong := must[*client.Client](t)(client.New(client.Config{Server: h.url, APIKey: h.never["a wrong key"]}))
	if _, err := wrong.Me(ctx); err == nil {
		t.Error("a wrong key was accepted")
	}
	if _, err := h.api.CreateEndpoint(ctx, client.NewEndpoint{URL: "https://me:" + h.never["a password in a URL"] + "@example.com/", Events: []string{"*"}}); err == nil {
		t.Error("a URL with a password was accepted")
	}
	for _, body := range []string{`{"type":"` + eventType + `","data":{"card":"` + h.payload, `{"type":"scan.completed","data":{"score":"` + h.payload + `"}}`, h.payload} {
		req := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/v1/events?api_key="+h.never["a wrong key"], strings.NewReader(body)))
		req.Header.Set("Authorization", "Basic "+h.never["a wrong key"])
		req.Header.Set("Content-Type", "application/json")
		res := must[*http.Response](t)(http.DefaultClient.Do(req))
		res.Body.Close()
	}
}

// searchLog looks through everything that the process has written.
func (h *hoard) searchLog(c *child) {
	h.t.Helper()
	log := must[[]byte](h.t)(os.ReadFile(c.log))
	if !c.says(h.t, sayAll) {
		h.t.Error("the process does not log at debug level")
	}
	for what, secret := range h.never {
		h.absent("the log", log, what, secret)
	}
	for _, secret := range h.signing {
		h.absent("the log", log, "the random part of a signing secret", strings.TrimPrefix(secret, "whsec_"))
	}
	lines := bufio.NewScanner(bytes.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(`"level":"DEBUG"`)) {
			h.absent("the log above debug level", lines.Bytes(), "a payload", h.payload)
		}
	}
}

// searchFiles looks through the database as it lies on disk.
func (h *hoard) searchFiles() {
	h.t.Helper()
	paths := must[[]string](h.t)(filepath.Glob(h.settings.Database + "*"))
	var all []byte
	for _, path := range paths {
		all = append(all, must[[]byte](h.t)(os.ReadFile(path))...)
	}
	if !bytes.Contains(all, []byte(h.payload)) {
		h.t.Errorf("the payload is not in the files %v: this test looks in the wrong place", paths)
	}
	for _, secret := range h.signing {
		random := strings.TrimPrefix(secret, "whsec_")
		raw := must[[]byte](h.t)(base64.StdEncoding.DecodeString(random))
		h.absent("the database", all, "a signing secret", random)
		h.absent("the database", all, "the bytes of a signing secret", string(raw))
		h.absent("the database", all, "a signing secret in hexadecimal", hex.EncodeToString(raw))
	}
	for _, what := range []string{"the admin key", "a created key", "a wrong key", "the token of a link"} {
		h.absent("the database", all, what, h.never[what])
	}
	key := must[[]byte](h.t)(os.ReadFile(h.settings.KeyFile))
	h.absent("the database", all, "the encryption key", strings.TrimSpace(string(key)))
}

// absent wants a secret not to be in a text. It does not print the secret.
func (h *hoard) absent(where string, text []byte, what, secret string) {
	h.t.Helper()
	if secret == "" {
		h.t.Errorf("%s is empty: this test looks for nothing", what)
		return
	}
	if at := indexOf(text, secret); at >= 0 {
		h.t.Errorf("%s is in %s, after %q", what, where, text[max(0, at-200):at])
	}
}
