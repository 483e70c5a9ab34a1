package client

import (
	"context"
	"net/http"
)

// NotificationAddress is an address that is told by mail when an endpoint fails or is disabled.
type NotificationAddress struct {
	Email     string `json:"email" doc:"The address, in lower case."`
	AddedBy   string `json:"added_by" doc:"The id of the key or member who added it."`
	CreatedAt Time   `json:"created_at" doc:"When it was added."`
}

// NotificationAddresses says who is told.
type NotificationAddresses struct {
	Data      []NotificationAddress `json:"data" doc:"The addresses that were added, in order; at most 20."`
	Told      []string              `json:"told" doc:"Who is told now: those, or, while there are none, the account's owners and admins."`
	SendsMail bool                  `json:"sends_mail" doc:"Whether this server sends mail at all."`
}

// NewNotificationAddress is an address to add.
type NewNotificationAddress struct {
	Email string `json:"email" doc:"An e-mail address." minLength:"3" maxLength:"254"`
}

// NotificationAddresses reads who is told by mail.
func (c *Client) NotificationAddresses(ctx context.Context) (NotificationAddresses, error) {
	return get[NotificationAddresses](ctx, c, "/v1/notification-addresses", nil)
}

// AddNotificationAddress adds an address.
func (c *Client) AddNotificationAddress(ctx context.Context, email string) (NotificationAddress, error) {
	return send[NotificationAddress](ctx, c, http.MethodPost, "/v1/notification-addresses", NewNotificationAddress{Email: email})
}

// RemoveNotificationAddress takes an address out.
func (c *Client) RemoveNotificationAddress(ctx context.Context, email string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/v1/notification-addresses", email)}, nil)
	return err
}
