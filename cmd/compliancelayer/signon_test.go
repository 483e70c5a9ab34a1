package main

import (
	"errors"
	"strings"
	"testing"
)

func TestSettingsOfSingleSignOn(t *testing.T) {
	t.Parallel()
	whole := []string{"--oidc-issuer", "https://issuer.example.com/", "--oidc-client-id", "hooks", "--oidc-client-secret", "planted-secret"}
	tests := []struct {
		name string
		args []string
		want string // of the error; "" = none
	}{
		{"none", nil, ""},
		{"all", append([]string{"--public-url", "https://hooks.example.com/"}, whole...), ""},
		{"without a public address", whole, ""},
		{"no issuer", whole[2:], "--oidc-issuer: is missing"},
		{"no client", append(whole[:2:2], whole[4:]...), "--oidc-client-id: is missing"},
		{"no secret", whole[:4], "--oidc-client-secret: is missing, and single sign-on needs it beside --oidc-client-id (COMPLIANCELAYER_OIDC_CLIENT_SECRET)"},
		{"an issuer without https", append(whole[2:6:6], "--oidc-issuer", "http://issuer.example.com"), "--oidc-issuer: "},
		{"an issuer on this machine", append(whole[2:6:6], "--oidc-issuer", "http://localhost:9000"), "--oidc-issuer: "},
		{"an issuer on this machine, for development", append(whole[2:6:6], "--oidc-issuer", "http://localhost:9000", "--dev"), ""},
		{"an issuer with a password", append(whole[2:6:6], "--oidc-issuer", "https://zoe:pw@issuer.example.com"), "--oidc-issuer: "},
		{"no name", append(whole[:6:6], "--oidc-name", ""), "--oidc-name: "},
		{"a long name", append(whole[:6:6], "--oidc-name", strings.Repeat("n", 41)), "--oidc-name: "},
		{"a public address with a path", []string{"--public-url", "https://example.com/hooks"}, "--public-url: write scheme and host alone"},
		{"a public address that is none", []string{"--public-url", "hooks.example.com"}, "--public-url: write scheme and host alone"},
		{"a public address that no cookie is kept for", []string{"--public-url", "http://hooks.example.com"}, "--public-url: must be https"},
		{"a public address on this machine", []string{"--public-url", "http://localhost:8080"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g, err := parsed(t, "", append([]string{"serve"}, tt.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = g.Serve.config()
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var usage *usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "planted-secret") {
				t.Errorf("got %v, want a usage error that says %q", err, tt.want)
			}
		})
	}
}
