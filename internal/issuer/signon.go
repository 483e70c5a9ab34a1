package issuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// maxSubject is the longest subject that an issuer may give, in characters of ASCII (OpenID Connect Core 1.0 section 2).
const maxSubject = 255

// Person is who came back, as the issuer knows them.
type Person struct {
	Subject string // never given to anybody else by this issuer
	Name    string // as they call themselves there; "" = not told
}

// Begin sends a visitor out: it gives the issuer's address for them, and the ticket that their browser keeps until
// they come back. The error is ErrAway.
func (i *Issuer) Begin(ctx context.Context, e Errand) (address, text string, err error) {
	k, err := i.ask(ctx)
	if err != nil {
		return "", "", err
	}
	t := ticket{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Errand: e, Until: time.Now().Add(TicketFor)}
	if text, err = i.seal(t); err != nil {
		return "", "", err
	}
	return k.AuthCodeURL(t.State, oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)), text, nil
}

// Finish says who came back with which errand, by the ticket of their browser and what the issuer had it say. The
// errand is there as soon as it is certain that it is this browser's, with an error too. The errors are those of this package.
func (i *Issuer) Finish(ctx context.Context, text string, says url.Values) (Person, Errand, error) {
	t, err := i.open(text)
	if err != nil {
		return Person{}, Errand{}, err
	}
	if !same(says.Get("state"), t.State) {
		return Person{}, Errand{}, ErrStale
	}
	if by := says.Get("iss"); by != "" && by != i.cfg.URL { // RFC 9207
		return Person{}, t.Errand, fmt.Errorf("%w: it comes from another issuer, %.100q", ErrUnproven, by)
	}
	if says.Get("error") != "" || says.Get("code") == "" {
		return Person{}, t.Errand, fmt.Errorf("%w: %.100q", ErrRefused, says.Get("error"))
	}
	select {
	case i.turns <- struct{}{}:
		defer func() { <-i.turns }()
	default:
		return Person{}, t.Errand, ErrBusy
	}
	p, err := i.redeem(ctx, says.Get("code"), t)
	return p, t.Errand, err
}

// same compares in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// redeem exchanges the code for what the issuer states, and checks it.
func (i *Issuer) redeem(ctx context.Context, code string, t ticket) (Person, error) {
	k, err := i.ask(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, i.cfg.Client)
	token, err := k.Exchange(ctx, code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		return Person{}, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := k.Verify(ctx, raw)
	if err != nil {
		return Person{}, fmt.Errorf("%w: %.300s", ErrUnproven, err.Error())
	}
	if !same(id.Nonce, t.Nonce) {
		return Person{}, fmt.Errorf("%w: its nonce is another sign-on's", ErrUnproven)
	}
	return i.person(id)
}

// exchangeError tells an issuer that is away from a code that is none, and leaves out what it said in full.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	switch {
	case !errors.As(err, &answer):
		return fmt.Errorf("%w: %.300s", ErrAway, err.Error())
	case answer.Response.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%w: the code was answered with %d", ErrAway, answer.Response.StatusCode)
	}
	return fmt.Errorf("%w: the code was answered with %d, %.100q", ErrUnproven, answer.Response.StatusCode, answer.ErrorCode)
}

// person reads a verified token.
func (i *Issuer) person(id *oidc.IDToken) (Person, error) {
	var says struct {
		For  string `json:"azp"`
		Name string `json:"name"`
		Nick string `json:"preferred_username"`
	}
	if err := id.Claims(&says); err != nil {
		return Person{}, fmt.Errorf("%w: %.300s", ErrUnproven, err.Error())
	}
	if says.For != "" && says.For != i.cfg.ClientID { // OpenID Connect Core 1.0 section 3.1.3.7
		return Person{}, fmt.Errorf("%w: it was made for %.100q", ErrUnproven, says.For)
	}
	if !isSubject(id.Subject) {
		return Person{}, fmt.Errorf("%w: it has no subject, or none that can be kept", ErrUnproven)
	}
	return Person{Subject: id.Subject, Name: cmp.Or(says.Name, says.Nick)}, nil
}

// isSubject reports whether a text can be a subject: what every database keeps as it is.
func isSubject(s string) bool {
	if s == "" || len(s) > maxSubject {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == utf8.RuneError {
			return false
		}
	}
	return true
}
