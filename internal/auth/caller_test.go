package auth_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/auth"
)

func TestWhatEachScopeAllows(t *testing.T) {
	t.Parallel()
	allowed := map[auth.Scope]auth.Scopes{
		auth.Publish: {auth.Publish},
		auth.Read:    {auth.Read},
		auth.Manage:  {auth.Read, auth.Manage},
		auth.Admin:   {auth.Publish, auth.Read, auth.Manage, auth.Admin},
	}
	for _, have := range auth.AllScopes() {
		for _, asked := range auth.AllScopes() {
			caller := auth.Caller{AccountID: "acc_1", Scopes: auth.Scopes{have}}
			if got, want := caller.Can(asked), slices.Contains(allowed[have], asked); got != want {
				t.Errorf("a caller with %s: Can(%s) = %t, want %t", have, asked, got, want)
			}
		}
	}
}

func TestACallerWithoutScopesMayDoNothing(t *testing.T) {
	t.Parallel()
	for _, asked := range append(auth.AllScopes(), "") {
		if (auth.Caller{AccountID: "acc_1"}).Can(asked) {
			t.Errorf("Can(%q) = true", asked)
		}
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		names []string
		want  auth.Scopes
		fails bool
	}{
		{"all", []string{"publish", "read", "manage", "admin"}, auth.AllScopes(), false},
		{"twice the same", []string{"read", "read"}, auth.Scopes{auth.Read}, false},
		{"capitals", []string{"Read"}, nil, true},
		{"unknown", []string{"read", "root"}, nil, true},
		{"empty", []string{""}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := auth.ParseScopes(tt.names)
			if (err != nil) != tt.fails {
				t.Fatalf("ParseScopes(%q): error %v, want one: %t", tt.names, err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseScopes(%q) (-want +got):\n%s", tt.names, diff)
			}
		})
	}
}
