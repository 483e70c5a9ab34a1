// Command bench measures the program on the machine it runs on: how many events
// a second it accepts and delivers, what a delivery costs in CPU time and
// memory, and how long one takes when there is little to do. Each figure stands
// beside the ceiling of the same run: a bare net/http client that posts signed
// bodies of the same size to the same receiver and stores nothing.
//
// Publishers, receiver and program are processes of their own, this binary in
// other roles, so that the CPU time of each is told apart. They share the
// machine and its loopback network. The program is as durable as an operator
// gets it: nothing is switched off for the measurement.
//
// Below the table, sections hold the program to what it promises: that endpoints
// which are not well do not slow others, that neither a backlog nor a long log makes
// work dearer or a start slow, and that it costs next to nothing when there is nothing to do.
//
// It publishes, receives, counts every event by its number, and ends with 1 when
// one was lost or came twice, or the program failed. It judges no figure: what is fast enough is for its
// reader to say. It reads /proc, so it needs Linux, and it touches no database and
// no server that it did not start.
//
//	go run ./internal/bench               all of it, about a quarter of an hour
//	go run ./internal/bench -big          with five million deliveries in the log, too
//	go run ./internal/bench -quick        the same with few events, two minutes
//	go run ./internal/bench -only sqlite  the rows and sections with "sqlite" in their names
//
// With PROFILE=1 in the environment it writes profiles of the program, which
// themselves cost a few per cent.
package main
