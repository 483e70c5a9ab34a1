package web

import (
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// It led to all deliveries of the endpoint, whatever the job had found.
func TestAJobLeadsToWhatItFound(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	filter := store.DeliveryFilter{EndpointID: "ep_1", Statuses: []delivery.Status{delivery.Failed}, Types: []string{"a.b"}, Class: delivery.ServerError, From: day, To: day.Add(time.Hour)}
	tests := []struct {
		name   string
		kind   store.JobKind
		filter store.DeliveryFilter
		want   string
	}{
		{"discarded", store.JobDiscard, filter, "/deliveries?cause=server_error&endpoint=ep_1&from=2026-11-27T09%3A00%3A00&status=discarded&to=2026-11-27T10%3A00%3A00&type=a.b"},
		{"retried, which changes status and cause", store.JobRetry, filter, "/deliveries?endpoint=ep_1&from=2026-11-27T09%3A00%3A00&to=2026-11-27T10%3A00%3A00&type=a.b"},
		{"of several types, of which the list takes one", store.JobRetry, store.DeliveryFilter{EventID: "evt_1", Types: []string{"a.b", "c.d"}}, "/deliveries?event=evt_1"},
		{"let go", store.JobRelease, store.DeliveryFilter{EndpointID: "ep_1"}, "/deliveries?endpoint=ep_1"},
		{"all", store.JobRetry, store.DeliveryFilter{}, "/deliveries"},
	}
	for _, tt := range tests {
		if got := (jobView{Job: store.Job{Kind: tt.kind, Filter: tt.filter}}).Log(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
