package sqlstore

import (
	"context"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// counting counts the rows that are read.
type counting struct {
	conn
	read int
}

func (c *counting) query(ctx context.Context, query string, args ...any) (rows, error) {
	rs, err := c.conn.query(ctx, query, args...)
	return countedRows{rs, c}, err
}

type countedRows struct {
	rows
	of *counting
}

func (r countedRows) Next() bool {
	more := r.rows.Next()
	if more {
		r.of.read++
	}
	return more
}

// failing gives a job that retries what failed with a class, of so many deliveries that
// failed with that of a server error.
func failing(t *testing.T, s *Store, n int, f store.DeliveryFilter) store.Job {
	t.Helper()
	addEndpoint(t, s, "ep_1")
	b := &store.Batch{AccountID: store.DefaultAccount}
	for range n {
		b.Events = append(b.Events, delivered("ep_1", 100))
	}
	_, err := s.Publish(t.Context(), b)
	must(t, err)
	must(t, s.write(t.Context(), "fail them", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, "update deliveries set status = 'failed', last_class = 'server_error', due_at = null")
		return err
	}))
	f.Statuses = []delivery.Status{delivery.Failed}
	must(t, s.CreateJob(t.Context(), store.Job{ID: "job_1", AccountID: store.DefaultAccount, Kind: store.JobRetry, State: store.JobRunning, Filter: f, PerSecond: 1, CreatedAt: time.Now()}))
	jobs, err := s.ClaimJobs(t.Context(), "node-1", time.Now(), time.Now().Add(time.Minute), 1)
	must(t, err)
	return jobs[0]
}

func TestASlowJobReadsAboutWhatItMoves(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]store.DeliveryFilter{
		"of everything":                {},
		"of a class that all are of":   {Class: delivery.ServerError},
		"of a type that all are of":    {Types: []string{"domain.added"}},
		"of an endpoint that has them": {EndpointID: "ep_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openedFile(t)
			j := failing(t, s, 10*jobGlance, f)
			count := &counting{conn: s.quick}
			s.quick = count
			for range 3 {
				var err error
				j, _, err = s.AdvanceJob(t.Context(), j, 2, time.Now(), time.Now().Add(time.Minute))
				must(t, err)
			}
			if j.Done != 6 || count.read > 3*jobGlance {
				t.Errorf("%d rows were read to move %d, want 6 moved and at most %d read for each 2", count.read, j.Done, jobGlance)
			}
		})
	}
}

func TestAJobThatMatchesNothingEndsAfterOneLookAtIt(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	j := failing(t, s, 10*jobGlance, store.DeliveryFilter{Class: delivery.TLSExpired})
	count := &counting{conn: s.quick}
	s.quick = count
	after, _, err := s.AdvanceJob(t.Context(), j, 2, time.Now(), time.Now().Add(time.Minute))
	must(t, err)
	if after.State != store.JobDone || count.read > 20*jobGlance {
		t.Errorf("%d rows were read and the job is %s, want it done", count.read, after.State)
	}
}
