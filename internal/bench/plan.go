package main

import (
	"fmt"
	"time"
)

const (
	// ceilingConnections is how many connections the bare client and the harness use:
	// more gain nothing on two cores.
	ceilingConnections = 64

	// batchSize and batchPublishers make the rows with batches: 800 events are on
	// their way at a time, so that the calls and not the waiting are measured.
	batchSize       = 100
	batchPublishers = 8

	// lightRate is far below what the program can do: its rows are about latency.
	lightRate = 50

	manyEndpoints = 100
)

// row is one line of the table.
type row struct {
	name  string // for -only and for the files of profiles
	title string
	load  load
	// database is what the program stores in; "" = there is no program in this row.
	database  string
	endpoints int
	warmUp    int // events before the measured ones, for connections, caches and statements
}

// plan lists all rows. The ceiling is the first, because the others are compared to it.
func plan(opts options) []row {
	direct := load{Via: viaNetHTTP, Events: opts.events, Types: eventTypes(1), Connections: ceilingConnections}
	rows := []row{{name: "ceiling", title: "net/http client alone, the ceiling", load: direct}}
	direct.Via = viaNothing
	rows = append(rows, row{name: "harness", title: "publishers and receiver alone", load: direct})
	for _, database := range []string{sqlite, postgres} {
		for _, endpoints := range []int{1, manyEndpoints} {
			rows = append(rows, fullSpeed(database, endpoints, opts.events)...)
		}
	}
	for _, database := range []string{sqlite, postgres} {
		rows = append(rows, light(database, opts.light))
	}
	for i := range rows {
		if rows[i].warmUp == 0 {
			rows[i].warmUp = max(opts.events/5, 1)
		}
	}
	return rows
}

// fullSpeed makes the rows in which publishers never pause.
func fullSpeed(database string, endpoints, events int) []row {
	where := fmt.Sprintf("%s, %d endpoint", title(database), endpoints)
	if endpoints > 1 {
		where += "s"
	}
	var rows []row
	for _, publishers := range []int{64, 256} {
		rows = append(rows, row{
			name:  fmt.Sprintf("%s-%d-%d", database, endpoints, publishers),
			title: fmt.Sprintf("%s, %d publishers", where, publishers),
			load:  load{Via: viaProgram, Events: events, Types: eventTypes(endpoints), Connections: publishers}, database: database, endpoints: endpoints,
		})
	}
	return append(rows, row{
		name: fmt.Sprintf("%s-%d-batch", database, endpoints), title: fmt.Sprintf("%s, %d publish batches of %d", where, batchPublishers, batchSize),
		load:     load{Via: viaProgram, Events: events, Types: eventTypes(endpoints), Connections: batchPublishers, Batch: batchSize},
		database: database, endpoints: endpoints,
	})
}

// light makes the row in which there is little to do.
func light(database string, takes time.Duration) row {
	return row{
		name: database + "-light", title: fmt.Sprintf("%s, 1 endpoint, %d events/s", title(database), lightRate),
		load: load{
			Via: viaProgram, Events: int(takes.Seconds() * lightRate), Types: eventTypes(1),
			Connections: ceilingConnections, Rate: lightRate,
		},
		database: database, endpoints: 1, warmUp: 2 * lightRate,
	}
}

// title names a database for people.
func title(database string) string {
	if database == postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}
