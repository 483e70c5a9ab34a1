package main

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// keysCmd groups what concerns API keys.
type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List API keys, ended ones included. When a key was last used is written about once a minute."`
	Create keysCreateCmd `cmd:"" help:"Make an API key and print it, once."`
	Revoke keysRevokeCmd `cmd:"" help:"End a key for good."`
}

// ofAccount names an account for the operator.
type ofAccount struct {
	Account string `help:"Another account's, with an admin key; left out, one's own." placeholder:"ID"`
}

type keysListCmd struct {
	remote
	paging
	ofAccount
}

// Run lists keys.
func (k *keysListCmd) Run(ctx context.Context, c *console) error {
	head := []string{"ID", "NAME", "BEGINS", "SCOPES", "STATE", "CREATED", "LAST USED"}
	return list(ctx, c, &k.remote, k.paging, func(cl *client.Client, ctx context.Context, p client.PageQuery) (client.Page[client.Key], error) {
		return cl.Keys(ctx, client.KeyQuery{AccountID: k.Account, PageQuery: p})
	}, head, func(key client.Key) []string {
		return []string{key.ID, key.Name, key.Prefix, words(key.Scopes), keyState(key), at(key.CreatedAt), when(key.LastUsedAt)}
	})
}

// keyState says in a word whether a key works.
func keyState(key client.Key) string {
	switch {
	case key.RevokedAt != nil:
		return "revoked"
	case key.ExpiresAt != nil && !time.Now().Before(key.ExpiresAt.Time):
		return "expired"
	}
	return "ok"
}

type keysCreateCmd struct {
	remote
	ofAccount
	Name    string   `arg:"" help:"Words of your own."`
	Scopes  []string `help:"What it may do: publish, read, manage (includes read), admin (everything)." required:""`
	Expires span     `help:"How long it works, such as 90d; left out, until it is revoked."`
}

// Run makes a key.
func (k *keysCreateCmd) Run(ctx context.Context, c *console) error {
	in := client.NewKey{Name: k.Name, Scopes: k.Scopes, AccountID: k.Account}
	if k.Expires > 0 {
		in.ExpiresAt = client.AtOrNil(time.Now().Add(time.Duration(k.Expires)))
	}
	return ask(c, &k.remote, func(cl *client.Client) (client.CreatedKey, error) { return cl.CreateKey(ctx, in) }, func(c *console, key client.CreatedKey) {
		c.details(field{"key", key.Text}, field{"id", key.ID}, field{"scopes", words(key.Scopes)}, field{"expires", when(key.ExpiresAt)})
		c.note("The key is shown here and never again.")
	})
}

type keysRevokeCmd struct {
	remote
	ofAccount
	ID string `arg:"" help:"The key's id, key_ and more."`
}

// Run ends a key.
func (k *keysRevokeCmd) Run(ctx context.Context, c *console) error {
	return end(c, &k.remote, "revoked", k.ID, func(cl *client.Client) error { return cl.RevokeKey(ctx, k.Account, k.ID) })
}
