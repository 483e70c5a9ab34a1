package app

import (
	"cmp"
	"log/slog"

	"github.com/compliancelayer/compliancelayer/internal/dispatch"
)

// slots gives how many attempts at once this process makes of those it was told:
// each takes a file descriptor, and half of them stay for publishers, for
// connections kept for the next attempt, and for the database. files is how many
// the process may have open; 0 = not known.
func (a *App) slots(files int) int {
	want := cmp.Or(a.cfg.Slots, dispatch.DefaultSlots)
	most := max(1, files/2)
	if files == 0 || want <= most {
		return want
	}
	a.log.Warn("fewer attempts at once than --concurrency says; raise the limit of open files for more",
		slog.Int("concurrency", want), slog.Int("attempts_at_once", most), slog.Int("open_files", files))
	return most
}

// maxIdle bounds the connections that are kept for the next attempt where files do not:
// memory, some 40 KiB each with TLS.
const maxIdle = 4096

// idle gives how many connections are kept for the next attempt, over all hosts: a
// quarter of the files that this process may have open; files as in slots.
func idle(files int) int {
	if files == 0 {
		return maxIdle
	}
	return min(max(1, files/4), maxIdle)
}
