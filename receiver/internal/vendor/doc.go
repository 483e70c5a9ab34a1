// Package vendor is what the integrations share: one bounded request to somebody
// else's API and what its end means for the event ([Client]), the one view of an event
// that all of them write from ([Data]), and texts that the user maps it with
// ([Template]).
//
// A client makes one try and never waits for another: pauses and retries are the
// inbox's, which reads the [receiver.Failure] that a try ends with. What a client says
// in errors holds no URL, no header and none of the secrets it was told of.
package vendor
