package main

import (
	"context"
	"strconv"

	"github.com/compliancelayer/compliancelayer/client"
)

// alertsCmd groups what concerns the health watch.
type alertsCmd struct {
	List alertsListCmd `cmd:"" help:"List alerts, newest first."`
}

type alertsListCmd struct {
	remote
	paging
	Endpoint string `help:"Only this endpoint's." placeholder:"ID"`
	Open     bool   `help:"Only those that are open."`
}

// Run lists alerts.
func (a *alertsListCmd) Run(ctx context.Context, c *console) error {
	head := []string{"ENDPOINT", "ALERT", "VALUE", "ABOVE", "ATTEMPTS", "OPENED", "CLOSED", "WHY"}
	return list(ctx, c, &a.remote, a.paging, func(cl *client.Client, ctx context.Context, p client.PageQuery) (client.Page[client.Alert], error) {
		return cl.Alerts(ctx, client.AlertQuery{EndpointID: a.Endpoint, Open: a.Open, PageQuery: p})
	}, head, func(al client.Alert) []string {
		return []string{al.EndpointID, al.Kind, percent(&al.Value), percent(&al.Threshold), strconv.Itoa(al.Attempts), at(al.OpenedAt), when(al.ClosedAt), al.Reason}
	})
}
