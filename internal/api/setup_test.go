package api

import (
	"net/http"
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
