package web_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

const (
	clientID     = "hooks"
	clientSecret = "planted-client-secret+/%"
)

// provider is an OpenID provider at which somebody is signed in already: whoever is sent there comes back at once.
type provider struct {
	*httptest.Server
	t   *testing.T
	key *rsa.PrivateKey

	mu       sync.Mutex
	subject  string                                                             // who is signed in there
	name     string                                                             // of them
	change   func(claims map[string]any)                                        // made to the claims of a token, if not nil
	forge    func() (header map[string]any, signature func(text string) []byte) // instead of its own, if not nil
	refuse   string                                                             // the error that people are sent back with, if not ""
	instead  map[string]func(http.ResponseWriter, *http.Request)                // answers by path, instead of its own
	codes    map[string]url.Values                                              // what was asked for, by code that was not used yet
	redeemed int
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key, subject: "sub-zoe", name: "Zoë of the Issuer", codes: map[string]url.Values{}, instead: map[string]func(http.ResponseWriter, *http.Request){}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		other := p.instead[r.URL.Path]
		p.mu.Unlock()
		if other != nil {
			other(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	p.URL = strings.Replace(p.URL, "127.0.0.1", "localhost", 1) // another site than ours, for a browser
	return p
}

// settings are those of a server that has this issuer.
func (p *provider) settings(cfg *app.Config) {
	cfg.SingleSignOn = app.SingleSignOn{Issuer: p.URL, ClientID: clientID, ClientSecret: clientSecret, Name: "Example ID"}
}

// set changes what the provider does.
func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// as signs somebody else in there.
func (p *provider) as(subject string) { p.set(func(p *provider) { p.subject = subject }) }

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	write(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize?tenant=1", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	write(w, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": b64(p.key.N.Bytes()), "e": b64(big.NewInt(int64(p.key.E)).Bytes()),
	}}})
}

// authorize sends whoever comes back, with a code.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": clientID, "scope": "openid profile", "code_challenge_method": "S256", "tenant": "1"} {
		if q.Get(name) != want {
			p.t.Errorf("authorize: %s is %q, want %q", name, q.Get(name), want)
		}
	}
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("state") == "" || q.Get("nonce") == "" || q.Get("code_challenge") == "" {
		p.t.Errorf("authorize: asked for %v", q)
	}
	back := url.Values{"state": {q.Get("state")}}
	if p.refuse != "" {
		back.Set("error", p.refuse)
	} else {
		code := rand.Text()
		p.codes[code] = q
		back.Set("code", code)
	}
	to.RawQuery = back.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// token gives a token for a code, once, to who has begun.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.redeemed++
	id, secret, ok := r.BasicAuth()
	if !ok || id != url.QueryEscape(clientID) || secret != url.QueryEscape(clientSecret) {
		w.WriteHeader(http.StatusUnauthorized)
		write(w, map[string]any{"error": "invalid_client"})
		return
	}
	asked, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	verifier := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || b64(verifier[:]) != asked.Get("code_challenge") || r.FormValue("redirect_uri") != asked.Get("redirect_uri") || r.FormValue("grant_type") != "authorization_code" {
		w.WriteHeader(http.StatusBadRequest)
		write(w, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": clientID, "sub": p.subject, "name": p.name, "nonce": asked.Get("nonce"),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}
	if p.change != nil {
		p.change(claims)
	}
	write(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "id_token": p.signed(claims)})
}

// signed makes a token of claims.
func (p *provider) signed(claims map[string]any) string {
	header, signature := map[string]any{"alg": "RS256", "kid": "1"}, p.rs256
	if p.forge != nil {
		header, signature = p.forge()
	}
	text := b64(encoded(header)) + "." + b64(encoded(claims))
	return text + "." + b64(signature(text))
}

func (p *provider) rs256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return signature
}

func hs256(key []byte) func(string) []byte {
	return func(text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded(v))
}

// single presses the button of the sign-in page and comes back.
func (p *person) single(want int) answer {
	p.w.t.Helper()
	return p.get("/sign-in/oidc", want)
}

// goOn follows the page that sends somebody on.
func (p *person) goOn(a answer, want int) answer {
	p.w.t.Helper()
	to := a.find(`class="button" href="([^"]+)"`)
	if got := a.header.Get("Refresh"); got != "0; url="+to {
		p.w.t.Errorf("the page goes on to %q, want %q", got, to)
	}
	return p.open(to, want)
}

// open visits an address of anybody.
func (p *person) open(address string, want int) answer {
	p.w.t.Helper()
	req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	return p.do(req, want)
}

// away visits a page of ours and stops where it would go on to another server, or with a code: it gives that address.
func (p *person) away(address string) string {
	p.w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.w.URL() + address
	}
	req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	still := *p.Client
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := still.Do(req)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer res.Body.Close()
	to := res.Header.Get("Location")
	if to == "" {
		p.w.t.Fatalf("%s answers %d and leads nowhere", address, res.StatusCode)
	}
	return to
}
