package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseProcess(t *testing.T) {
	t.Parallel()
	const rest = " S 41 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 200"
	tests := []struct {
		name string
		line string
		want process // zero = an error
	}{
		{"plain", "42 (postgres)" + rest, process{pid: 42, parent: 41, name: "postgres", cpu: 260 * time.Millisecond}},
		{"a name with brackets and spaces", "42 (a) b (c)" + rest, process{pid: 42, parent: 41, name: "a) b (c", cpu: 260 * time.Millisecond}},
		{"no name", "42 postgres" + rest, process{}},
		{"cut off", "42 (postgres) S 41 42", process{}},
		{"a time that is no number", "42 (postgres) S 41 42 42 0 -1 4194560 1 2 3 4 x 6 7 8 20", process{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseProcess(tt.line)
			if fails := tt.want == (process{}); fails != (err != nil) {
				t.Fatalf("parseProcess(%q): error %v, want one: %v", tt.line, err, fails)
			}
			if err == nil && got != tt.want {
				t.Errorf("parseProcess(%q) = %+v, want %+v", tt.line, got, tt.want)
			}
		})
	}
}

func TestATreeIsARootWithAllBelowIt(t *testing.T) {
	t.Parallel()
	all := []process{
		{pid: 9, parent: 5, name: "grandchild", cpu: 4},
		{pid: 1, parent: 0, name: "init", cpu: 1000},
		{pid: 5, parent: 2, name: "child", cpu: 2},
		{pid: 2, parent: 1, name: "root", cpu: 1},
		{pid: 6, parent: 1, name: "stranger", cpu: 100},
	}
	if got := cpuOf(all, 2); got != 7 {
		t.Errorf("cpuOf = %d, want 7: root, child and grandchild", got)
	}
	if got := cpuOf(all, 0); got != 0 {
		t.Errorf("cpuOf(0) = %d, want 0: there is no such process", got)
	}
	if got := childNamed(all, 2, "child"); got != 5 {
		t.Errorf("childNamed = %d, want 5", got)
	}
	if got := childNamed(all, 2, "grandchild"); got != 0 {
		t.Errorf("childNamed of a grandchild = %d, want 0", got)
	}
}

func TestParseMachineCPU(t *testing.T) {
	t.Parallel()
	got, err := parseMachineCPU("cpu  1 2 4 1000 1000 8 16 32 64 64\ncpu0 1 1 1 1 1 1 1 1\n")
	if want := 630 * time.Millisecond; err != nil || got != want {
		t.Errorf("parseMachineCPU = %s, %v; want %s: all but idle, iowait and guests", got, err, want)
	}
	for _, text := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 x 7 8"} {
		if _, err := parseMachineCPU(text); err == nil {
			t.Errorf("parseMachineCPU(%q): no error", text)
		}
	}
}

func TestKilobytes(t *testing.T) {
	t.Parallel()
	const text = "VmPeak:\t  900 kB\nVmHWM:\t  12 kB\nPss:  3 kB\nPss_Dirty: 1 kB\n"
	for name, want := range map[string]int64{"VmHWM:": 12 << 10, "Pss:": 3 << 10} {
		if got, err := kilobytes([]byte(text), name); err != nil || got != want {
			t.Errorf("kilobytes(%s) = %d, %v; want %d", name, got, err, want)
		}
	}
	if _, err := kilobytes([]byte(text), "VmSwap:"); err == nil {
		t.Error("kilobytes of a line that is not there: no error")
	}
}

func TestFileSystem(t *testing.T) {
	t.Parallel()
	const mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nproc /proc proc rw 0 0\n"
	for dir, want := range map[string]string{"/tmp/bench-1": "tmpfs", "/tmp": "tmpfs", "/tmpfiles": "ext4", "/srv": "ext4"} {
		if diff := cmp.Diff(want, fileSystem(mounts, dir)); diff != "" {
			t.Errorf("fileSystem(%s) (-want +got):\n%s", dir, diff)
		}
	}
}
