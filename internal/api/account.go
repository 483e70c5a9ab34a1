package api

import (
	"context"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

func (s *Server) createKey(ctx context.Context, caller auth.Caller, in bodyOf[client.NewKey]) (client.CreatedKey, error) {
	made, err := s.Manager.CreateKey(ctx, caller, manage.CreateKey{
		Name: in.Body.Name, Scopes: in.Body.Scopes, ExpiresAt: timeOf(in.Body.ExpiresAt), AccountID: in.Body.AccountID,
	})
	return client.CreatedKey{Key: keyTo(made.Key), Text: made.Text}, err
}

func (s *Server) listKeys(ctx context.Context, caller auth.Caller, in client.KeyQuery) (client.Page[client.Key], error) {
	list, err := s.Manager.ListKeys(ctx, caller, manage.ListKeys{AccountID: in.AccountID, Page: pageOf(in.PageQuery)})
	return pageTo(list, keyTo), err
}

func (s *Server) revokeKey(ctx context.Context, caller auth.Caller, in keyID) (struct{}, error) {
	return s.Manager.RevokeKey(ctx, caller, manage.RevokeKey{ID: in.ID, AccountID: in.AccountID})
}

func (s *Server) createAccount(ctx context.Context, caller auth.Caller, in bodyOf[client.NewAccount]) (client.Account, error) {
	a, err := s.Manager.CreateAccount(ctx, caller, manage.CreateAccount{Name: in.Body.Name})
	return accountTo(a), err
}

func (s *Server) account(ctx context.Context, caller auth.Caller, in accountID) (client.Account, error) {
	a, err := s.Manager.Account(ctx, caller, in.ID)
	return accountTo(a), err
}

func (s *Server) listAccounts(ctx context.Context, caller auth.Caller, in client.PageQuery) (client.Page[client.Account], error) {
	list, err := s.Manager.ListAccounts(ctx, caller, pageOf(in))
	return pageTo(list, accountTo), err
}

func (s *Server) deleteAccount(ctx context.Context, caller auth.Caller, in accountID) (struct{}, error) {
	return s.Manager.DeleteAccount(ctx, caller, in.ID)
}

func (s *Server) portalLink(ctx context.Context, caller auth.Caller, in accountID) (client.PortalLink, error) {
	link, err := s.Manager.PortalLink(ctx, caller, in.ID)
	if err != nil {
		return client.PortalLink{}, err
	}
	return client.PortalLink{URL: s.PortalURL(link.Token), ExpiresAt: client.At(link.ExpiresAt)}, nil
}

func (s *Server) listAudit(ctx context.Context, caller auth.Caller, in client.PageQuery) (client.Page[client.AuditEntry], error) {
	list, err := s.Manager.ListAudit(ctx, caller, manage.ListAudit{Page: pageOf(in)})
	return pageTo(list, auditTo), err
}

// me says who is calling. The name of one's own account is no secret of it, so that
// no scope is asked for.
func (s *Server) me(ctx context.Context, caller auth.Caller, _ none) (client.Me, error) {
	a, err := s.Accounts.Account(ctx, caller.AccountID)
	if err != nil {
		return client.Me{}, err
	}
	return client.Me{
		AccountID: a.ID, AccountName: a.Name, KeyID: caller.KeyID,
		Scopes: caller.Scopes.Strings(), Version: s.Version,
	}, nil
}
