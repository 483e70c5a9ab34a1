package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const selectJob = `select id, account_id, kind, filter, reason, per_second, total, done, skipped, state, cursor, token, created_at, updated_at from jobs`

func scanJob(r scanner) (store.Job, error) {
	var j store.Job
	var filter string
	var created, updated int64
	err := r.Scan(&j.ID, &j.AccountID, &j.Kind, &filter, &j.Reason, &j.PerSecond, &j.Total, &j.Done, &j.Skipped, &j.State, &j.Cursor, &j.Token, &created, &updated)
	if err != nil {
		return j, err
	}
	j.CreatedAt, j.UpdatedAt = at(created), at(updated)
	return j, json.Unmarshal([]byte(filter), &j.Filter)
}

// CreateJob adds a job.
func (s *Store) CreateJob(ctx context.Context, j store.Job) error {
	filter, err := json.Marshal(j.Filter)
	if err != nil {
		return err
	}
	return s.write(ctx, "create job", func(ctx context.Context, c conn) error {
		b, err := existing(ctx, c, j.AccountID)
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `insert into jobs (id, account_id, kind, filter, reason, per_second, total, state, newest, below, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
			j.ID, j.AccountID, string(j.Kind), string(filter), j.Reason, j.PerSecond, j.Total, string(j.State), b.newest, b.below, ms(j.CreatedAt))
		return err
	})
}

// bound is above every delivery of an account that existed at a moment. What
// comes later is mostly above it too: it is newer, unless a node's clock is behind, and
// has a higher number, unless its node had numbers left of a block that was
// taken before. Neither would do alone, and a time of the caller's would miss
// what a node has accepted whose clock is ahead.
type bound struct{ newest, below int64 }

func existing(ctx context.Context, c conn, accountID string) (b bound, err error) {
	// Index deliveries_log.
	return b, c.row(ctx, `select coalesce((select max(created_at) from deliveries where account_id = $1), 0), next from counters where name = 'delivery'`, accountID).
		Scan(&b.newest, &b.below)
}

// Job reads one.
func (s *Store) Job(ctx context.Context, accountID, id string) (store.Job, error) {
	j, err := scanJob(s.reads.row(ctx, selectJob+` where id = $1 and account_id = $2`, id, accountID))
	return j, reading("read job", err)
}

// ListJobs pages through an account's jobs (index jobs_account).
func (s *Store) ListJobs(ctx context.Context, accountID string, page store.Page) ([]store.Job, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	rs, err := s.reads.query(ctx, selectJob+` where account_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4`,
		accountID, after.at, after.text, page.Limit+1)
	found, err := collect(rs, err, scanJob)
	if err != nil {
		return nil, "", reading("list jobs", err)
	}
	found, next := cut(found, page.Limit, func(j store.Job) position { return position{at: ms(j.CreatedAt), text: j.ID} })
	return found, next, nil
}

// CancelJob stops a job.
func (s *Store) CancelJob(ctx context.Context, accountID, id string, now time.Time) (store.Job, error) {
	err := s.write(ctx, "cancel job", func(ctx context.Context, c conn) error {
		var state store.JobState
		err := c.row(ctx, `select state from jobs where id = $1 and account_id = $2`+s.engine.lockOwn(), id, accountID).Scan(&state)
		if err != nil {
			return err
		}
		if state != store.JobRunning {
			return store.Conflictf("job %s is %s already", id, state)
		}
		_, err = c.exec(ctx, `update jobs set state = 'cancelled', token = 0, updated_at = $1 where id = $2`, ms(now), id)
		return err
	})
	if err != nil {
		return store.Job{}, err
	}
	return s.Job(ctx, accountID, id)
}

// ClaimJobs leases running jobs whose lease is over (index jobs_running). Those of a
// kind that only a later release knows are left to the nodes that run it.
func (s *Store) ClaimJobs(ctx context.Context, _ string, now, until time.Time, limit int) ([]store.Job, error) {
	var jobs []store.Job
	err := s.write(ctx, "claim jobs", func(ctx context.Context, c conn) error {
		rs, err := c.query(ctx, selectJob+` where state = 'running' and lease_until <= $1 and kind in ('retry', 'release', 'discard') order by lease_until limit $2`+s.engine.lockAny(), ms(now), limit)
		if jobs, err = collect(rs, err, scanJob); err != nil {
			return err
		}
		for i := range jobs {
			jobs[i].Token = newToken()
			if _, err := c.exec(ctx, `update jobs set token = $1, lease_until = $2 where id = $3`, jobs[i].Token, ms(until), jobs[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	return jobs, err
}

const (
	// jobWalk bounds how many deliveries a step looks at: however few match the
	// filter, it ends long before its lease does.
	jobWalk = 5000
	// jobGlance is how many it looks at first, and jobWiden how many times as many it
	// looks at next while it finds too few: a job whose filter matches nearly all reads
	// about what it moves, five times a second, and one that matches little not much
	// more than jobWalk.
	jobGlance, jobWiden = 64, 8
	// jobPatience is how long a look may take for a wider one to follow: that one, too, must
	// end before it is given up, on the slowest disk.
	jobPatience = time.Second
)

// AdvanceJob moves at most n further deliveries of a job. It looks for them before its
// transaction, so that nobody waits meanwhile, and leaves out what has changed since.
func (s *Store) AdvanceJob(ctx context.Context, j store.Job, n int, now, until time.Time) (store.Job, []string, error) {
	found, err := s.walkJob(ctx, j, n)
	if err != nil {
		return store.Job{}, nil, reading("advance job", err)
	}
	var after store.Job
	var woken []string
	err = s.write(ctx, "advance job", func(ctx context.Context, c conn) (err error) {
		after, err = scanJob(c.row(ctx, selectJob+` where id = $1 and account_id = $2`+s.engine.lockOwn(), j.ID, j.AccountID))
		if err != nil {
			return err
		}
		if after.State != store.JobRunning || after.Token != j.Token || after.Cursor != j.Cursor {
			return store.ErrLeaseLost
		}
		woken, err = advance(ctx, c, &after, found, now)
		if err != nil {
			return err
		}
		failpoint.Hit("bulk change: deliveries moved, progress not written")
		after.UpdatedAt = now.Truncate(time.Millisecond).UTC()
		_, err = c.exec(ctx, `update jobs set done = $1, skipped = $2, state = $3, cursor = $4, lease_until = $5, updated_at = $6 where id = $7`,
			after.Done, after.Skipped, string(after.State), after.Cursor, ms(until), ms(now), j.ID)
		return err
	})
	return after, woken, err
}

// walked is what a step of a job has found: the deliveries to change, how far it
// looked, and whether that is the end.
type walked struct {
	found  []delivery.Delivery
	cursor string
	end    bool
}

// walkJob looks for the next n deliveries of a job, oldest first.
func (s *Store) walkJob(ctx context.Context, j store.Job, n int) (walked, error) {
	var b bound
	if err := s.quick.row(ctx, `select newest, below from jobs where id = $1 and account_id = $2`, j.ID, j.AccountID).Scan(&b.newest, &b.below); err != nil {
		return walked{}, err
	}
	f := j.Filter
	f.Types, f.Class = nil, "" // no index helps with them: they are compared here
	arms, none, err := s.arms(ctx, s.quick, j.AccountID, f)
	if none || err != nil {
		return walked{cursor: j.Cursor, end: true}, err
	}
	created, id := jobCursor(j.Cursor)
	if from := f.From; !from.IsZero() && ms(from) > created {
		created, id = ms(from), 0 // as position.below
	}
	for i := range arms {
		arms[i].add(`(d.created_at, d.id) > (?, ?) and d.created_at <= ? and d.id < ?`, created, id, b.newest, b.below)
	}
	for most := max(n, jobGlance); ; most *= jobWiden {
		most = min(most, jobWalk)
		began := time.Now()
		seen, err := s.look(ctx, arms, most)
		if err != nil {
			return walked{}, err
		}
		w := pick(j, seen, n, most)
		if w.end || len(w.found) == n || most == jobWalk || time.Since(began) > jobPatience {
			return w, nil
		}
	}
}

// look reads the first deliveries of each arm, and gives the oldest of them all first.
func (s *Store) look(ctx context.Context, arms []where, most int) ([]delivery.Delivery, error) {
	query, args := each(slices.Clone(arms), selectDelivery, ` order by d.created_at, d.id`, most, 0)
	rs, err := s.quick.query(ctx, query, args...)
	seen, err := collect(rs, err, scanDelivery)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(seen, func(a, b delivery.Delivery) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return seen, nil
}

// pick takes the first n that match the filter, of those seen that are certain to be
// the first: as many as were looked for in each arm.
func pick(j store.Job, seen []delivery.Delivery, n, most int) walked {
	w := walked{cursor: j.Cursor, end: len(seen) < most}
	for _, d := range seen[:min(len(seen), most)] {
		if len(w.found) == n {
			w.end = false
			break
		}
		w.cursor = strconv.FormatInt(ms(d.CreatedAt), 10) + "." + strconv.FormatInt(int64(d.ID), 10)
		if (len(j.Filter.Types) == 0 || slices.Contains(j.Filter.Types, d.EventType)) && (j.Filter.Class == "" || d.LastClass == j.Filter.Class) {
			w.found = append(w.found, d)
		}
	}
	return w
}

// unchanged is what a job's update adds: the delivery is as it was when it was looked at.
const unchanged = ` and status = $3 and attempts = $4`

// advance moves what was found and answers the endpoints that got work.
func advance(ctx context.Context, c conn, j *store.Job, w walked, now time.Time) ([]string, error) {
	states := map[string]delivery.State{}
	var moves [][]any
	var of []string
	for _, d := range w.found {
		state, err := endpointState(ctx, c, states, d.EndpointID)
		if err != nil {
			return nil, err
		}
		if movable(j.Kind, changing{d, state}) {
			moves = append(moves, move(j, d, now))
			of = append(of, d.EndpointID)
		}
	}
	counts, err := c.many(ctx, moving(j.Kind)+unchanged, moves)
	if err != nil {
		return nil, err
	}
	var woken []string
	moved := 0
	for i, n := range counts {
		moved += int(n)
		if n > 0 && j.Kind != store.JobDiscard && !slices.Contains(woken, of[i]) {
			woken = append(woken, of[i])
		}
	}
	j.Done, j.Skipped, j.Cursor = j.Done+moved, j.Skipped+len(w.found)-moved, w.cursor
	if w.end {
		j.State = store.JobDone
	}
	return woken, nil
}

// movable reports whether a job of a kind may take a delivery.
func movable(kind store.JobKind, d changing) bool {
	switch kind {
	case store.JobRelease:
		return d.Status == delivery.Held && d.state == delivery.Enabled
	case store.JobDiscard:
		return discardable(d.Delivery) == nil
	}
	return d.Status != delivery.Pending && d.Status != delivery.Retrying && retriable(d) == nil
}

// moving is the statement by which a job of a kind moves a delivery; move gives its arguments.
func moving(kind store.JobKind) string {
	switch kind {
	case store.JobRelease:
		return `update deliveries set status = case when attempts = 0 then 'pending' else 'retrying' end, resumed = used, due_at = $1, updated_at = $1 where id = $2`
	case store.JobDiscard:
		return `update deliveries set status = 'discarded', discard = $5, due_at = null, updated_at = $1 where id = $2`
	}
	return retryDelivery
}

// move gives the arguments of moving, and of unchanged behind it.
func move(j *store.Job, d delivery.Delivery, now time.Time) []any {
	args := []any{ms(now), int64(d.ID), string(d.Status), d.Attempts}
	if j.Kind == store.JobDiscard {
		args = append(args, j.Reason)
	}
	return args
}

func endpointState(ctx context.Context, c conn, known map[string]delivery.State, id string) (delivery.State, error) {
	if state, ok := known[id]; ok {
		return state, nil
	}
	var state delivery.State
	err := c.row(ctx, `select state from endpoints where id = $1`, id).Scan(&state)
	if errors.Is(err, errNoRow) {
		state, err = delivery.Deleted, nil
	}
	known[id] = state
	return state, err
}

// jobCursor reads a cursor that advance wrote; "" is before everything.
func jobCursor(text string) (created, id int64) {
	a, b, _ := strings.Cut(text, ".")
	created, _ = strconv.ParseInt(a, 10, 64)
	id, _ = strconv.ParseInt(b, 10, 64)
	return created, id
}
