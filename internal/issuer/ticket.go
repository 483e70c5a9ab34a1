package issuer

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// TicketFor is how long somebody may take at the issuer.
const TicketFor = 10 * time.Minute

// Errand is what a visitor was sent to the issuer for. With neither Invite nor Member it is to sign in.
type Errand struct {
	Next   string // the page to go to then
	Invite string // the token of an invitation that is to be accepted
	Member string // the id of the member that the identity is to be linked to
}

// ticket is what must be known when somebody comes back. It is sealed, so that they can neither read nor change it.
type ticket struct {
	State, Nonce, Verifier string
	Errand                 Errand
	Until                  time.Time
}

// purpose is a name for each day: one name may seal 2^32 values, and anybody can have some made.
func purpose(day string) string { return "single sign-on ticket " + day }

// seal gives the text of a ticket: its day, and the sealed rest.
func (i *Issuer) seal(t ticket) (string, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	day := strconv.FormatInt(t.Until.Unix()/(24*60*60), 10)
	return day + "." + base64.RawURLEncoding.EncodeToString(i.cfg.Box.Seal(purpose(day), i.cfg.ClientID, i.cfg.URL, plain)), nil
}

// open reads a ticket's text: ErrStale unless it was sealed here, for this issuer, and has not ended.
func (i *Issuer) open(text string) (t ticket, err error) {
	day, rest, _ := strings.Cut(text, ".")
	sealed, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil {
		return ticket{}, ErrStale
	}
	plain, err := i.cfg.Box.Open(purpose(day), i.cfg.ClientID, i.cfg.URL, sealed)
	if err != nil {
		return ticket{}, ErrStale
	}
	if err := json.Unmarshal(plain, &t); err != nil || !time.Now().Before(t.Until) {
		return ticket{}, ErrStale
	}
	return t, nil
}
