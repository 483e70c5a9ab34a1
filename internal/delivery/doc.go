// Package delivery holds the rules: what a delivery is, what an outcome on
// the wire means for it, when the next attempt is due, and when an endpoint is
// narrowed, warned about or disabled.
//
// It is pure. It never reads a clock, draws a random number, logs or does I/O:
// time and chance arrive as parameters, so that every rule of contract section 2
// can be tested over its whole domain. It imports nothing of this project.
//
// In the flow it sits in the middle: dispatch makes an attempt through send,
// asks Decide what the outcome means, and the store writes the answer down and
// applies Health.After to the endpoint in the same transaction.
package delivery
