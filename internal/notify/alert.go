package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// alertEvent puts the opening, or the closing, of an alert into an event. The alert has the
// facts of both, so that one that has been closed since is still told as it was opened.
func (n *Notifier) alertEvent(ctx context.Context, row store.NoticeRow, e store.EndpointView) (publish.Input, error) {
	a, err := n.Store.Alert(ctx, row.AccountID, row.AlertID)
	if err != nil {
		return publish.Input{}, err
	}
	state, by, reason := "opened", a.Opened, delivery.CloseReason("")
	var closedAt *catalog.Timestamp
	if row.Kind == delivery.AlertClosed {
		at := catalog.Timestamp(a.ClosedAt)
		state, by, reason, closedAt = "closed", a.Closed, a.Closed.Why(), &at
	}
	data, err := json.Marshal(catalog.EndpointAlertData{
		EndpointID: e.ID, URL: catalog.PublicURL(e.URL), Description: e.Description, AlertID: a.ID, Alert: string(a.Kind), State: state,
		Value: by.Value(), Threshold: float64(a.Threshold) / 100, WindowSeconds: int(by.Span / time.Second), Attempts: by.Attempts, Failed: by.Failed,
		OpenedAt: catalog.Timestamp(a.OpenedAt), ClosedAt: closedAt, ClosedReason: string(reason),
	})
	return publish.Input{ID: row.ID, Type: catalog.EndpointAlert, Data: data}, err
}

// logAlert says it to whoever reads the server's log.
func (n *Notifier) logAlert(row store.NoticeRow) {
	attrs := []any{slog.String("account_id", row.AccountID), slog.String("endpoint_id", row.EndpointID), slog.String("alert_id", row.AlertID)}
	if row.Kind == delivery.AlertClosed {
		n.Log.Info("alert closed", attrs...)
		return
	}
	n.Log.Warn("alert opened", attrs...)
}
