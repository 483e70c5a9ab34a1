// Package sqlstore keeps everything in SQL: SQLite inside the program by
// default, PostgreSQL when several nodes share one database. It implements the
// whole of store.Store for both with one SQL text; what differs for a reason
// (opening, locking, bulk writing, announcing) is in sqlite.go and postgres.go.
//
// It holds no rule: what an outcome means comes from delivery, and is written
// down here in the transaction that read what the rule needed. Only app opens it.
//
// Reads run on connections of their own. Publishing and recording go through the
// writer, which commits everything that is waiting in one transaction: batches
// form under load and a lone event is committed at once.
package sqlstore
