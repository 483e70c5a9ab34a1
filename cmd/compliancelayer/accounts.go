package main

import (
	"context"
	"errors"

	"github.com/compliancelayer/compliancelayer/client"
)

// accountsCmd groups what concerns accounts.
type accountsCmd struct {
	List       accountsListCmd       `cmd:"" help:"List accounts."`
	Create     accountsCreateCmd     `cmd:"" help:"Make an account."`
	Delete     accountsDeleteCmd     `cmd:"" help:"Delete an account with its endpoints and keys."`
	PortalLink accountsPortalLinkCmd `cmd:"" help:"Make a one-time link into an account's dashboard."`
}

type accountsListCmd struct {
	remote
	paging
}

// Run lists accounts.
func (a *accountsListCmd) Run(ctx context.Context, c *console) error {
	return list(ctx, c, &a.remote, a.paging, (*client.Client).Accounts, []string{"ID", "NAME", "CREATED"}, func(acc client.Account) []string {
		return []string{acc.ID, acc.Name, when(acc.CreatedAt)}
	})
}

type accountsCreateCmd struct {
	remote
	Name string `arg:"" help:"Words of your own."`
}

// Run makes an account.
func (a *accountsCreateCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &a.remote, func(cl *client.Client) (client.Account, error) {
		return cl.CreateAccount(ctx, client.NewAccount{Name: a.Name})
	}, func(c *console, acc client.Account) {
		c.details(field{"id", acc.ID}, field{"name", acc.Name}, field{"created", when(acc.CreatedAt)})
		c.note("Next: compliancelayer keys create NAME --scopes manage,publish --account %s", acc.ID)
	})
}

type accountsDeleteCmd struct {
	remote
	ID  string `arg:"" help:"The account, acc_ and more."`
	Yes bool   `short:"y" help:"Delete it with its endpoints and keys."`
}

// Run deletes an account when that was agreed to.
func (a *accountsDeleteCmd) Run(ctx context.Context, c *console) error {
	if !a.Yes {
		return withHint(asUsage(errors.New("this deletes the account's endpoints and keys and discards what waits")),
			"%s accounts delete %s --yes", programName, a.ID)
	}
	return end(c, &a.remote, "deleted", a.ID, func(cl *client.Client) error { return cl.DeleteAccount(ctx, a.ID) })
}

type accountsPortalLinkCmd struct {
	remote
	ID string `arg:"" help:"The account."`
}

// Run makes a link.
func (a *accountsPortalLinkCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &a.remote, (*client.Client).PortalLink, a.ID, func(c *console, link client.PortalLink) {
		c.say("%s", link.URL)
		c.note("It opens the dashboard of this account, once, until %s.", at(link.ExpiresAt))
		c.note("To let somebody in today: compliancelayer keys create NAME --scopes manage --account %s", a.ID)
	})
}
