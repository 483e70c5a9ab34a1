package auth

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	// auditWithin bounds the wait for an audit row after the visitor may have gone away.
	auditWithin = 5 * time.Second
	// refusedEvery is how often at most a sign-in that failed is written down of a member, so that guessing fills no
	// disk. Each node counts for itself.
	refusedEvery = time.Minute
	// refusedWaiting is how many rows may wait to be written; it is far more than there are in a minute.
	refusedWaiting = 256
)

// note writes down in the audit what a session was begun, used or ended for. It is done already, so a failure goes to the log.
func (s *SignIns) note(ctx context.Context, n store.Session, action, how string, v Visitor) {
	s.write(context.WithoutCancel(ctx), store.AuditEntry{
		AccountID: n.AccountID, Actor: actorOf(n), Action: action, Object: n.ID, Detail: strings.TrimSpace(how + " " + where(v)), At: time.Now().UTC(),
	})
}

// where says where a visitor comes from.
func where(v Visitor) string { return "from " + Where(v) }

// Where is the address that is written down of a visitor: of IPv6 what one customer has.
func Where(v Visitor) string { return cmp.Or(network(v.From), "an unknown address") }

func (s *SignIns) write(ctx context.Context, e store.AuditEntry) {
	ctx, cancel := context.WithTimeout(ctx, auditWithin)
	defer cancel()
	if err := s.members.AddAudit(ctx, e); err != nil {
		s.log.Error("audit row not written", slog.String("account_id", e.AccountID), slog.String("actor", e.Actor), slog.String("action", e.Action), slog.String("object", e.Object), slog.Any("error", err))
	}
}

// refusals are the sign-ins of members that failed, on their way to the audit.
type refusals struct {
	rows chan store.AuditEntry

	mu   sync.Mutex
	last map[string]time.Time // by user id: when one was written down
}

func newRefusals() *refusals {
	return &refusals{rows: make(chan store.AuditEntry, refusedWaiting), last: map[string]time.Time{}}
}

// add notes that somebody came with a wrong password for a member; one without an id is none. It waits for
// nothing: an answer that took longer for members would tell who is one.
func (r *refusals) add(u store.User, v Visitor, now time.Time) {
	if u.ID == "" || !r.due(u.ID, now) {
		return
	}
	select {
	case r.rows <- store.AuditEntry{AccountID: u.AccountID, Actor: "visitor", Action: "session.refused", Object: u.ID, Detail: "wrong password " + where(v), At: now.UTC()}:
	default: // the database is away, or slow; these rows are the first that can be missed
	}
}

// due reports whether a member's turn has come again.
func (r *refusals) due(id string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last[id]) < refusedEvery {
		return false
	}
	if len(r.last) >= maxBuckets {
		clear(r.last) // one row too many of some
	}
	r.last[id] = now
	return true
}

// Run writes down the sign-ins that failed until ctx ends, and then what is left of them.
func (s *SignIns) Run(ctx context.Context) error {
	for {
		select {
		case e := <-s.refused.rows:
			s.write(context.WithoutCancel(ctx), e)
		case <-ctx.Done():
			s.rest(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (s *SignIns) rest(ctx context.Context) {
	for {
		select {
		case e := <-s.refused.rows:
			s.write(ctx, e)
		default:
			return
		}
	}
}
