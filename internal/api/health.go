package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Check is the answer of the health checks.
type Check struct {
	Status string `json:"status" doc:"ok."`
}

// pingTime is how long the database may take to answer before it counts as gone.
const pingTime = 2 * time.Second

func (s *Server) healthz(x *exchange, _ *http.Request) error {
	return answer(x, http.StatusOK, Check{Status: "ok"})
}

// readyz says whether this node can do its work, and if not, why.
func (s *Server) readyz(x *exchange, r *http.Request) error {
	if s.draining() {
		return unavailable("The server is shutting down.", 2)
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTime)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		s.Logger.WarnContext(ctx, "not ready", slog.Any("error", err))
		if errors.Is(err, store.ErrFull) {
			return err
		}
		return unavailable("The database does not answer.", 2)
	}
	return answer(x, http.StatusOK, Check{Status: "ok"})
}

func (s *Server) draining() bool {
	select {
	case <-s.Draining:
		return true
	default:
		return false
	}
}

// metrics counts over all accounts, so only a key of the default account reads it.
func (s *Server) metrics(x *exchange, r *http.Request) error {
	if x.caller.AccountID != store.DefaultAccount {
		return forbidden("The metrics are about all accounts; only a key of the default account may read them.")
	}
	s.Metrics.ServeHTTP(x, r)
	return nil
}
