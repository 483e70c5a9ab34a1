package api

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func (s *Server) listAlerts(ctx context.Context, caller auth.Caller, in client.AlertQuery) (client.Page[client.Alert], error) {
	list, err := s.Manager.ListAlerts(ctx, caller, manage.ListAlerts{
		Filter: store.AlertFilter{EndpointID: in.EndpointID, Open: in.Open}, Page: pageOf(in.PageQuery),
	})
	return pageTo(list, alertTo), err
}

func alertTo(a store.Alert) client.Alert {
	return client.Alert{
		ID: a.ID, EndpointID: a.EndpointID, Kind: string(a.Kind), Open: a.ClosedAt.IsZero(),
		Value: a.Opened.Value(), Threshold: float64(a.Threshold) / 100, WindowS: int(a.Opened.Span / time.Second),
		Attempts: a.Opened.Attempts, Failed: a.Opened.Failed,
		OpenedAt: client.At(a.OpenedAt), ClosedAt: client.AtOrNil(a.ClosedAt), Reason: string(a.Reason),
	}
}

// sinceEnabledTo renders what may not be there.
func sinceEnabledTo(s *manage.SinceEnabled) *client.SinceEnabled {
	if s == nil {
		return nil
	}
	return &client.SinceEnabled{At: client.At(s.At), Delivered: s.Delivered, Dead: s.Dead, Of: s.Of}
}
