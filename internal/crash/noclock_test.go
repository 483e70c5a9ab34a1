//go:build !clock

package crash_test

// clockTag is the build tag of this file's counterpart, if these tests have it.
const clockTag = ""

// faultsOfTheClock are none: to build a program whose clock can be set takes a minute.
func faultsOfTheClock() []fault { return nil }
