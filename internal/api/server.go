package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Publisher accepts events. It must not keep the data of an Input after it returned
// without an error: the bytes are used again.
type Publisher interface {
	Publish(ctx context.Context, accountID string, in []publish.Input) ([]store.Published, error)
}

// Authenticator says who sent the value of an Authorization header from an address.
type Authenticator interface {
	Authenticate(ctx context.Context, header, from string) (auth.Caller, error)
}

// Accounts is what /v1/me and the set-up need of the store.
type Accounts interface {
	Account(ctx context.Context, id string) (store.Account, error)
	ListKeys(ctx context.Context, accountID string, page store.Page) ([]store.Key, string, error)
	SetUp(ctx context.Context, hash [32]byte, first store.Key, now time.Time) error
	AddAudit(ctx context.Context, e store.AuditEntry) error
}

// Config is what a Server is made of. All but the fields that say so must be set.
type Config struct {
	Publisher Publisher
	Manager   *manage.Manager
	Auth      Authenticator
	Accounts  Accounts
	Feed      Feed

	// Ping reports whether the store answers; it is called by /readyz, at most 2 s.
	Ping func(ctx context.Context) error
	// PortalURL makes the address of the dashboard's page that takes a portal token.
	PortalURL func(token string) string

	// Version is the program's release, as /v1/me and the OpenAPI document say it.
	Version string
	// Draining, when it is closed, makes /readyz answer 503 and ends the streams.
	// Nil = never.
	Draining <-chan struct{}
	// Metrics answers /metrics; nil = it is not there.
	Metrics http.Handler
	// RequestRate is how many requests a second an account may make, in bursts of as many, with
	// all of its keys together; 0 = no limit. The default account, whose keys are the operator's, has none.
	RequestRate int
	// Observe is told about every request when it ends, with the pattern of its route ("" = no
	// route); nil = nobody is.
	Observe func(pattern string, status int, took time.Duration)
	// Logger takes faults of ours; nil = slog.Default().
	Logger *slog.Logger
}

// Server answers the API. It may be used by many goroutines.
type Server struct {
	Config
	mux     *http.ServeMux
	routes  []route
	limits  *limiter // nil = no limit
	openapi []byte
	docs    []byte
	setUp   atomic.Bool // there is a key
}

// New makes a Server. The error says what is wrong with the route table, which is a
// fault of ours that every test finds.
func New(c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s := &Server{Config: c, mux: http.NewServeMux()}
	if c.RequestRate > 0 {
		s.limits = newLimiter(c.RequestRate)
	}
	s.routes = s.table()
	for i := range s.routes {
		pattern := s.routes[i].pattern()
		s.mux.Handle(pattern, s.entry(&s.routes[i], pattern))
	}
	s.mux.HandleFunc("/", s.nothing)
	if err := s.describe(); err != nil {
		return nil, err
	}
	return s, nil
}

// PublishPath is where events are posted to, the call that has to cost next to nothing.
const PublishPath = "/v1/events"

// Owns reports whether a path is the API's to answer; all others are pages. It looks at the path as
// it came: an http.ServeMux would send callers of /v1//events elsewhere.
func Owns(path string) bool {
	switch path {
	case "/openapi.json", "/docs", "/healthz", "/readyz", "/metrics":
		return true
	}
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/docs/")
}

// The limits of a request's head: more than any program or proxy that calls us sends.
const (
	maxHeaderLines = 64
	maxHeaderBytes = 16 << 10 // with the request line
)

// Standing headers of answers, shared so that setting them costs nothing.
var (
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
	jsonType = []string{"application/json"}
	yes      = []string{"true"}
)

// describe makes the documents once; they never change while the server runs.
func (s *Server) describe() (err error) {
	if s.openapi, err = s.makeOpenAPI(); err != nil {
		return err
	}
	s.docs, err = s.makeDocs()
	return err
}
