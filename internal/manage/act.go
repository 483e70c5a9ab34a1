package manage

import (
	"context"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// deed is what an operation did, for the audit and for the other nodes. Every
// operation that may change something must return one: the zero deed says that nothing was changed.
type deed struct {
	object string // the id it was done to
	detail string // before → after, never with a secret
	notes  []store.Note
}

// auditWithin bounds the wait for the audit row and the announcement after
// the caller may have gone away.
const auditWithin = 5 * time.Second

// look is the frame of every operation that only reads.
func look[Out any](ctx context.Context, caller auth.Caller, scope auth.Scope, op func(context.Context) (Out, error)) (Out, error) {
	if !may(caller, scope) {
		var none Out
		return none, &Forbidden{Scope: scope, Has: caller.Scopes}
	}
	return op(ctx)
}

// change is the frame of every operation that may change something: it checks the
// scope, does op, writes the audit row and tells the other nodes. What op did is
// written down even when op failed half-way or the caller went away.
func change[Out any](ctx context.Context, m *Manager, caller auth.Caller, scope auth.Scope, action string, op func(context.Context) (Out, deed, error)) (Out, error) {
	if !may(caller, scope) {
		var none Out
		return none, &Forbidden{Scope: scope, Has: caller.Scopes}
	}
	out, did, err := op(ctx)
	if did.object != "" {
		m.writeDown(context.WithoutCancel(ctx), caller, action, did)
	}
	return out, err
}

// may reports whether the caller has the scope. What takes the admin scope reaches
// other accounts, so a key outside of the default account never may.
func may(caller auth.Caller, scope auth.Scope) bool {
	if scope == auth.Admin && caller.AccountID != store.DefaultAccount {
		return false
	}
	return caller.AccountID != "" && caller.Can(scope)
}

// writeDown adds the audit row and announces the change. The change is made
// already, so a failure is logged and not returned: an answer such as a secret that is shown
// once must not be lost over it.
func (m *Manager) writeDown(ctx context.Context, caller auth.Caller, action string, did deed) {
	ctx, cancel := context.WithTimeout(ctx, auditWithin)
	defer cancel()
	err := m.db.AddAudit(ctx, store.AuditEntry{
		AccountID: caller.AccountID,
		Actor:     caller.Actor,
		Action:    action,
		Object:    did.object,
		Detail:    did.detail,
		At:        now(),
	})
	if err != nil {
		m.log.Error("audit row not written", slog.String("account_id", caller.AccountID), slog.String("actor", caller.Actor), slog.String("action", action), slog.String("object", did.object), slog.Any("error", err))
	}
	if len(did.notes) == 0 {
		return
	}
	// A hint only: whoever misses it finds out a little later.
	if err := m.db.Announce(ctx, did.notes...); err != nil {
		m.log.Warn("change not announced", slog.String("action", action), slog.String("object", did.object), slog.Any("error", err))
	}
}

// clock is the time by which deliveries become due and are kept, and overlaps of secrets end: the store's,
// because the nodes that share one need not agree.
func (m *Manager) clock(ctx context.Context) (time.Time, error) {
	t, err := m.db.Clock(ctx)
	return t.UTC().Truncate(time.Millisecond), err
}

// now is this process's time in the precision that the store keeps.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
