package model_test

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// checkEarly: between the end of an attempt and the begin of the next lies at least what the
// schedule says, and what the receiver asked for, but never more than a day for its sake.
func (w *world) checkEarly(r *rows, d *deliveryRow) {
	const rounding = time.Millisecond // due times are rounded up, others down
	if d.status == delivery.Retrying && at(d.due.Int64).Sub(at(d.updated)) > delivery.MaxRetryAfter+rounding {
		w.breaks(7, "%s waits for longer than a day", d)
	}
	tries := w.model.tries[d.id]
	for i := 1; i < len(tries); i++ {
		w.checkPause(r, d, tries[i-1], tries[i])
	}
}

func (w *world) checkPause(r *rows, d *deliveryRow, one, next *try) {
	logged := r.attempts[d.id]
	if next.lease.Attempt != one.lease.Attempt+1 || one.lease.Attempt > len(logged) || one.ended.IsZero() || next.lease.Cycle != one.lease.Cycle {
		return
	}
	if asked := w.model.kicked[d.account]; !asked.Before(one.ended) {
		return // a person may have asked for it
	}
	a := logged[one.lease.Attempt-1]
	least := w.leastPause(logged, a)
	if least == 0 {
		return
	}
	w.findings.checked(6)
	if a.retryAfter > 0 {
		w.findings.checked(7)
	}
	forward := time.Duration(0)
	for _, j := range w.jumps {
		if j.by > 0 && j.at.After(one.ended.Add(-lag)) && !j.at.After(next.began) {
			forward += j.by
		}
	}
	const rounding = 2 * time.Millisecond
	if pause := next.began.Sub(one.ended); pause+forward+rounding < least {
		w.breaks(6, "attempt %d of %s (%s %d, asks for %s) was followed by the next after %s; the least is %s", a.number, d, a.class, a.code,
			time.Duration(a.retryAfter)*time.Millisecond, pause, least)
	}
}

// leastPause is what must lie between an attempt and the next of its cycle.
func (w *world) leastPause(logged []attemptRow, a attemptRow) time.Duration {
	switch {
	case a.class == delivery.LocalNetwork || a.class == delivery.LocalFault:
		return time.Second
	case a.class.Ours() || a.class == delivery.OK:
		return 0
	}
	used := 0
	for _, one := range logged[:a.number] {
		if one.cycle == a.cycle && !one.class.Ours() {
			used++
		}
	}
	if a.cycle != delivery.Automatic {
		used = 1 // it may have been asked for more than once
	}
	if used >= len(w.policy.Schedule) {
		return 0
	}
	least := w.policy.Schedule[used]
	if a.code == 429 || a.code == 503 {
		least = max(least, min(time.Duration(a.retryAfter)*time.Millisecond, delivery.MaxRetryAfter))
	}
	return least
}

// patience is how long what is due may wait while nothing disturbs a node and the endpoint is
// well: a look at the due times, and what is before it in line.
const patience = 3 * scanEvery

// checkOverdue: what is due is sent, and what a dead node left is taken over, whatever became of
// other endpoints, of nodes and of the clock before.
func (w *world) checkOverdue(r *rows, d *deliveryRow) {
	if !d.due.Valid || len(w.nodes) == 0 || w.calm() < 2*patience {
		return
	}
	e, disk := w.model.byID[d.endpoint], r.endpoints[d.endpoint]
	well := disk.streak == 0 && e.answer.class == delivery.OK && time.Since(e.changedAnswer) > 2*patience
	if disk.state == delivery.Enabled && !well {
		return
	}
	n := w.reach()
	if late := time.Now().Add(w.skew).Sub(at(d.due.Int64)); late > patience {
		w.breaks(n, "%s is overdue by %s, and nothing was in the way for %s; %s is %s, %d failures in a row, next %s", d, late, w.calm(), e.name, disk.state, disk.streak, at(disk.next).Sub(w.began))
	}
}

// checkFar: nothing waits for longer than its last attempt explains, also when the clock was put
// back meanwhile.
func (w *world) checkFar(r *rows, d *deliveryRow) {
	if !d.due.Valid || len(w.nodes) == 0 || w.calm() < lag || !w.sawJumps() {
		return
	}
	most := w.policy.Lease()
	if d.status.Waiting() {
		most = w.longestPause(r.attempts[d.id], d)
	}
	// Due times that lie no further ahead than a clock is corrected by are left as they are.
	const corrected = 5*time.Second + time.Millisecond
	n := w.reach()
	if ahead := at(d.due.Int64).Sub(time.Now().Add(w.skew)); ahead > most+corrected {
		w.breaks(n, "%s waits for %s more; the most is %s", d, ahead, most)
	}
}

// sawJumps reports whether a node that runs has seen every hour that the clock showed before it was
// put back. What somebody wrote by one that no node saw is only found out when it is due.
// World.mu is held.
func (w *world) sawJumps() bool {
	for i, j := range w.jumps {
		if j.by > 0 {
			continue
		}
		for _, n := range w.nodes {
			if n.began.Add(lag).After(j.at) {
				return false
			}
		}
		if i > 0 && j.at.Sub(w.jumps[i-1].at) < lag {
			return false
		}
	}
	return true
}

// longestPause is how long a delivery may wait for its next attempt.
func (w *world) longestPause(logged []attemptRow, d *deliveryRow) time.Duration {
	if len(logged) == 0 {
		return 0
	}
	a := logged[len(logged)-1]
	switch {
	case a.class == delivery.LocalNetwork || a.class == delivery.LocalFault:
		return time.Hour
	case a.class.Ours() || a.class == delivery.OK:
		return 0
	}
	step := w.policy.Schedule[min(d.used, len(w.policy.Schedule)-1)]
	longest := step + step/10
	if a.code == 429 || a.code == 503 {
		longest = max(longest, min(time.Duration(a.retryAfter)*time.Millisecond, delivery.MaxRetryAfter))
	}
	return longest
}

// reach counts a check of whether work is done, and names the invariant that it is. World.mu is held.
func (w *world) reach() int {
	w.findings.checked(19)
	if _, back := w.jumped(w.began); !back {
		return 19
	}
	w.findings.checked(26)
	return 26
}
