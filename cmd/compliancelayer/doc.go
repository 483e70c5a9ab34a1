// Command compliancelayer is the whole program: the server, and everything that
// is done to one from a terminal.
//
// It reads the command line, the environment and the settings file, calls
// internal/app for what happens in this process (serve, demo, migrate, backup) and the
// public client for what a server does, and prints what came of it. It holds no rules
// about events or deliveries: what it knows of them is what the API says. Its own
// connections go to the server, and those of listen to the one address that
// was named; everything that a server sends leaves through internal/egress.
//
// Every command is a struct in a file of its own, with a Run method. Results go to
// standard output; notes, progress and errors to standard error, so that a pipe
// sees results alone. Texts that came from elsewhere are printed without control
// characters. The exit status is 0 when it went well, 1 when not and 2 when
// the command line or a setting is wrong.
package main
