package catalog

import (
	"net/url"
	"time"
)

// LastAttempt says how the attempt ended that an operational event is about.
type LastAttempt struct {
	// DeliveryID is the decimal number that X-ComplianceLayer-Delivery carried.
	DeliveryID string `json:"delivery_id"`
	// Attempt counts from 1, as in X-ComplianceLayer-Attempt.
	Attempt int `json:"attempt"`
	// StatusCode is the HTTP status of the answer, 0 when none came.
	StatusCode int `json:"status_code,omitempty"`
	// ErrorClass is the class of the failure in one word.
	ErrorClass string `json:"error_class,omitempty"`
	// Hint says in plain words what went wrong and what to do. Of headers and bodies it quotes
	// nothing but where a redirect leads, without what may be secret in that.
	Hint string `json:"hint,omitempty"`
}

// EndpointDisabledData is the data of an endpoint.disabled event.
type EndpointDisabledData struct {
	EndpointID  string    `json:"endpoint_id"`
	URL         PublicURL `json:"url"`
	Description string    `json:"description"`
	// Reason is why it was disabled, in one word.
	Reason              string    `json:"reason"`
	ConsecutiveFailures int       `json:"consecutive_failures"`
	DisabledAt          Timestamp `json:"disabled_at"`
	// HeldCount is how many deliveries wait for the endpoint.
	HeldCount int `json:"held_count"`
	// LastAttempt is nil when no attempt led to it.
	LastAttempt *LastAttempt `json:"last_attempt,omitempty"`
}

// EndpointWarningData is the data of an endpoint.warning event.
type EndpointWarningData struct {
	EndpointID          string    `json:"endpoint_id"`
	URL                 PublicURL `json:"url"`
	Description         string    `json:"description"`
	ConsecutiveFailures int       `json:"consecutive_failures"`
	// DisableAfter is the number of consecutive failures that disables the endpoint.
	DisableAfter int          `json:"disable_after"`
	LastAttempt  *LastAttempt `json:"last_attempt,omitempty"`
}

// EndpointAlertData is the data of an endpoint.alert event.
type EndpointAlertData struct {
	EndpointID  string    `json:"endpoint_id"`
	URL         PublicURL `json:"url"`
	Description string    `json:"description"`
	// AlertID is the same in the event that opens an alert and the one that closes it.
	AlertID string `json:"alert_id"`
	// Alert is what the endpoint is watched for: failing, slow or retries.
	Alert string `json:"alert"`
	// State is opened or closed.
	State string `json:"state"`
	// Value is the share of the attempts of the window that were bad, 0 to 1.
	Value float64 `json:"value"`
	// Threshold is the share above which the alert opens.
	Threshold     float64 `json:"threshold"`
	WindowSeconds int     `json:"window_seconds"`
	// Attempts and Failed count the attempts of the window.
	Attempts int       `json:"attempts"`
	Failed   int       `json:"failed"`
	OpenedAt Timestamp `json:"opened_at"`
	// ClosedAt is nil when it opens.
	ClosedAt *Timestamp `json:"closed_at,omitempty"`
	// ClosedReason is well or no_attempts; empty when it opens.
	ClosedReason string `json:"closed_reason,omitempty"`
}

// DeliveryFailedData is the data of a delivery.failed event.
type DeliveryFailedData struct {
	DeliveryID string    `json:"delivery_id"`
	EventID    string    `json:"event_id"`
	EventType  string    `json:"event_type"`
	EndpointID string    `json:"endpoint_id"`
	URL        PublicURL `json:"url"`
	// Attempts is how many attempts were made, over all cycles of the delivery.
	Attempts    int          `json:"attempts"`
	LastAttempt *LastAttempt `json:"last_attempt,omitempty"`
}

// Timestamp is a time that JSON shows in UTC with exactly three decimals (contract section 4).
type Timestamp time.Time

// MarshalText implements [encoding.TextMarshaler].
func (t Timestamp) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// PublicURL is a URL that JSON shows without its user info, query and fragment, because people keep passwords and
// tokens there and operational events must never tell a secret. A URL that cannot be read is shown as the empty string.
type PublicURL string

// MarshalText implements [encoding.TextMarshaler].
func (u PublicURL) MarshalText() ([]byte, error) {
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Host == "" {
		return []byte{}, nil
	}
	public := url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path, RawPath: parsed.RawPath}
	return []byte(public.String()), nil
}
