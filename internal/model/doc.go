// Package model drives the engine through random histories beside a small model of
// what was promised, and checks after every step that nothing promised is broken. It has tests only.
//
// What is real: publish.Publisher, manage.Manager, dispatch.Dispatcher with all its loops, the
// signing of send.Sender, and sqlstore on a SQLite file and on PostgreSQL. What is not:
// the time, which passes only in the bubble of testing/synctest that each history runs in; the
// database server's clock, which a history can put forward and back; and the network beyond
// the signature: a request ends in a receiver of the test, which answers as the history says. A node that is
// killed is cut off from its store in the middle; what it would still have written is kept, and may
// come late. On SQLite the file is then opened anew, as by the next process.
//
// PostgreSQL is reached over real sockets. Time in the bubble stands still while an
// answer is on its way, because waiting for the network does not count as being idle there.
//
// A history is a list of steps that rapid draws and, when one fails, makes shorter. Every
// check names the invariant that it is; the table is in invariant_test.go.
package model
