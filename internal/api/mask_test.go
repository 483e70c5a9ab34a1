package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestHeadersThatLookSecret(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"Authorization": true, "Cookie": true, "X-Api-Key": true, "X-TOKEN": true, "My-Secret": true, "db-password": true,
		"X-Auth-User": true, "Proxy-Authenticate": true, "X-Tenant": false, "Accept": false, "X-ComplianceLayer-Signature": false,
	}
	for name, want := range tests {
		if got := (delivery.Header{Name: name}).Hidden(); got != want {
			t.Errorf("header %q hidden = %t, want %t", name, got, want)
		}
	}
}

// TestSecretHeadersAreNeverAnswered follows the value of a header through every call
// that renders endpoints and attempts, and through changes with the mask.
func TestSecretHeadersAreNeverAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, ctx := w.user(), t.Context()
	e := must(c.CreateEndpoint(ctx, client.NewEndpoint{URL: "https://example.com/hooks", Events: []string{"*"}, Headers: []client.Header{
		{Name: "Authorization", Value: "Bearer planted-secret"}, {Name: "X-Tenant", Value: "seven"},
	}}))(t)
	masked := []client.Header{{Name: "Authorization", Value: client.Mask}, {Name: "X-Tenant", Value: "seven"}}
	if diff := cmp.Diff(masked, e.Headers); diff != "" {
		t.Errorf("headers of the new endpoint (-want +got):\n%s", diff)
	}
	changed := must(c.UpdateEndpoint(ctx, e.ID, client.EndpointPatch{Headers: &[]client.Header{
		{Name: "authorization", Value: client.Mask}, {Name: "X-Tenant", Value: "eight"},
	}}))(t)
	if changed.Headers[0].Value != client.Mask || changed.Headers[1].Value != "eight" {
		t.Errorf("headers after a change: %+v", changed.Headers)
	}
	owner := auth.Caller{AccountID: w.other, Scopes: auth.Scopes{auth.Read}}
	stored := must(w.Manager.Endpoint(ctx, owner, e.ID))(t).Headers
	want := []delivery.Header{{Name: "authorization", Value: "Bearer planted-secret"}, {Name: "X-Tenant", Value: "eight"}}
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Errorf("stored headers: the mask must keep the value (-want +got):\n%s", diff)
	}
	_, err := c.UpdateEndpoint(ctx, e.ID, client.EndpointPatch{Headers: &[]client.Header{{Name: "X-Other-Key", Value: client.Mask}}})
	if got := refused(t, err); got.Code != client.CodeValidation || got.Fields[0].Name != "headers[0].value" {
		t.Errorf("the mask for a header that is not stored: got %+v", got)
	}

	id := number(w.deliveries(w.other, e.ID, 1, delivery.ServerError)[0].Deliveries[0].ID)
	key := w.key(w.other, auth.Manage)
	for _, call := range [][2]string{
		{http.MethodGet, "/v1/endpoints"}, {http.MethodGet, "/v1/endpoints/" + e.ID}, {http.MethodGet, "/v1/deliveries/" + id},
		{http.MethodGet, "/v1/deliveries/" + id + "/attempts/1"}, {http.MethodPost, "/v1/endpoints/" + e.ID + "/test"},
		{http.MethodPost, "/v1/endpoints/" + e.ID + "/disable"}, {http.MethodPost, "/v1/endpoints/" + e.ID + "/enable"}, {http.MethodGet, "/v1/audit"},
	} {
		res, body := w.do(call[0], call[1], key, "")
		if res.StatusCode != http.StatusOK || strings.Contains(body, "planted-secret") || strings.Contains(body, e.Secret) {
			t.Errorf("%s %s: got %d %s; want 200 without the header's value and the signing secret", call[0], call[1], res.StatusCode, body)
		}
	}
}
