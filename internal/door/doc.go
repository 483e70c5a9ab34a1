// Package door takes the connections of clients in. It answers the one call that has to cost
// next to nothing itself, the publishing of an event, and hands every other connection to
// net/http.
//
// What it answers itself is a request that could not be plainer: that method and path,
// HTTP/1.1, a Content-Length, every header once and of plain characters, nothing about
// encodings or upgrades, and all of it there within moments. The handler is the same
// one, with the same *http.Request. Anything else, be it an attack, a mistake or only unusual,
// goes to net/http from its first byte on, as if door had not been there; and so does
// what follows on its connection. So there is one reading of HTTP that has to be
// right about everything, and door only has to know what it does not know.
//
// It takes about half of net/http's time for a request, because it reads and writes once each, and
// starts no goroutine that waits for the client to leave. A handler is
// therefore not told when its client has gone: it must end by itself.
package door
