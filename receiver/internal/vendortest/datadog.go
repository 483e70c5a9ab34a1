package vendortest

import (
	"net/http"
	"sync"
	"testing"
)

// Datadog is a local server that answers as Datadog does when events are posted and
// listed by version 1 of its API (https://docs.datadoghq.com/api/latest/events/).
type Datadog struct {
	*Local
	APIKey, ApplicationKey string

	mu    sync.Mutex
	posts []DatadogPost
	held  bool
}

// NewDatadog starts a server that ends with the test.
func NewDatadog(t testing.TB) *Datadog {
	t.Helper()
	d := &Datadog{APIKey: "0123456789abcdef0123456789abcdef", ApplicationKey: "0123456789abcdef0123456789abcdef01234567"}
	d.Local = newLocal(t, "Datadog", rest(func() *Local { return d.Local }, map[string]call{
		"POST /api/v1/events": d.post,
		"GET /api/v1/events":  d.list,
	}, d.admit))
	return d
}

// admit checks the key of a request: https://docs.datadoghq.com/api/latest/authentication/
func (d *Datadog) admit(r *http.Request) (int, any) {
	if r.Header.Get("DD-API-KEY") != d.APIKey || r.URL.Query().Has("api_key") {
		return datadogErrors(http.StatusForbidden, "Forbidden")
	}
	return 0, nil
}
