package main

import (
	"bytes"
	"time"
)

// mark is what an event says about itself, for the receiver to know it by.
type mark struct {
	run  int       // which measurement it belongs to
	seq  int       // its number there, from 0
	sent time.Time // when its publishing call began
}

// A mark is a JSON member of fixed width inside the data of an event, so that
// publishers can write it over the one before: run, number and nanoseconds.
const (
	markMember = `"mark":"`
	runDigits  = 4
	seqDigits  = 8
	timeDigits = 19 // nanoseconds since 1970, until the year 2286
	markBytes  = runDigits + 1 + seqDigits + 1 + timeDigits

	// maxEvents is the most events of one measurement.
	maxEvents = 10_000_000
)

// put writes the mark over the markBytes bytes at b.
func (m mark) put(b []byte) {
	putDigits(b[:runDigits], int64(m.run))
	b[runDigits] = '-'
	b = b[runDigits+1:]
	putDigits(b[:seqDigits], int64(m.seq))
	b[seqDigits] = '-'
	putDigits(b[seqDigits+1:][:timeDigits], m.sent.UnixNano())
}

// putDigits fills b with the last decimal digits of n.
func putDigits(b []byte, n int64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// findMark reads the mark of a delivered body. It reports false when there is none.
func findMark(body []byte) (mark, bool) {
	at := markAt(body)
	if at < 0 || len(body) < at+markBytes {
		return mark{}, false
	}
	b := body[at : at+markBytes]
	run, runOK := digits(b[:runDigits])
	seq, seqOK := digits(b[runDigits+1:][:seqDigits])
	sent, sentOK := digits(b[runDigits+1+seqDigits+1:])
	return mark{run: int(run), seq: int(seq), sent: time.Unix(0, sent)}, runOK && seqOK && sentOK
}

// markAt gives where the digits of the mark in b begin, -1 for nowhere.
func markAt(b []byte) int {
	at := bytes.Index(b, []byte(markMember))
	if at < 0 {
		return -1
	}
	return at + len(markMember)
}

// digits reads b as a decimal number without a sign.
func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}
