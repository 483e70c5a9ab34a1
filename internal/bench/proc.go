package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// clockTick is the unit of CPU times in /proc: a hundredth of a second on every
	// system that Go runs on (proc(5), USER_HZ).
	clockTick = 10 * time.Millisecond

	// memoryEvery is how often the memory of PostgreSQL is looked at: its many
	// processes keep no peak that could be read afterwards.
	memoryEvery = 200 * time.Millisecond
)

// process is a line of /proc/<pid>/stat.
type process struct {
	pid, parent int
	name        string
	cpu         time.Duration // its own, and that of its children that have ended
}

// processes reads all that run now.
func processes() ([]process, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(paths) == 0 {
		return nil, errors.New("read /proc: there is nothing: bench needs Linux")
	}
	all := make([]process, 0, len(paths))
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the list of processes: %w", err)
		}
		p, err := parseProcess(string(line))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// isGone reports whether a file of /proc could not be read because its process ended.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// parseProcess reads a line as proc(5) describes it. The name may hold anything,
// brackets and spaces too, so the fields are counted from the last bracket.
func parseProcess(line string) (process, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return process{}, errors.New("there is no name in it")
	}
	fields := strings.Fields(line[end+1:])
	const parentField, userField, childrenField = 1, 11, 14 // utime stime cutime cstime follow each other
	if len(fields) <= childrenField {
		return process{}, errors.New("it has too few fields")
	}
	p := process{name: line[open+1 : end]}
	var errs [6]error
	p.pid, errs[0] = strconv.Atoi(strings.TrimSpace(line[:open]))
	p.parent, errs[1] = strconv.Atoi(fields[parentField])
	for i := range 4 {
		ticks, err := strconv.ParseInt(fields[userField+i], 10, 64)
		p.cpu += time.Duration(ticks) * clockTick
		errs[2+i] = err
	}
	return p, errors.Join(errs[:]...)
}

// tree gives the process root and all below it.
func tree(all []process, root int) []process {
	below := map[int][]process{}
	var found []process
	for _, p := range all {
		below[p.parent] = append(below[p.parent], p)
		if p.pid == root {
			found = append(found, p)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, below[found[i].pid]...)
	}
	return found
}

// cpuOf gives the CPU time of a process and all below it, ended ones included. It
// never goes back, since a parent inherits the time of a child that ends.
func cpuOf(all []process, root int) time.Duration {
	var sum time.Duration
	for _, p := range tree(all, root) {
		sum += p.cpu
	}
	return sum
}

// childNamed finds the child of a process by the name of its program; 0 = none.
func childNamed(all []process, parent int, name string) int {
	for _, p := range all {
		if p.parent == parent && p.name == name {
			return p.pid
		}
	}
	return 0
}

// machineCPU gives the time that the processors of this machine have worked, for
// anybody. Time that a hypervisor took away counts as work: it is gone as well.
func machineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the load of the machine: %w", err)
	}
	return parseMachineCPU(string(text))
}

func parseMachineCPU(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal, then guests, who are in user
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, errors.New("read the load of the machine: /proc/stat does not begin with its sum")
	}
	var busy time.Duration
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the load of the machine: %w", err)
		}
		if idle := i == 3 || i == 4; !idle {
			busy += time.Duration(ticks) * clockTick
		}
	}
	return busy, nil
}

// peakMemory gives the most bytes that a process has had in memory.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the peak memory: %w", err)
	}
	return kilobytes(text, "VmHWM:")
}

// kilobytes finds a line such as "VmHWM:  1234 kB" and gives the bytes.
func kilobytes(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(value)), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s %w", name, err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("read %s there is no such line", name)
}

// memorySampler watches the memory of a process and all below it. What they share
// is counted once (Pss).
type memorySampler struct {
	stop context.CancelFunc
	done sync.WaitGroup
	peak int64 // read it only after end
	err  error
}

// watchMemory begins to look at root every memoryEvery. Root 0 has no memory.
func watchMemory(ctx context.Context, root int) *memorySampler {
	ctx, cancel := context.WithCancel(ctx)
	s := &memorySampler{stop: cancel}
	if root == 0 {
		return s
	}
	s.done.Go(func() {
		tick := time.NewTicker(memoryEvery)
		defer tick.Stop()
		for s.err == nil {
			s.err = s.look(root)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return s
}

func (s *memorySampler) look(root int) error {
	all, err := processes()
	if err != nil {
		return err
	}
	var sum int64
	for _, p := range tree(all, root) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if isGone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the memory of %s: %w", p.name, err)
		}
		bytes, err := kilobytes(text, "Pss:")
		if err != nil {
			continue // it is ending: the file is empty
		}
		sum += bytes
	}
	s.peak = max(s.peak, sum)
	return nil
}

// end stops looking and gives the most bytes that were seen.
func (s *memorySampler) end() (int64, error) {
	s.stop()
	s.done.Wait()
	return s.peak, s.err
}
