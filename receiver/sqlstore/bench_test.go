package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
)

// batch is how many events are kept, claimed and recorded at once; body how large each
// is, which is about that of scan.completed.
const (
	batch = 64
	body  = 600
)

// BenchmarkStore takes events through their whole life, one step after the other, in
// batches. Each step is one row of its result: events in a second.
func BenchmarkStore(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) { benchmark(b, filepath.Join(b.TempDir(), "a.db")) })
	b.Run("PostgreSQL", func(b *testing.B) { benchmark(b, pgtest.URL(b)) })
}

func benchmark(b *testing.B, database string) {
	store, err := openAny(b.Context(), database)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	made := 0
	put := func(b *testing.B) {
		items := make([]receiver.Item, batch)
		for i := range items {
			made++
			items[i] = receiver.Item{ID: fmt.Sprintf("01912345-0000-7000-8000-%012d", made), Type: "scan.completed", DeliveryID: int64(made), Body: make([]byte, body)}
		}
		if _, err := store.Put(b.Context(), items); err != nil {
			b.Fatal(err)
		}
	}
	claim := func(b *testing.B) []receiver.End {
		claimed, _, err := store.Claim(b.Context(), "", batch, leaseOfTest)
		if err != nil || len(claimed) == 0 {
			b.Fatalf("claimed %d, %v", len(claimed), err)
		}
		ends := make([]receiver.End, len(claimed))
		for i, item := range claimed {
			ends[i] = receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Done}
		}
		return ends
	}
	record := func(b *testing.B, ends []receiver.End) {
		if _, err := store.Record(b.Context(), ends); err != nil {
			b.Fatal(err)
		}
	}
	rate := func(b *testing.B) {
		b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("Put", func(b *testing.B) {
		for b.Loop() {
			put(b)
		}
		rate(b)
	})
	b.Run("Claim", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			put(b)
			b.StartTimer()
			claim(b)
		}
		rate(b)
	})
	b.Run("Record", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			put(b)
			ends := claim(b)
			b.StartTimer()
			record(b, ends)
		}
		rate(b)
	})
}
