package web

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Depth tells how far behind the server is, for the status page.
type Depth interface {
	Depth(ctx context.Context, now time.Time) (store.Depth, error)
	Ping(ctx context.Context) error
}

// Config is what a Server is made of. All but Logger must be set.
type Config struct {
	Manager *manage.Manager
	SignIns *auth.SignIns
	Depth   Depth
	Policy  delivery.Policy
	Dev     bool // http://localhost may be an endpoint
	Version string
	// URL gives the address that this server listens on, for links that people pass on.
	URL    func() string
	Logger *slog.Logger // nil = slog.Default()
}

// Server answers the pages. It may be used by many goroutines.
type Server struct {
	Config
	mux    *http.ServeMux
	guard  http.Handler
	routes []route
	pages  pages
	status status
}

//go:embed all:templates static
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
	s.routes = s.table()
	for _, rt := range s.routes {
		s.mux.Handle(rt.pattern, s.entry(rt))
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	s.mux.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(static))))
	s.mux.HandleFunc("/", s.nothing)
	s.guard = http.NewCrossOriginProtection().Handler(s.mux)
	return s, nil
}

// cached lets browsers keep a file for a while: its name has no version, so not for long.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		h.ServeHTTP(w, r)
	})
}
