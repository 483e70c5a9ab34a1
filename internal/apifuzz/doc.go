// Package apifuzz holds the tests that send the running program requests which nobody
// wrote: made by chance from the OpenAPI document that it serves itself, whole and
// broken in every way that the makers could think of, by several accounts at once.
//
// Whatever is asked, the answer must be one that the document promises, never a
// fault of the server's; it has nothing of another account's; and it has no secret, but
// for the one that it makes.
//
// The package is its tests.
package apifuzz
