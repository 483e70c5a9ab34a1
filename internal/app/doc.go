// Package app wires the program together: it opens what everything needs, starts
// the loops, serves the API and stops all of it in the right order.
//
// A tour of the code, following one event:
//
//   - api reads POST /v1/events, finds out who is calling (auth) and hands the
//     event to publish.
//   - publish checks it against its type (catalog), makes the exact bytes
//     (webhook), matches the endpoints that want it, asks dispatch which deliveries it can
//     begin with at once, and commits event and deliveries through store.
//   - store/sqlstore writes all that is waiting in one transaction, on SQLite or
//     PostgreSQL; only then is the event acknowledged.
//   - dispatch keeps a lane for every endpoint, claims what is due on disk, and
//     hands each leased delivery to send.
//   - send makes one signed request through egress, the only way out, and says what
//     happened; delivery, which is pure, decides what that means.
//   - dispatch gives batches of outcomes back to the store, which writes attempt,
//     delivery and the endpoint's health in one transaction.
//   - notify turns what was noticed on the way into operational events.
//
// manage holds everything that a person does: endpoints, secrets, tests, retries,
// keys. It is called by the API today and by the dashboard.
//
// app itself decides nothing about events or deliveries.
package app
