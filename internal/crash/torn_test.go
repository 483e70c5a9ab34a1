package crash_test

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

func TestAfterAPowerCutEverythingThatWasAcknowledgedIsThere(t *testing.T) {
	t.Parallel()
	tearAndAccount(t, engines["SQLite"](t), option[int](imagesFlag))
}

// tearAndAccount takes images of the files in the middle of writing, as a power cut leaves
// them, and opens each.
func tearAndAccount(t *testing.T, database string, images int) {
	w := newWorld(t, database, newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky))
	moments := rand.New(rand.NewPCG(w.seed, 5))
	c := start(t, w.settings)
	w.setUp(c.api)
	quiet := w.load(c.api)
	all := make([]image, images)
	for i := range all {
		pause(t.Context(), time.Duration(moments.IntN(60))*time.Millisecond)
		all[i] = w.takeImage(c, filepath.Join(t.TempDir(), fmt.Sprintf("image-%d.db", i)), moments)
	}
	quiet()
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	total := w.settleAccounts(t)
	total.acknowledged, total.counted = 0, "events to be found, each in every image taken after it was acknowledged"
	torn := 0
	for _, one := range all {
		if one.torn > 0 {
			torn++
		}
		a := one.check(t, w)
		total.acknowledged += a.acknowledged
		total.lost += a.lost
	}
	t.Logf("%d images, %d of them without the end of their log; they had to have %d events, and lost %d", images, torn, total.acknowledged, total.lost)
	total.evidence(w, "torn", 1, images, "power cut: an image of the files in the middle of writing, the end of the log cut off or overwritten beyond what was there at the last acknowledgement")
	w.serveCopy(all[images-1].path, all[images-1].promised)
}

// image is a copy of the database's files as they were in one moment.
type image struct {
	path     string
	promised map[string]ack // before that moment
	torn     int64          // bytes of the log that did not reach the disk
}

// takeImage notes what is acknowledged and how long the log is; a moment later it stops the
// process wherever it is, and copies the files. What was appended to the log after the
// acknowledgement may or may not have reached the disk.
func (w *world) takeImage(c *child, path string, moments *rand.Rand) image {
	w.t.Helper()
	one := image{path: path, promised: w.crowd.acknowledged()}
	synced := size(w.t, w.settings.Database+"-wal")
	pause(w.t.Context(), time.Duration(moments.IntN(20_000))*time.Microsecond)
	c.freeze(w.t)
	defer c.thaw(w.t)
	endings := []string{"", "-wal"}
	if moments.IntN(2) == 0 {
		endings = append(endings, "-shm") // it is made again where it is missing
	}
	for _, ending := range endings {
		content, err := os.ReadFile(w.settings.Database + ending)
		if err != nil {
			w.t.Fatalf("copy the database: %v", err)
		}
		if ending == "-wal" {
			content, one.torn = tear(content, int(synced), moments)
		}
		if err := os.WriteFile(path+ending, content, 0o600); err != nil {
			w.t.Fatalf("copy the database: %v", err)
		}
	}
	return one
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("look at the log: %v", err)
	}
	return info.Size()
}

// tear spoils the end of a log beyond what was synced: it is cut anywhere, or was written
// in part, and what stands there instead is whatever was on the disk before.
func tear(log []byte, synced int, moments *rand.Rand) (left []byte, torn int64) {
	cut := min(synced, len(log))
	if len(log) > cut {
		cut += moments.IntN(len(log) - cut + 1)
	}
	torn = int64(len(log) - cut)
	garbage := make([]byte, moments.IntN(3)*moments.IntN(4096))
	_, _ = crand.Read(garbage) // never fails
	if moments.IntN(3) > 0 || len(log) < cut+len(garbage) {
		return append(log[:cut:cut], garbage...), torn
	}
	copy(log[cut:], garbage) // and what comes after it is there
	return log, torn
}

// check opens an image with the store, which recovers it, and wants in it what was promised.
func (i image) check(t testing.TB, w *world) *account {
	t.Helper()
	if err := app.Migrate(t.Context(), i.path, nil); err != nil {
		t.Fatalf("open %s: %v", filepath.Base(i.path), err)
	}
	checkIntegrity(t, i.path)
	a := newAccount(t, i.path)
	a.checkEvents(w, i.promised)
	a.close()
	return a
}
