package web

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/issuer"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Depth tells how far behind the server is, for the status page.
type Depth interface {
	Depth(ctx context.Context, now time.Time) (store.Depth, error)
	Ping(ctx context.Context) error
}

// Publisher accepts events: the samples that people publish by hand.
type Publisher interface {
	Publish(ctx context.Context, accountID string, in []publish.Input) ([]store.Published, error)
}

// Feed tells what happens in an account, as it happens (feed.Feed).
type Feed interface {
	Subscribe(ctx context.Context, accountID string) (<-chan feed.Item, error)
}

// Config is what a Server is made of. All but Issuer and Logger must be set.
type Config struct {
	Manager   *manage.Manager
	Publisher Publisher
	Feed      Feed
	SignIns   *auth.SignIns
	Issuer    *issuer.Issuer // of single sign-on; nil = there is none
	Depth     Depth
	Retention time.Duration // how long the log is kept; 0 = for ever
	// Draining, when it is closed, ends what would go on for ever.
	Draining <-chan struct{}
	Policy   delivery.Policy
	Dev      bool // http://localhost may be an endpoint
	Version  string
	// URL gives the address at which people reach this server, for links that they pass on.
	URL    func() string
	Logger *slog.Logger // nil = slog.Default()
}

// Server answers the pages. It may be used by many goroutines.
type Server struct {
	Config
	mux      *http.ServeMux
	guard    http.Handler
	routes   []route
	pages    pages
	snippets []snippet
	status   status
}

//go:embed all:templates static snippets
var files embed.FS

// New makes a Server. The error says what is wrong with a template or the route table, which is a fault of
// ours that every test finds.
func New(c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s := &Server{Config: c, mux: http.NewServeMux()}
	var err error
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if s.snippets, err = readSnippets(); err != nil {
		return nil, err
	}
	s.routes = s.table()
	for _, rt := range s.routes {
		s.mux.Handle(rt.pattern, s.entry(rt))
	}
	s.mux.HandleFunc("GET /static/{name}", serveAsset)
	s.mux.HandleFunc("/", s.nothing)
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(s.foreign))
	s.guard = guard.Handler(s.mux)
	return s, nil
}
