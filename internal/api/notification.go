package api

import (
	"context"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func (s *Server) listRecipients(ctx context.Context, caller auth.Caller, _ none) (client.NotificationAddresses, error) {
	found, err := s.Manager.ListRecipients(ctx, caller, struct{}{})
	return client.NotificationAddresses{Data: each(found.Rows, recipientTo), Told: textsTo(found.Told), SendsMail: found.SendsMail}, err
}

func (s *Server) addRecipient(ctx context.Context, caller auth.Caller, in bodyOf[client.NewNotificationAddress]) (client.NotificationAddress, error) {
	row, err := s.Manager.AddRecipient(ctx, caller, in.Body.Email)
	return recipientTo(row), err
}

func (s *Server) removeRecipient(ctx context.Context, caller auth.Caller, in email) (struct{}, error) {
	return s.Manager.RemoveRecipient(ctx, caller, in.Email)
}

func recipientTo(r store.Recipient) client.NotificationAddress {
	return client.NotificationAddress{Email: r.Email, AddedBy: r.By, CreatedAt: client.At(r.CreatedAt)}
}
