package auth

import (
	"slices"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Role is what a member of an account may do in the dashboard.
type Role string

// The roles, the most powerful first.
const (
	Owner         Role = "owner"     // everything, and who else is an owner
	Administrator Role = "admin"     // everything but owners
	Developer     Role = "developer" // endpoints, deliveries, events; no people
	Viewer        Role = "viewer"    // look
)

// Roles lists them, the most powerful first.
func Roles() []Role { return []Role{Owner, Administrator, Developer, Viewer} }

// IsRole reports whether there is such a role.
func IsRole(name string) bool { return slices.Contains(Roles(), Role(name)) }

// Scopes gives what the role permits in an account. Owners and admins of the default account are the
// operators, who may reach the others.
func (r Role) Scopes(accountID string) Scopes {
	switch r {
	case Owner, Administrator:
		scopes := Scopes{Publish, Read, Manage, People}
		if accountID == store.DefaultAccount {
			scopes = append(scopes, Admin)
		}
		return scopes
	case Developer:
		return Scopes{Publish, Read, Manage}
	case Viewer:
		return Scopes{Read}
	}
	return nil
}

// MakesOwners reports whether the caller may make somebody an owner, or change or remove one: an
// owner may, and a key that may everything.
func (c Caller) MakesOwners() bool {
	return c.Role == Owner || c.Role == "" && c.Can(Admin)
}

// Gives reports whether the caller may make keys of a scope: nobody gives more than they have. A key with manage also changes
// who is told of failures, which takes a role that includes people, or a developer could silence the owners by
// one; a key with admin makes owners.
func (c Caller) Gives(s Scope) bool {
	switch {
	case !c.Can(s):
		return false
	case s == Manage:
		return c.Role == "" || c.Can(People)
	case s == Admin:
		return c.MakesOwners()
	}
	return true
}
