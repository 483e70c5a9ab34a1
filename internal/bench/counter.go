package main

import (
	"sync/atomic"
	"time"
)

// counter counts what arrives where events end, in one measurement after the other.
type counter struct {
	tally  atomic.Pointer[tally]
	strays atomic.Int64 // what no tally counts
}

// expectation says what is about to be published.
type expectation struct {
	Run    int `json:"run"`
	Events int `json:"events"`
}

// expect begins a new count.
func (c *counter) expect(e expectation) (struct{}, error) {
	c.strays.Store(0)
	c.tally.Store(newTally(e.Run, e.Events))
	return struct{}{}, nil
}

// wait returns when every event has arrived, or after limit.
func (c *counter) wait(limit time.Duration) (struct{}, error) {
	select {
	case <-c.tally.Load().all:
	case <-time.After(limit):
	}
	return struct{}{}, nil
}

// count says what has arrived until now.
func (c *counter) count(struct{}) (arrivals, error) {
	result := c.tally.Load().count()
	result.Strays = int(c.strays.Load())
	return result, nil
}

// take counts one event by its body.
func (c *counter) take(body []byte, now time.Time, retried bool) {
	m, ok := findMark(body)
	if t := c.tally.Load(); !ok || t == nil || !t.add(m, now, retried) {
		c.strays.Add(1)
	}
}
