package client

import (
	"context"
	"net/http"
)

// The scopes of a key.
const (
	ScopePublish = "publish" // publish events
	ScopeRead    = "read"    // see everything of the account but secrets
	ScopeManage  = "manage"  // change everything of the account; includes read
	ScopeAdmin   = "admin"   // everything, other accounts included
)

// Key is an API key without its text.
type Key struct {
	ID         string   `json:"id" doc:"key_ and more."`
	AccountID  string   `json:"account_id" doc:"The account it works in."`
	Name       string   `json:"name" doc:"Words of your own."`
	Prefix     string   `json:"prefix" doc:"The first characters of its text, to recognise it by."`
	Scopes     []string `json:"scopes" doc:"What it may do; manage includes read, admin includes everything." enum:"publish,read,manage,admin"`
	CreatedAt  Time     `json:"created_at" doc:"When it was made."`
	ExpiresAt  *Time    `json:"expires_at" doc:"When it stops working; null = never."`
	RevokedAt  *Time    `json:"revoked_at" doc:"When it was revoked; null = it was not."`
	LastUsedAt *Time    `json:"last_used_at" doc:"When it was last used; written about once a minute."`
}

// CreatedKey is a key that was just made, with its text.
type CreatedKey struct {
	Key
	Text string `json:"key" doc:"The text of the key, cl_ and more. It is answered here and never again."`
}

// NewKey is a key to make.
type NewKey struct {
	Name      string   `json:"name" doc:"Words of your own." minLength:"1" maxLength:"100"`
	Scopes    []string `json:"scopes" doc:"What it may do; nothing that the calling key may not." minItems:"1" enum:"publish,read,manage,admin"`
	ExpiresAt *Time    `json:"expires_at,omitempty" doc:"When it stops working; left out = never."`
	AccountID string   `json:"account_id,omitempty" doc:"The account it is for; left out = the caller's own. Another takes the admin scope."`
}

// KeyQuery asks for keys.
type KeyQuery struct {
	AccountID string `query:"account_id" doc:"Whose keys; left out = the caller's own. Another takes the admin scope."`
	PageQuery
}

// Keys reads a page of keys.
func (c *Client) Keys(ctx context.Context, q KeyQuery) (Page[Key], error) {
	return get[Page[Key]](ctx, c, "/v1/keys", q)
}

// CreateKey makes a key; only this answer has its text.
func (c *Client) CreateKey(ctx context.Context, in NewKey) (CreatedKey, error) {
	return send[CreatedKey](ctx, c, http.MethodPost, "/v1/keys", in)
}

// RevokeKey ends a key for good. accountID "" is the caller's own account.
func (c *Client) RevokeKey(ctx context.Context, accountID, id string) error {
	in := call{method: http.MethodDelete, path: path("/v1/keys", id)}
	if accountID != "" {
		in.query = map[string][]string{"account_id": {accountID}}
	}
	_, err := c.do(ctx, in, nil)
	return err
}
