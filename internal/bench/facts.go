package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// facts are what the figures depend on beside the program. What cannot be found
// out is empty.
type facts struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryGiB  float64 `json:"memory_gib"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"file_system"` // of the databases
	Go         string  `json:"go"`
	Commit     string  `json:"commit"` // of the working folder; ends in -dirty when it was changed since
}

// machineFacts looks around; dir is where the databases are.
func machineFacts(ctx context.Context, dir string) facts {
	f := facts{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: runtime.GOARCH}
	if model := fact("/proc/cpuinfo", "model name"); model != "" {
		f.CPU = model
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if bytes, err := kilobytes(text, "MemTotal:"); err == nil {
			f.MemoryGiB = float64(bytes) / (1 << 30)
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		f.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/mounts"); err == nil {
		f.FileSystem = fileSystem(string(text), dir)
	}
	// Without optional locks git changes nothing, not even its index.
	if text, err := exec.CommandContext(ctx, "git", "--no-optional-locks", "describe", "--always", "--dirty").Output(); err == nil {
		f.Commit = strings.TrimSpace(string(text))
	}
	return f
}

// fact finds the first line "name : value" of a file.
func fact(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem names the kind of file system that dir is on, from a list as
// /proc/mounts has it: device, folder, kind.
func fileSystem(mounts, dir string) (kind string) {
	longest := -1
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < longest {
			continue
		}
		if inside, err := filepath.Rel(fields[1], dir); err == nil && inside != ".." && !strings.HasPrefix(inside, "../") {
			longest, kind = len(fields[1]), fields[2]
		}
	}
	return kind
}

// String is the line above the table.
func (f facts) String() string {
	text := fmt.Sprintf("%s, %d cores, %.0f GiB, Linux %s, databases on %s, %s", f.CPU, f.Cores, f.MemoryGiB, f.Kernel, f.FileSystem, f.Go)
	if f.Commit != "" {
		text += ", commit " + f.Commit
	}
	if f.FileSystem == "tmpfs" {
		text += "\nThe databases are in memory, where a sync costs nothing: choose a folder on a disk with -dir."
	}
	return text
}
