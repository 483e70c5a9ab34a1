// Package issuer speaks OpenID Connect with the one issuer that an operator may have set: it begins a single
// sign-on, and says who came back from it.
//
// It never decides who that is here, or what they may do: auth and manage do. It keeps nothing in the database: what
// must be known when somebody comes back is sealed in a ticket, which their browser holds, so that they may come back
// to another node. In the flow it stands beside auth: web sends a visitor out with Begin, and hands what they bring
// back to Finish.
package issuer
