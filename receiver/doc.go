// Package receiver makes a correct receiver of ComplianceLayer's webhooks the short
// way: [New] gives an [http.Handler] that verifies, keeps, deduplicates and works off
// events, and methods such as [Receiver.OnScanCompleted] say what is to be done with
// them.
//
// # Inbox, inline, in a transaction
//
// In inbox mode, the default, an event is kept durably in a [Store] before it is
// answered with 200. Workers, which [Receiver.Run] starts, hand it to its handler:
// three attempts with a growing pause, and what fails for good is kept and can be run
// again. In inline mode the handler runs within the request, under a deadline that
// ends before the sender's; its error is answered with 500, so that the sender comes
// back. In both, with [Config.InTx], the handler's own changes of the database and
// the mark that the event is done commit together.
//
// # What is promised
//
// A handler runs at least once for each event that was answered with 200. After a try
// that ended well it runs again only when that end is not known: the process died, or
// the end could not be written. [Event.Unsure] tells when an earlier try may have had
// its effect. With InTx its effect in the database
// happens exactly once. Events are the same when their id is; ids are known for seven
// days after they were done ([Config.KeepDone]), and what was received has no order.
//
// # Where it sits
//
// The package imports webhook, which checks signatures, and nothing else of the
// project. Stores are in sqlstore (SQLite, PostgreSQL) and memstore;
// storetest holds any store against the contract. What to do with events is in slack,
// pagerduty, jira and datadog; relay puts all of it into a program.
package receiver
