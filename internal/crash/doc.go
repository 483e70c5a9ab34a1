// Package crash holds tests that hurt the running program: they start it as a
// process of its own, publish to it from outside, kill -9, stop or freeze it in the
// middle, start it again, and account for every event that it had acknowledged.
//
// The promises that are tested here need a process that really
// dies: an acknowledged event is on disk; nothing leaves unlogged; a second copy
// follows only an attempt whose end is unknown; a node that dies or freezes holds
// nobody up and overwrites nothing when it wakes; secrets are in no log.
//
// With the build tag failpoints they also kill at every place that the source names by
// failpoint.Hit, and fail when no process has died at one of them.
//
// With the build tag clock they build a program whose clock can be set while it runs, and
// set it forward and back by hours.
//
// The package is its tests. It never looks into the program: it speaks the public
// API, plays the receivers, and reads the tables after the fact.
package crash
