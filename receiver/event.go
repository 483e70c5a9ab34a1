package receiver

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is an event as a handler gets it. T is what its data is read into;
// [json.RawMessage] takes it as it is.
type Event[T any] struct {
	// ID is the event's id, the same however often it is sent: what duplicates are
	// found by.
	ID string
	// Type is the event's type, such as scan.completed.
	Type string
	// CreatedAt is when the sender accepted the event, in UTC. Order is not promised:
	// whoever keeps the state of something compares this time.
	CreatedAt time.Time
	// Data is what happened.
	Data T
	// Raw is the data as it was sent, Body all of it.
	Raw  json.RawMessage
	Body []byte
	// Test: somebody pressed Test at the sender. It is data.test of the event.
	Test bool
	// DeliveryID is the number of the delivery at the sender, which its log is
	// searched by; 0 when it was not told.
	DeliveryID int64
	// ReceivedAt is when the event came here, in UTC.
	ReceivedAt time.Time
	// Try counts the times that the handler's turn came for this event, from 1, those
	// included that did not end.
	Try int
	// Unsure: an earlier try may have had its effect, because its end is not known:
	// the process died, or the other side did not answer. A handler whose effect must
	// not happen twice looks first.
	Unsure bool
	// Tx is the transaction that the mark of this event's end commits with, when
	// [Config.InTx] is set; else it is nil. The handler neither commits it nor rolls
	// it back.
	Tx Tx
}

// ScanCompleted is the data of scan.completed: a domain scan ended well.
type ScanCompleted struct {
	ScanID         int64     `json:"scan_id"`
	JobID          int64     `json:"job_id"`
	Domain         string    `json:"domain"`
	Score          int       `json:"score"` // 0 is worst, 100 is best
	Grade          string    `json:"grade"` // a letter, perhaps with + or -
	IssuesCount    int       `json:"issues_count"`
	CriticalIssues int       `json:"critical_issues"`
	HighIssues     int       `json:"high_issues"`
	MediumIssues   int       `json:"medium_issues"`
	LowIssues      int       `json:"low_issues"`
	ScannedAt      time.Time `json:"scanned_at"`
	ScanDurationMS int64     `json:"scan_duration_ms"`
}

// AlertTriggered is the data of alert.triggered: an alert condition is met.
type AlertTriggered struct {
	AlertID   int64     `json:"alert_id"`
	AlertType string    `json:"alert_type"` // score_drop, critical_issue, cert_expired, cert_expiring_soon, config_change
	Severity  string    `json:"severity"`   // critical, high, medium, low, info
	Domain    string    `json:"domain"`
	Title     string    `json:"title"`
	Message   string    `json:"message"`
	OldValue  Value     `json:"old_value"`
	NewValue  Value     `json:"new_value"`
	Score     *int      `json:"score"` // nil when the domain has none
	Grade     string    `json:"grade"`
	CreatedAt time.Time `json:"created_at"`
}

// ScoreChanged is the data of score.changed: a domain's score moved.
type ScoreChanged struct {
	Domain   string `json:"domain"`
	OldValue Value  `json:"old_value"`
	NewValue Value  `json:"new_value"`
	Score    *int   `json:"score"`
	Grade    string `json:"grade"`
}

// DomainAdded is the data of domain.added.
type DomainAdded struct {
	Domain  string    `json:"domain"`
	AddedAt time.Time `json:"added_at"`
}

// DomainRemoved is the data of domain.removed.
type DomainRemoved struct {
	Domain    string    `json:"domain"`
	RemovedAt time.Time `json:"removed_at"`
}

// Test is the data of a test event. Type says which type it is a test of; of that
// type's data, anything may be missing.
type Test struct {
	Domain  string `json:"domain"`
	Score   *int   `json:"score"`
	Grade   string `json:"grade"`
	Message string `json:"message"`
}

// Value is a value that is sent as a text, a number, a truth value or null. It is
// written as a person would: 92, true; nothing for null.
type Value string

// UnmarshalJSON reads any scalar.
func (v *Value) UnmarshalJSON(raw []byte) error {
	var text string
	switch {
	case string(raw) == "null":
		*v = ""
		return nil
	case raw[0] == '{' || raw[0] == '[':
		return fmt.Errorf("a value must be a text, a number or a truth value")
	case raw[0] != '"':
		*v = Value(raw)
		return nil
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	*v = Value(text)
	return nil
}
