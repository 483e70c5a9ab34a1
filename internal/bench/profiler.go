package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
)

// profiler writes profiles of its own process.
type profiler struct {
	cpu *os.File // the profile that is being written
}

// profile begins a CPU profile in a file.
func (p *profiler) profile(path string) (_ struct{}, err error) {
	if p.cpu, err = os.Create(path); err != nil {
		return struct{}{}, fmt.Errorf("begin a profile: %w", err)
	}
	return struct{}{}, pprof.StartCPUProfile(p.cpu)
}

// writeProfile ends the CPU profile and writes one of the memory.
func (p *profiler) writeProfile(path string) (_ struct{}, err error) {
	pprof.StopCPUProfile()
	memory, err := os.Create(path)
	if err != nil {
		return struct{}{}, fmt.Errorf("write a profile: %w", err)
	}
	return struct{}{}, errors.Join(p.cpu.Close(), pprof.Lookup("heap").WriteTo(memory, 0), memory.Close())
}
