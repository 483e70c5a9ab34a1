package manage

import (
	"context"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// CreateAccount is what an account is made of.
type CreateAccount struct {
	Name string // 1 to 100 characters
}

// PortalLink is a one-time link into an account's dashboard.
type PortalLink struct {
	AccountID string
	Token     string // shown here and never again
	ExpiresAt time.Time
}

// portalFor is how long a portal link can be used: long enough to be passed on and
// opened, short enough to be worthless in a log.
const portalFor = 15 * time.Minute

// CreateAccount adds an account.
func (m *Manager) CreateAccount(ctx context.Context, caller auth.Caller, in CreateAccount) (store.Account, error) {
	return change(ctx, m, caller, auth.Admin, "account.create", func(ctx context.Context) (store.Account, deed, error) {
		var wrong mistakes
		wrong.text("name", in.Name, 1, maxName)
		if err := wrong.err(); err != nil {
			return store.Account{}, deed{}, err
		}
		a := store.Account{ID: newID("acc_"), Name: in.Name, CreatedAt: now()}
		if err := m.db.CreateAccount(ctx, a); err != nil {
			return store.Account{}, deed{}, err
		}
		return a, deed{object: a.ID, detail: fmt.Sprintf("%q", a.Name)}, nil
	})
}

// Account reads one.
func (m *Manager) Account(ctx context.Context, caller auth.Caller, id string) (store.Account, error) {
	return look(ctx, caller, auth.Admin, func(ctx context.Context) (store.Account, error) {
		return m.account(ctx, id)
	})
}

// ListAccounts pages through all accounts.
func (m *Manager) ListAccounts(ctx context.Context, caller auth.Caller, page Page) (List[store.Account], error) {
	return look(ctx, caller, auth.Admin, func(ctx context.Context) (List[store.Account], error) {
		return list(page, func(p store.Page) ([]store.Account, string, error) {
			return m.db.ListAccounts(ctx, p)
		})
	})
}

// DeleteAccount deletes an account with its endpoints and keys; what waits for them is
// discarded. *store.Conflict for the default account. The answer is empty.
func (m *Manager) DeleteAccount(ctx context.Context, caller auth.Caller, id string) (struct{}, error) {
	return change(ctx, m, caller, auth.Admin, "account.delete", func(ctx context.Context) (struct{}, deed, error) {
		a, err := m.account(ctx, id)
		if err != nil {
			return struct{}{}, deed{}, err
		}
		if err := m.db.DeleteAccount(ctx, id, now()); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, deed{
			object: id,
			detail: fmt.Sprintf("%q", a.Name),
			notes: []store.Note{
				{Kind: store.KeysChanged, AccountID: id},
				{Kind: store.EndpointChanged, AccountID: id},
			},
		}, nil
	})
}

// PortalLink makes a one-time link into an account's dashboard, good for 15 minutes. One into the default
// account lets in as its owner, so only who may make owners makes it.
func (m *Manager) PortalLink(ctx context.Context, caller auth.Caller, accountID string) (PortalLink, error) {
	return change(ctx, m, caller, auth.Admin, "account.portal_link", func(ctx context.Context) (PortalLink, deed, error) {
		if accountID == store.DefaultAccount && !caller.MakesOwners() {
			return PortalLink{}, deed{}, &Forbidden{Scope: auth.Admin, Has: caller.Scopes}
		}
		if err := m.accountExists(ctx, accountID); err != nil {
			return PortalLink{}, deed{}, err
		}
		token, link := auth.NewLink(auth.Portal, accountID, portalFor, now())
		if err := m.db.CreateLink(ctx, link); err != nil {
			return PortalLink{}, deed{}, err
		}
		return PortalLink{AccountID: accountID, Token: token, ExpiresAt: link.ExpiresAt}, deed{object: accountID, detail: "until " + link.ExpiresAt.Format(time.RFC3339)}, nil
	})
}

// account reads the row of an account.
func (m *Manager) account(ctx context.Context, id string) (store.Account, error) {
	if err := known(id); err != nil {
		return store.Account{}, err
	}
	return m.db.Account(ctx, id)
}

// accountExists answers store.ErrNotFound for an account that does not.
func (m *Manager) accountExists(ctx context.Context, id string) error {
	_, err := m.account(ctx, id)
	return err
}

// ListAudit is a page of the audit.
type ListAudit struct {
	Filter store.AuditFilter
	Page   Page
}

// ListAudit pages through what was done in the caller's account, newest first.
func (m *Manager) ListAudit(ctx context.Context, caller auth.Caller, in ListAudit) (List[store.AuditEntry], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[store.AuditEntry], error) {
		return list(in.Page, func(p store.Page) ([]store.AuditEntry, string, error) {
			return m.db.ListAudit(ctx, caller.AccountID, in.Filter, p)
		})
	})
}
