package catalog

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// The samples of operational types are what the engine's structs look like, byte for byte.
func TestOperationalStructsWriteTheSamples(t *testing.T) {
	t.Parallel()
	// Another zone and more decimals than the contract shows.
	at := time.Date(2026, 3, 8, 13, 34, 56, 789_999_999, time.FixedZone("CET", 3600))
	const url = "https://user:secret@api.example.com/webhooks/compliancelayer?token=secret#secret"
	tests := map[string]any{
		EndpointDisabled: EndpointDisabledData{
			EndpointID: "ep_2f9c81d04b7e", URL: url, Description: "Ticket system", Reason: "consecutive_failures",
			ConsecutiveFailures: 10, DisabledAt: Timestamp(at), HeldCount: 3,
			LastAttempt: &LastAttempt{
				DeliveryID: "12345", Attempt: 4, StatusCode: 503, ErrorClass: "server_error",
				Hint: "The endpoint answered 503: its server is overloaded or down. Test it, then enable it again.",
			},
		},
		EndpointWarning: EndpointWarningData{
			EndpointID: "ep_2f9c81d04b7e", URL: url, Description: "Ticket system", ConsecutiveFailures: 5, DisableAfter: 10,
			LastAttempt: &LastAttempt{
				DeliveryID: "12345", Attempt: 2, ErrorClass: "response_timeout",
				Hint: "The endpoint did not answer within 30 s. Answer first and work afterwards.",
			},
		},
		EndpointAlert: EndpointAlertData{
			EndpointID: "ep_2f9c81d04b7e", URL: url, Description: "Ticket system", AlertID: "alt_5w2q7n3k6c4d", Alert: "failing", State: "opened",
			Value: 0.15, Threshold: 0.1, WindowSeconds: 3600, Attempts: 120, Failed: 18, OpenedAt: Timestamp(at),
		},
		DeliveryFailed: DeliveryFailedData{
			DeliveryID: "12345", EventID: "550e8400-e29b-41d4-a716-446655440000", EventType: "scan.completed",
			EndpointID: "ep_2f9c81d04b7e", URL: url, Attempts: 6,
			LastAttempt: &LastAttempt{
				DeliveryID: "12345", Attempt: 6, StatusCode: 500, ErrorClass: "server_error",
				Hint: "The endpoint answered 500: look into its log, repair it, then retry the delivery.",
			},
		},
	}
	for name, data := range tests {
		got, err := json.Marshal(data)
		if want := string(builtin(t, name).Sample); err != nil || string(got) != want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
		}
	}
}

func TestTheDataOfAnyAlertIsValid(t *testing.T) {
	t.Parallel()
	v := compiled(t, EndpointAlert)
	closed := Timestamp(time.Date(2026, 3, 8, 13, 34, 56, 0, time.UTC))
	for _, kind := range delivery.AlertKinds() {
		for _, data := range []EndpointAlertData{
			{EndpointID: "ep_1", AlertID: "alt_1", Alert: string(kind), State: "opened", Value: 1.0 / 3, Threshold: float64(kind.Threshold()) / 100, WindowSeconds: 3600, Attempts: 21, Failed: 7},
			{EndpointID: "ep_1", AlertID: "alt_1", Alert: string(kind), State: "closed", ClosedAt: &closed, ClosedReason: string(delivery.ClosedWell)},
			{EndpointID: "ep_1", AlertID: "alt_1", Alert: string(kind), State: "closed", ClosedAt: &closed, ClosedReason: string(delivery.ClosedNoAttempts)},
		} {
			text, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Validate(text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

func TestSamplesNamedClassesThatDoNotExist(t *testing.T) {
	t.Parallel()
	for _, name := range []string{EndpointDisabled, EndpointWarning, DeliveryFailed} {
		var sample struct {
			Last struct {
				StatusCode int            `json:"status_code"`
				Class      delivery.Class `json:"error_class"`
			} `json:"last_attempt"`
		}
		if err := json.Unmarshal(builtin(t, name).Sample, &sample); err != nil {
			t.Fatal(err)
		}
		last := sample.Last
		if !slices.Contains(delivery.Classes(), last.Class) {
			t.Errorf("%s: there is no class %q", name, last.Class)
		}
		if last.StatusCode != 0 && delivery.ClassOf(last.StatusCode) != last.Class {
			t.Errorf("%s: class %q does not belong to status %d", name, last.Class, last.StatusCode)
		}
	}
}

// TestStatusOfAReceiverMadeOurEventInvalid goes over what net/http takes for a status:
// any number in three characters over HTTP/1.1, any number at all over HTTP/2.
func TestStatusOfAReceiverMadeOurEventInvalid(t *testing.T) {
	t.Parallel()
	statuses := []int{math.MinInt64, -1, 1000, 65536, math.MaxInt64}
	for code := range 1000 {
		statuses = append(statuses, code)
	}
	for _, name := range []string{EndpointDisabled, EndpointWarning, DeliveryFailed} {
		v := compiled(t, name)
		for _, code := range statuses {
			last := &LastAttempt{DeliveryID: "1", Attempt: 1, StatusCode: code}
			text, err := json.Marshal(map[string]any{
				EndpointDisabled: EndpointDisabledData{EndpointID: "ep_1", Reason: "manual", LastAttempt: last},
				EndpointWarning:  EndpointWarningData{EndpointID: "ep_1", DisableAfter: 10, LastAttempt: last},
				DeliveryFailed:   DeliveryFailedData{DeliveryID: "1", EventID: "e", EventType: "scan.completed", EndpointID: "ep_1", LastAttempt: last},
			}[name])
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Validate(text); err != nil {
				t.Errorf("%s: %s: %v", name, text, err)
			}
		}
	}
}

func TestOperationalDataWithoutAnAttemptIsValid(t *testing.T) {
	t.Parallel()
	tests := map[string]any{
		EndpointDisabled: EndpointDisabledData{EndpointID: "ep_1", Reason: "manual"},
		EndpointWarning:  EndpointWarningData{EndpointID: "ep_1", DisableAfter: 10},
		DeliveryFailed:   DeliveryFailedData{DeliveryID: "1", EventID: "e", EventType: "scan.completed", EndpointID: "ep_1"},
	}
	for name, data := range tests {
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled(t, name).Validate(text); err != nil {
			t.Errorf("%s: %s: %v", name, text, err)
		}
	}
}

func TestPublicURLTellsNoSecret(t *testing.T) {
	t.Parallel()
	tests := []struct{ url, want string }{
		{"https://api.example.com/hooks", "https://api.example.com/hooks"},
		{"https://token@api.example.com:8443/a%2Fb?key=1&x#y", "https://api.example.com:8443/a%2Fb"},
		{"https://api.example.com", "https://api.example.com"},
		{"https://user:pass word@exa mple.com/?k=secret", ""},
		{"secret", ""},
		{"", ""},
	}
	for _, tt := range tests {
		got, err := PublicURL(tt.url).MarshalText()
		if err != nil || string(got) != tt.want {
			t.Errorf("PublicURL(%q) = %q, %v; want %q", tt.url, got, err, tt.want)
		}
	}
}
