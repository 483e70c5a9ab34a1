package issuer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/compliancelayer/compliancelayer/internal/seal"
)

const (
	testURL    = "https://issuer.example.com"
	testClient = "hooks"
)

// issuerOf makes an issuer that is never asked, under a key of equal bytes.
func issuerOf(t *testing.T, key byte, address, client string) *Issuer {
	t.Helper()
	k, err := seal.Parse(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{key}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.NewBox(k)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{URL: address, ClientID: client, Box: box})
}

func ticketOf(t *testing.T, i *Issuer) (ticket, string) {
	t.Helper()
	made := ticket{State: "state", Nonce: "nonce", Verifier: "verifier", Errand: Errand{Next: "/a?b=1&c=2", Invite: "token", Member: "usr_1"}, Until: time.Now().Add(TicketFor).UTC().Round(0)}
	text, err := i.seal(made)
	if err != nil {
		t.Fatal(err)
	}
	return made, text
}

func TestATicketEndsAfterItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := issuerOf(t, 1, testURL, testClient)
		time.Sleep(23*time.Hour + 55*time.Minute) // so that it lasts over midnight
		want, text := ticketOf(t, i)
		time.Sleep(TicketFor - time.Second)
		if got, err := i.open(text); err != nil || got != want {
			t.Errorf("before its end: %+v, %v, want %+v", got, err, want)
		}
		time.Sleep(time.Second)
		if _, err := i.open(text); !errors.Is(err, ErrStale) {
			t.Errorf("at its end: %v, want ErrStale", err)
		}
	})
}

func TestATicketIsGoodForItsIssuerAndKeyOnly(t *testing.T) {
	t.Parallel()
	_, text := ticketOf(t, issuerOf(t, 1, testURL, testClient))
	if _, err := issuerOf(t, 1, testURL, testClient).open(text); err != nil {
		t.Errorf("on another node: %v", err)
	}
	day, _, _ := strings.Cut(text, ".")
	for name, opened := range map[string]error{
		"another key":    second(issuerOf(t, 2, testURL, testClient).open(text)),
		"another issuer": second(issuerOf(t, 1, testURL+"/", testClient).open(text)),
		"another client": second(issuerOf(t, 1, testURL, "other").open(text)),
		"another day":    second(issuerOf(t, 1, testURL, testClient).open("1" + text)),
		"nothing":        second(issuerOf(t, 1, testURL, testClient).open("")),
		"its day alone":  second(issuerOf(t, 1, testURL, testClient).open(day + ".")),
	} {
		if !errors.Is(opened, ErrStale) {
			t.Errorf("%s: %v, want ErrStale", name, opened)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestMoreThanANodeTakesOnAreTurnedAway(t *testing.T) {
	t.Parallel()
	i := issuerOf(t, 1, testURL, testClient)
	want, text := ticketOf(t, i)
	for range cap(i.turns) {
		i.turns <- struct{}{}
	}
	_, errand, err := i.Finish(t.Context(), text, url.Values{"state": {"state"}, "code": {"code"}})
	if !errors.Is(err, ErrBusy) || errand != want.Errand {
		t.Errorf("got %+v, %v, want ErrBusy", errand, err)
	}
	if _, errand, err := i.Finish(t.Context(), text, url.Values{"state": {"State"}, "code": {"code"}}); !errors.Is(err, ErrStale) || errand != (Errand{}) {
		t.Errorf("with another state: %+v, %v, want ErrStale and no errand", errand, err)
	}
}

func TestWhatTheIssuerAnswersIsNotRepeated(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{http.StatusBadRequest: ErrUnproven, http.StatusUnauthorized: ErrUnproven, http.StatusBadGateway: ErrAway} {
		err := exchangeError(&oauth2.RetrieveError{Response: &http.Response{StatusCode: status}, Body: []byte("planted"), ErrorDescription: "planted"})
		if !errors.Is(err, want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%d: %v, want %v without what was answered", status, err, want)
		}
	}
}

func TestAddressesThatAreLessSafeThanTheIssuersOwn(t *testing.T) {
	t.Parallel()
	for own, addresses := range map[string]map[string]bool{
		testURL:                 {"https://other.example.com/token": true, "http://issuer.example.com/token": false, "javascript:alert(1)": false, "": false, "/token": false, "https://": false},
		"http://localhost:9000": {"https://other.example.com/token": true, "http://localhost:9000/token": true, "javascript:alert(1)": false, "": false},
	} {
		for address, want := range addresses {
			if err := issuerOf(t, 1, own, testClient).trusts(address); (err == nil) != want {
				t.Errorf("%s names %q: %v, want it trusted: %t", own, address, err, want)
			}
		}
	}
}
