//go:build !linux && !darwin

package main

import "errors"

// freeDisk is not known on this system.
func freeDisk(string) (int64, error) { return 0, errors.New("not on this system") }
