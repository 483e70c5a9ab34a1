package app

import (
	"log/slog"
	"strings"
	"testing"
)

func TestAttemptsAtOnceNeedNoMoreThanHalfOfTheOpenFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		asked, files, got int
		told              bool
	}{
		{"the default, with plenty of files", 0, 1 << 20, 4096, false},
		{"the default, with few", 0, 1024, 512, true},
		{"a setting that fits", 100, 200, 100, false},
		{"a setting that does not", 101, 200, 100, true},
		{"a limit that is not known", 10_000, 0, 10_000, false},
		{"next to no files", 10, 1, 1, true},
	} {
		var log strings.Builder
		a := &App{cfg: Config{Slots: tt.asked}, log: slog.New(slog.NewTextHandler(&log, nil))}
		if got := a.slots(tt.files); got != tt.got || (log.Len() > 0) != tt.told {
			t.Errorf("%s: %d attempts at once, log %q; want %d", tt.name, got, log.String(), tt.got)
		}
	}
}

func TestKeptConnectionsNeedNoMoreThanAQuarterOfTheOpenFiles(t *testing.T) {
	t.Parallel()
	for files, want := range map[int]int{0: 4096, 1: 1, 1024: 256, 16_384: 4096, 1 << 20: 4096} {
		if got := idle(files); got != want {
			t.Errorf("of %d files %d are for kept connections, want %d", files, got, want)
		}
	}
}
