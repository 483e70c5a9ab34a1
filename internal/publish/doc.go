// Package publish accepts events: it checks an event against its type, makes
// the bytes that every attempt will send, finds the endpoints that want it and
// commits the event with all its deliveries. Only then is it acknowledged.
//
// It never sends anything and never waits for the answer of a receiver. While an
// endpoint that is well and quick cannot keep up, a call is held back for a
// moment (250 ms at the most, see Lanes.Admit), so that publishers who are faster
// than delivery fall back behind it.
//
// In the flow it stands between whoever has an event (the API, the monitor, notify)
// and the store; the dispatcher tells it which deliveries it can take over at once,
// so that the commit that accepts an event is also the claim of its first attempts.
package publish
