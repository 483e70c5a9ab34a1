// Package dispatch is the loop that turns rows into requests: it claims due
// deliveries, keeps a lane for every endpoint that has work, hands each leased
// delivery to send, asks delivery what the outcome means and gives batches of
// outcomes back to the store.
//
// What it holds in memory is a copy: a crash loses leases, never deliveries. It
// decides nothing about a delivery (delivery does) and never speaks HTTP (send
// does). A lane's limits (concurrency, rate, spacing) concern that lane alone,
// so an endpoint that is slow, dead or flooded delays nobody else.
//
// An event that is published on a node with room in the lane is leased by the
// commit that accepts it: Reserve before, Hand after. Everything else waits on
// disk and is claimed, lane by lane, when it is due and the lane has room.
package dispatch
