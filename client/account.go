package client

import (
	"context"
	"net/http"
)

// Account is a tenant: endpoints, events and keys of one account are unseen by
// all others.
type Account struct {
	ID        string `json:"id" doc:"acc_ and more."`
	Name      string `json:"name" doc:"Words of your own."`
	CreatedAt *Time  `json:"created_at" doc:"When it was made; null for the one that was there from the start."`
}

// NewAccount is an account to make.
type NewAccount struct {
	Name string `json:"name" doc:"Words of your own." minLength:"1" maxLength:"100"`
}

// PortalLink is a one-time link into an account's dashboard. A server without a
// dashboard makes links that nothing opens.
type PortalLink struct {
	URL       string `json:"url" doc:"The link. It works once, within 15 minutes."`
	ExpiresAt Time   `json:"expires_at" doc:"Until when."`
}

// Me says who is calling.
type Me struct {
	AccountID   string   `json:"account_id" doc:"The account that the key works in."`
	AccountName string   `json:"account_name" doc:"Its name; empty when the key may not read it."`
	KeyID       string   `json:"key_id" doc:"The key."`
	Scopes      []string `json:"scopes" doc:"What it may do." enum:"publish,read,manage,admin"`
	Version     string   `json:"version" doc:"The server's release."`
}

// Setup gives the one-time token that a new server printed.
type Setup struct {
	Token string `json:"token" doc:"The token of the set-up link."`
}

// AuditEntry is one thing that somebody did.
type AuditEntry struct {
	At     Time   `json:"at" doc:"When."`
	Actor  string `json:"actor" doc:"Who: the id of a key or a user, system, or setup."`
	Action string `json:"action" doc:"What, such as endpoint.create."`
	Object string `json:"object" doc:"The id it was done to."`
	Detail string `json:"detail" doc:"What changed, without secrets."`
}

// Accounts reads a page of accounts.
func (c *Client) Accounts(ctx context.Context, q PageQuery) (Page[Account], error) {
	return get[Page[Account]](ctx, c, "/v1/accounts", q)
}

// Account reads one account.
func (c *Client) Account(ctx context.Context, id string) (Account, error) {
	return get[Account](ctx, c, path("/v1/accounts", id), nil)
}

// CreateAccount makes an account.
func (c *Client) CreateAccount(ctx context.Context, in NewAccount) (Account, error) {
	return send[Account](ctx, c, http.MethodPost, "/v1/accounts", in)
}

// DeleteAccount deletes an account with its endpoints and keys.
func (c *Client) DeleteAccount(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/v1/accounts", id)}, nil)
	return err
}

// PortalLink makes a one-time link into an account's dashboard.
func (c *Client) PortalLink(ctx context.Context, accountID string) (PortalLink, error) {
	return send[PortalLink](ctx, c, http.MethodPost, path("/v1/accounts", accountID, "portal-link"), nil)
}

// Me says who is calling: which account, which key, which scopes.
func (c *Client) Me(ctx context.Context) (Me, error) {
	return get[Me](ctx, c, "/v1/me", nil)
}

// Audit reads a page of what was done in the account.
func (c *Client) Audit(ctx context.Context, q PageQuery) (Page[AuditEntry], error) {
	return get[Page[AuditEntry]](ctx, c, "/v1/audit", q)
}

// Setup makes the first admin key of a new server. It takes no key.
func (c *Client) Setup(ctx context.Context, in Setup) (CreatedKey, error) {
	return send[CreatedKey](ctx, c, http.MethodPost, "/v1/setup", in)
}

// Ready asks whether the server can do its work; the error says why not.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/readyz"}, nil)
	return err
}
