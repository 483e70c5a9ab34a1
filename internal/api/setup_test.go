package api

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func (w *world) setupToken(left time.Duration) string {
	w.t.Helper()
	token, link := auth.NewLink(auth.Setup, store.DefaultAccount, left, moment())
	check(w.t, w.db.OfferSetup(w.t.Context(), link))
	return token
}

func TestSetupLinkWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	nobody := w.client("")
	old, token := w.setupToken(-time.Second), w.setupToken(time.Hour)
	portal, link := auth.NewLink(auth.Portal, store.DefaultAccount, time.Hour, moment())
	check(t, w.db.CreateLink(t.Context(), link))
	for name, bad := range map[string]string{
		"one that is too old": old, "one of nobody's": "abc", "none": " ", "a long one": strings.Repeat("x", maxToken+1), "a portal link's": portal,
	} {
		_, err := nobody.Setup(t.Context(), client.Setup{Token: bad})
		if e := refused(t, err); e.Status != http.StatusForbidden || !strings.Contains(e.Message, "restart") {
			t.Errorf("%s: got %v, want 403 and how to get a good one", name, e)
		}
	}
	must(nobody.Setup(t.Context(), client.Setup{Token: token}))(t)
	_, err := nobody.Setup(t.Context(), client.Setup{Token: token})
	if e := refused(t, err); e.Status != http.StatusForbidden || !strings.Contains(e.Message, "is set up") {
		t.Errorf("a used one: got %v, want 403 that says that the server is set up", e)
	}
	audit := must(w.admin().Audit(t.Context(), client.PageQuery{}))(t)
	if len(audit.Data) != 1 || audit.Data[0].Actor != "setup" || audit.Data[0].Action != "key.create" {
		t.Errorf("audit: got %+v, want one key made by the set-up", audit.Data)
	}
}

// TestSetupPageWorksWithoutScript visits the page and sends its form, as a browser does.
func TestSetupPageWorksWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.setupToken(time.Hour)
	if _, body := w.do(http.MethodGet, `/setup?token=%22%3E%3Cscript%3Ex`, "", ""); strings.Contains(body, "<script") {
		t.Errorf("the token is not escaped: %s", body)
	}
	for range 2 { // a visit uses nothing up
		res, body := w.do(http.MethodGet, "/setup?token="+token, "", "")
		if res.StatusCode != 200 || !strings.Contains(body, `value="`+token+`"`) || !strings.Contains(body, `method="post" action="/setup"`) {
			t.Fatalf("the page: got %d %s, want a form with the token", res.StatusCode, body)
		}
		safePage(t, res, body)
	}
	res, body := w.form(token)
	safePage(t, res, body)
	key := regexp.MustCompile(`cl_[a-z2-7]{8}_[a-z2-7]{52}`).FindString(body)
	if res.StatusCode != 200 || key == "" {
		t.Fatalf("after the form: got %d %s, want the key", res.StatusCode, body)
	}
	if me := must(w.client(key).Me(t.Context()))(t); me.AccountID != store.DefaultAccount {
		t.Errorf("the key's account: %+v", me)
	}
	if res, body := w.form(token); res.StatusCode != http.StatusForbidden || strings.Contains(body, "cl_") || !strings.Contains(body, "is set up") {
		t.Errorf("the form a second time: got %d %s, want 403 and why", res.StatusCode, body)
	}
	if res, body := w.do(http.MethodGet, "/setup?token="+token, "", ""); res.StatusCode != 200 || strings.Contains(body, "<form") || !strings.Contains(body, "is set up") || !strings.Contains(body, "COMPLIANCELAYER_API_KEY") {
		t.Errorf("the page after its use: got %d %s, want no form, what happened and what to do", res.StatusCode, body)
	}
}

func (w *world) form(token string) (*http.Response, string) {
	w.t.Helper()
	res := must(w.web.Client().PostForm(w.web.URL+"/setup", url.Values{"token": {token}}))(w.t)
	defer res.Body.Close()
	return res, string(must(io.ReadAll(res.Body))(w.t))
}

// safePage reports a page that could fetch or tell something elsewhere.
func safePage(t *testing.T, res *http.Response, body string) {
	t.Helper()
	policy := res.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'") || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v: want a strict policy and no referrer", res.Header)
	}
	for _, foreign := range []string{"<script", "<style", " style=", " onclick", `src="http`, `href="http`} {
		if strings.Contains(body, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
}
