package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is one thing that a key permits (contract section 4, keys).
type Scope string

// The scopes.
const (
	Publish Scope = "publish" // publish events
	Read    Scope = "read"    // see everything of the account but secrets
	Manage  Scope = "manage"  // change everything of the account; includes Read
	Admin   Scope = "admin"   // everything, other accounts included; only in the default account
	People  Scope = "people"  // invite and remove members; comes with a role, and no key has it but by Admin
)

// Scopes are what a key or a person may do.
type Scopes []Scope

// AllScopes lists every scope that a key can have, the least powerful first.
func AllScopes() Scopes { return Scopes{Publish, Read, Manage, Admin} }

// ParseScopes reads names of scopes. The error names the first that there is not.
func ParseScopes(names []string) (Scopes, error) {
	scopes := make(Scopes, 0, len(names))
	for _, name := range names {
		s := Scope(name)
		if !slices.Contains(AllScopes(), s) {
			return nil, fmt.Errorf("%.40q is not a scope; use %s", name, AllScopes())
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// Allow reports whether the scopes include s: admin includes all others, and
// manage includes read.
func (ss Scopes) Allow(s Scope) bool {
	for _, have := range ss {
		if have == s || have == Admin || have == Manage && s == Read {
			return true
		}
	}
	return false
}

// Strings gives the names.
func (ss Scopes) Strings() []string {
	names := make([]string, len(ss))
	for i, s := range ss {
		names[i] = string(s)
	}
	return names
}

// String gives the names with commas between them.
func (ss Scopes) String() string { return strings.Join(ss.Strings(), ", ") }

// Caller is who asks for something, after they have shown who they are. The zero
// Caller may do nothing.
type Caller struct {
	AccountID string
	KeyID     string // "" when it is not a key that calls
	Role      Role   // "" when it is not a person who calls
	Actor     string // for the audit: a key id, a user id, "system" or "setup"
	From      string // for the audit: where a person calls from; "" = not known
	Scopes    Scopes
	ExpiresAt time.Time // of the key; zero = never
}

// Can reports whether the caller may do what s permits.
func (c Caller) Can(s Scope) bool { return c.Scopes.Allow(s) }
