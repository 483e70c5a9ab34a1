package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/compliancelayer/compliancelayer/internal/seal"
)

// What can be wrong with a single sign-on. The words behind them are for the log.
var (
	// ErrAway: the issuer cannot be reached, or does not answer as one. It is nobody's fault who visits.
	ErrAway = errors.New("the issuer is away")
	// ErrStale: what came back is not what this browser was sent out for, or comes too late.
	ErrStale = errors.New("this single sign-on was not begun here, or too long ago")
	// ErrRefused: the issuer let nobody in, or the visitor stopped.
	ErrRefused = errors.New("the issuer refused")
	// ErrUnproven: what the issuer is said to have stated is not proven, or is not for this server.
	ErrUnproven = errors.New("the single sign-on is not proven")
	// ErrBusy: more come back at once than this node takes on.
	ErrBusy = errors.New("too many single sign-ons at once")
)

const (
	// MaxAnswer is more than any issuer says, in bytes.
	MaxAnswer = 1 << 20
	// Patience is how long one question to the issuer may take.
	Patience = 10 * time.Second

	// retryAfter is how long an issuer that was away is not asked again, however many visit.
	retryAfter = 2 * time.Second
	// atOnce bounds the questions that visitors can make this node ask.
	atOnce = 8
)

// Config is what an Issuer is made of. All of it must be set.
type Config struct {
	URL, ClientID, ClientSecret string
	Name                        string        // what people call it
	Redirect                    func() string // the address that it sends people back to
	Client                      *http.Client  // of internal/egress: bounded in time and bytes
	Box                         *seal.Box     // seals tickets
}

// Issuer is the one that was set. It may be used by many goroutines.
type Issuer struct {
	cfg   Config
	turns chan struct{}

	mu       sync.Mutex
	known    *known // nil until it has answered once
	askAgain time.Time
	away     error // why it is not asked before
}

// known is what the issuer says of itself.
type known struct {
	oauth2.Config
	*oidc.IDTokenVerifier
}

// New makes an Issuer. It is not asked for anything before somebody wants to sign in.
func New(cfg Config) *Issuer { return &Issuer{cfg: cfg, turns: make(chan struct{}, atOnce)} }

// Name is what people call it.
func (i *Issuer) Name() string { return i.cfg.Name }

// URL is what it is known by.
func (i *Issuer) URL() string { return i.cfg.URL }

// ask gives what the issuer says of itself. It is asked by one visitor at a time until it has answered; that visitor
// may leave meanwhile.
func (i *Issuer) ask(ctx context.Context) (*known, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known != nil {
		return i.known, nil
	}
	if time.Now().Before(i.askAgain) {
		return nil, i.away
	}
	k, err := i.discover(oidc.ClientContext(context.WithoutCancel(ctx), i.cfg.Client))
	if err != nil {
		i.askAgain, i.away = time.Now().Add(retryAfter), fmt.Errorf("%w: %.300s", ErrAway, err.Error())
		return nil, i.away
	}
	i.known = k
	return k, nil
}

// discover reads the issuer's own description.
func (i *Issuer) discover(ctx context.Context) (*known, error) {
	provider, err := oidc.NewProvider(ctx, i.cfg.URL)
	if err != nil {
		return nil, err
	}
	var says struct {
		Authenticate []string `json:"token_endpoint_auth_methods_supported"`
		Keys         string   `json:"jwks_uri"`
	}
	if err := provider.Claims(&says); err != nil {
		return nil, err
	}
	endpoint := provider.Endpoint()
	for _, text := range []string{endpoint.AuthURL, endpoint.TokenURL, says.Keys} {
		if err := i.trusts(text); err != nil {
			return nil, err
		}
	}
	// Trying both ways, as the library else does, would use the code up with the wrong one.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if slices.Contains(says.Authenticate, "client_secret_post") && !slices.Contains(says.Authenticate, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &known{
		Config: oauth2.Config{
			ClientID: i.cfg.ClientID, ClientSecret: i.cfg.ClientSecret, Endpoint: endpoint, RedirectURL: i.cfg.Redirect(), Scopes: []string{oidc.ScopeOpenID, "profile"},
		},
		// The library takes the algorithms that the issuer names, and of those only what signs with a key pair: never
		// none, and never HS256, for which the client's secret would do.
		IDTokenVerifier: provider.Verifier(&oidc.Config{ClientID: i.cfg.ClientID}),
	}, nil
}

// trusts refuses an address that is less safe than the issuer's own.
func (i *Issuer) trusts(text string) error {
	u, err := url.Parse(text)
	own, errOwn := url.Parse(i.cfg.URL)
	if err != nil || errOwn != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || own.Scheme != "http") {
		return fmt.Errorf("it names an address that is not https: %.100q", text)
	}
	return nil
}
