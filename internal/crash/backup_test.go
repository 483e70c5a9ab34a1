package crash_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

func TestBackupsTakenUnderLoadAreWholeAndCanBeServed(t *testing.T) {
	t.Parallel()
	copyUnderLoad(t)
}

func copyUnderLoad(t *testing.T) {
	const copies = 4
	w := newWorld(t, filepath.Join(t.TempDir(), "data.db"), newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky))
	c := start(t, w.settings)
	w.setUp(c.api)
	quiet := w.load(c.api)
	paths := make([]string, copies)
	promised := make([]map[string]ack, copies)
	for i := range paths {
		pause(t.Context(), 300*time.Millisecond)
		promised[i] = w.crowd.acknowledged()
		paths[i] = filepath.Join(t.TempDir(), fmt.Sprintf("copy-%d.db", i))
		if err := app.Backup(t.Context(), w.settings.Database, paths[i], nil); err != nil {
			t.Fatalf("copy %d: %v", i, err)
		}
	}
	quiet()
	c.stop(t)

	for i, path := range paths {
		checkIntegrity(t, path)
		a := newAccount(t, path)
		a.checkEvents(w, promised[i])
		a.close()
		t.Logf("copy %d has %d events, of which %d had been acknowledged before it was begun", i, len(a.rows.events), a.acknowledged)
	}
	w.serveCopy(paths[copies-1], promised[copies-1]).evidence(w, "backup", 1, copies, "copied while it was being served; counted are the events that were acknowledged before the last copy")
}

// serveCopy starts the program on a copy and wants everything in it delivered.
func (w *world) serveCopy(path string, promised map[string]ack) *account {
	w.t.Helper()
	restored := w.settings
	restored.Database = path
	c := start(w.t, restored)
	w.finish(c.api, finishLimit)
	c.stop(w.t)
	a := newAccount(w.t, path)
	a.checkEvents(w, promised)
	a.checkDeliveries()
	a.checkAttempts()
	a.close()
	checkIntegrity(w.t, path)
	return a
}
