// Package catalog knows what kinds of events there are and what their data looks like: the built-in types with their
// JSON Schemas and samples, the rules for names and for the patterns that endpoints subscribe with, and the check of
// an event's data against its schema.
//
// It never stores, sends or fetches anything, has no clock, and never changes the bytes that it checks: a number that
// does not fit into 64 bits leaves as it came.
//
// In the flow it stands at the door. Package publish asks it whether the data of an event is fit for its type and
// which endpoints want the type; package manage asks it when an account registers a type of its own; the API, the
// dashboard and the command line show its descriptions, schemas and samples.
//
// A check of data has up to three steps, and most events need only the first two: [document] reads the bytes once and
// refuses what two JSON readers could understand differently; [quick] accepts what is plainly right without building
// values; the JSON Schema library decides the rest and finds every mistake, which explain puts into words. Accounts
// write schemas and data, so all of it has limits: cost finds at registration what a schema can ask for at most, work
// compares that with the data, and turns bounds how much memory all of it takes at once.
package catalog
