package store

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Watch is what the health watch lives on; the rule is delivery.Window's.
type Watch interface {
	// Troubled gives the endpoints at which an alert may open or close, of all accounts, in the order of
	// their ids: those that have trouble counted in a minute from `since` on and before `until`, and those
	// that have an open alert. An endpoint that is well costs nothing, however much is delivered to it.
	Troubled(ctx context.Context, since, until time.Time) ([]string, error)
	// Watched gives what some endpoints are judged by, in the order of their ids; deleted ones are left
	// out. Their open alerts are read before their minutes: an alert that another node opens or closes in between
	// was not known yet when the older of the two was read, so nobody judges an alert by what was counted before it changed.
	Watched(ctx context.Context, endpointIDs []string, from, until time.Time) ([]Watched, error)
	// OpenAlert adds an alert with its notice: both or neither. It answers false, and writes nothing, when
	// one of that kind is open at that endpoint, or the endpoint was deleted. Of nodes that do it at once
	// one is answered true.
	OpenAlert(ctx context.Context, a Alert) (bool, error)
	// CloseAlert ends an open alert as Closed, Reason and ClosedAt say, with its notice: both or neither. One that was
	// opened later, before the clock was put back, ends when it began; its notice is of ClosedAt. It answers
	// false, and writes nothing, when it is not open.
	CloseAlert(ctx context.Context, a Alert) (bool, error)
}

// Alerts reads what the watch found.
type Alerts interface {
	// Alert reads one, open or closed.
	Alert(ctx context.Context, accountID, id string) (Alert, error)
	// ListAlerts lists an account's, newest first.
	ListAlerts(ctx context.Context, accountID string, f AlertFilter, page Page) ([]Alert, string, error)
	// OpenAlerts gives those that are open at the endpoints named, oldest first.
	OpenAlerts(ctx context.Context, accountID string, endpointIDs []string) ([]Alert, error)
	// WatchedOf gives what Watched does of an account's endpoints.
	WatchedOf(ctx context.Context, accountID string, endpointIDs []string, from, until time.Time) ([]Watched, error)
	// SinceEnabled gives, for each of an account's endpoints, what came of it since it was enabled again, in one look.
	// Delivered is counted by minutes, before `until`: the first may have begun before. Dead are those that went to the dead letter
	// queue since and are there now, among the newest of it, as many as most: one that was sent
	// again is no longer dead.
	SinceEnabled(ctx context.Context, accountID string, endpointIDs []string, until time.Time, most int) (map[string]SinceEnabled, error)
}

// SinceEnabled is what came of an endpoint since it was enabled again.
type SinceEnabled struct{ Delivered, Dead int }

// Watched is an endpoint to be judged.
type Watched struct {
	AccountID  string
	EndpointID string
	EnabledAt  time.Time         // as of delivery.Endpoint
	Minutes    []delivery.Minute // oldest first; those without attempts may be left out
	Open       []Alert
}

// Alert is a time for which an endpoint was not well.
type Alert struct {
	ID         string // alt_...
	AccountID  string
	EndpointID string
	Kind       delivery.AlertKind
	Threshold  int              // percent of the attempts, when it was opened
	Opened     delivery.Reading // what it was opened by
	OpenedAt   time.Time
	Closed     delivery.Reading     // what it was closed by
	Reason     delivery.CloseReason // why it was closed; "" = it is open
	ClosedAt   time.Time            // zero = it is open
}

// AlertFilter narrows a list of alerts. Zero values do not filter.
type AlertFilter struct {
	EndpointID string
	Open       bool // only those that are open
}
