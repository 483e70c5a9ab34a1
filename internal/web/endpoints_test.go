package web

import (
	"net/url"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// A page with a filter that little matches had the database look for a second, every two seconds.
func TestAnEndpointsPageLooksAgainOnlyWithoutAFilter(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{"": "every 2s", "endpoint=ep_1": "every 2s", "status=failed": "", "type=a.b": "", "cause=reset": ""} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		view := endpointView{endpointRow: endpointRow{Endpoint: manage.Endpoint{}}, Form: Form{Values: values}}
		view.Waiting, view.NextDue = 1, time.Now().Add(-time.Second)
		if got := view.Refresh(); got != want {
			t.Errorf("with %q it looks again %q, want %q", query, got, want)
		}
	}
}

// The end of a lease was shown as the next attempt.
func TestAnEndpointsPageLooksAgainWhileSomethingIsBeingSent(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Minute)
	tests := []struct {
		name    string
		waiting int
		next    time.Time
		sends   bool
		again   string
	}{
		{"nothing waits", 0, time.Time{}, false, ""},
		{"one is being sent", 1, time.Time{}, true, "every 2s"},
		{"one waits", 1, soon, false, "due"},
	}
	for _, tt := range tests {
		view := endpointView{Form: Form{Values: url.Values{}}}
		view.Waiting, view.NextDue = tt.waiting, tt.next
		if view.OnlySends() != tt.sends || view.Refresh() != tt.again {
			t.Errorf("%s: being sent %t, looks again %q; want %t, %q", tt.name, view.OnlySends(), view.Refresh(), tt.sends, tt.again)
		}
	}
}
