// Package store is the contract between the engine and its database: small role
// interfaces in the words of the domain, the sentinels they return and the
// filters and pages they take. It is mostly comments. It never opens a database
// and holds no rule: rules are in delivery, SQL is in sqlstore.
//
// Rows are the truth. Whatever a method acknowledges is committed and synced to
// disk before it returns; a method that returns an error has changed nothing,
// unless its comment says otherwise. Every method that takes an account id sees
// that account's rows only, and answers ErrNotFound for anybody else's.
//
// storetest holds the conformance suite: every sentence here that promises
// something has a case there, run on both engines.
package store
