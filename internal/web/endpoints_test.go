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
		view.NextDue = time.Now().Add(-time.Second)
		if got := view.Refresh(); got != want {
			t.Errorf("with %q it looks again %q, want %q", query, got, want)
		}
	}
}
