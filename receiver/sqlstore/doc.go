// Package sqlstore keeps a receiver's events in SQLite or PostgreSQL: in a file or
// database of their own ([OpenSQLite], [OpenPostgres]), or beside the tables of the
// program that receives ([New]), whose handlers may then change those in the same
// transaction that marks an event as done.
//
// What it says is kept is on disk. Time is the database's: processes with different
// clocks share a database.
package sqlstore
