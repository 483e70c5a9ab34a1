package storetest

import (
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// watchChecks are alone: the watch looks at the endpoints of all accounts.
func watchChecks() []check {
	return []check{
		{"an endpoint that is well is not given, however busy it is", watchWell},
		{"one that has trouble is given with all its minutes, oldest first", watchTrouble},
		{"trouble that was looked at before is not given again", watchSince},
		{"one with an open alert is given, also when nothing is counted any more", watchOpen},
		{"a deleted endpoint is not given, and its alerts are closed and told to nobody", watchDeleted},
		{"the endpoints of a deleted account are not given", watchDeletedAccount},
		{"those that have trouble are in the order of ids, each once", watchOrder},
		{"what is asked of endpoints is answered of these alone", watchAsked},
		{"when an endpoint was last enabled is given", watchEnabled},
	}
}

// watchTime is where the minutes of these checks lie, apart from those of all others.
func watchTime(m int) time.Time {
	return time.Date(2020, time.March, 8, 12, m, 0, 0, time.UTC)
}

// counted keeps what the watch goes by of an endpoint's minute.
func (w *world) counted(endpointID string, m int, c delivery.Counts) {
	w.t.Helper()
	w.addStats(store.Stat{AccountID: w.account, EndpointID: endpointID, Minute: watchTime(m), Watched: c})
}

// watched asks for the endpoints of this check's account, the minutes from 10 to 70 and trouble since 10.
func (w *world) watched() []store.Watched { return w.watchedSince(10) }

func (w *world) watchedSince(m int) []store.Watched {
	w.t.Helper()
	ids, err := w.s.Troubled(w.ctx(), watchTime(m), watchTime(70))
	w.must("look for trouble", err)
	all, err := w.s.Watched(w.ctx(), ids, watchTime(10), watchTime(70))
	w.must("read what is watched", err)
	return slices.DeleteFunc(all, func(e store.Watched) bool { return e.AccountID != w.account })
}

// wantUnwatched reports endpoints of this check's account that are judged.
func (w *world) wantUnwatched() {
	w.t.Helper()
	if got := w.watched(); len(got) != 0 {
		w.t.Errorf("watched: %+v, want none", got)
	}
}

// openAlert opens an alert as the watch does.
func (w *world) openAlert(endpointID string, kind delivery.AlertKind, after time.Duration) store.Alert {
	w.t.Helper()
	a := alertOf(w.account, endpointID, kind, after)
	opened, err := w.s.OpenAlert(w.ctx(), a)
	w.must("open alert", err)
	if !opened {
		w.t.Fatalf("the alert %s of %s was not opened", kind, endpointID)
	}
	return a
}

func alertOf(account, endpointID string, kind delivery.AlertKind, after time.Duration) store.Alert {
	return store.Alert{
		ID: newID("alt_"), AccountID: account, EndpointID: endpointID, Kind: kind, Threshold: 10,
		Opened: delivery.Reading{Attempts: 40, Failed: 8, Bad: 6, Span: time.Hour}, OpenedAt: at(after),
	}
}

// closed gives an alert as it is after it was closed.
func closed(a store.Alert, after time.Duration) store.Alert {
	a.Closed, a.ClosedAt = delivery.Reading{Attempts: 30, Failed: 1, Bad: 1, Span: 15 * time.Minute}, at(after)
	a.Reason = a.Closed.Why()
	return a
}

func watchWell(w *world) {
	id := w.newEndpoint()
	for m := range 60 {
		w.counted(id, m, delivery.Counts{Attempts: 1000})
	}
	w.wantUnwatched()
}

func watchTrouble(w *world) {
	for _, trouble := range []delivery.Counts{{Attempts: 2, Failed: 1}, {Attempts: 2, Retries: 1}, {Attempts: 2, Slow: 1}} {
		id := w.newEndpoint()
		well := delivery.Counts{Attempts: 3}
		w.counted(id, 9, well) // before the window
		w.counted(id, 30, well)
		w.counted(id, 10, well)
		w.counted(id, 69, trouble)
		w.counted(id, 69, well) // of another node
		w.counted(id, 70, well) // after it
		sum := trouble
		sum.Add(well)
		want := store.Watched{AccountID: w.account, EndpointID: id, Minutes: []delivery.Minute{
			{At: watchTime(10), Counts: well}, {At: watchTime(30), Counts: well}, {At: watchTime(69), Counts: sum},
		}}
		got := w.watched()
		i := slices.IndexFunc(got, func(e store.Watched) bool { return e.EndpointID == id })
		if i < 0 {
			w.t.Fatalf("%+v is no trouble", trouble)
		}
		w.equal("watched", got[i], want)
	}
}

func watchSince(w *world) {
	id := w.newEndpoint()
	w.counted(id, 40, delivery.Counts{Attempts: 1, Failed: 1})
	for since, want := range map[int]int{40: 1, 41: 0} {
		if got := w.watchedSince(since); len(got) != want {
			w.t.Errorf("trouble at 40 is given %d times from %d on", len(got), since)
		}
	}
	w.counted(id, 70, delivery.Counts{Attempts: 1, Failed: 1}) // of a clock that was put back
	if got := w.watchedSince(41); len(got) != 0 {
		w.t.Error("trouble that is still to come is given")
	}
}

func watchOpen(w *world) {
	id := w.newEndpoint()
	slow := w.openAlert(id, delivery.AlertSlow, 0)
	failing := w.openAlert(id, delivery.AlertFailing, time.Second)
	want := store.Watched{AccountID: w.account, EndpointID: id, Open: []store.Alert{slow, failing}}
	w.equal("watched", w.watched(), []store.Watched{want})
	for _, a := range want.Open {
		w.closeAlert(closed(a, time.Minute), true)
	}
	w.wantUnwatched()
}

func watchDeleted(w *world) {
	id := w.newEndpoint()
	a, ahead := w.openAlert(id, delivery.AlertSlow, 0), w.openAlert(id, delivery.AlertFailing, time.Hour)
	w.counted(id, 69, delivery.Counts{Attempts: 1, Failed: 1})
	before := len(w.notices())
	_, err := w.s.DeleteEndpoint(w.ctx(), w.account, id, at(time.Minute))
	w.must("delete endpoint", err)
	w.wantUnwatched()
	a.ClosedAt, ahead.ClosedAt = at(time.Minute), at(time.Hour)
	a.Reason, ahead.Reason = delivery.ClosedDeleted, delivery.ClosedDeleted
	w.equal("alerts", w.alerts(store.AlertFilter{}), []store.Alert{ahead, a})
	if n := len(w.notices()); n != before {
		w.t.Errorf("%d notices tell of the end of a deleted endpoint's alerts", n-before)
	}
	opened, err := w.s.OpenAlert(w.ctx(), alertOf(w.account, id, delivery.AlertRetries, 0))
	if opened || err != nil {
		w.t.Errorf("an alert of a deleted endpoint: opened %t, %v", opened, err)
	}
}

func watchDeletedAccount(w *world) {
	id := w.newEndpoint()
	w.openAlert(id, delivery.AlertSlow, 0)
	w.must("delete account", w.s.DeleteAccount(w.ctx(), w.account, at(time.Minute)))
	w.wantUnwatched()
	w.equal("open alerts", w.alerts(store.AlertFilter{Open: true}), []store.Alert(nil))
}

func watchOrder(w *world) {
	var want []string
	for i := range 7 {
		id := w.newEndpoint()
		if i%2 == 0 {
			for m := 20; m < 23; m++ {
				w.counted(id, m, delivery.Counts{Attempts: 1, Slow: 1})
			}
		}
		if i%2 == 1 || i == 4 {
			w.openAlert(id, delivery.AlertFailing, 0)
			w.openAlert(id, delivery.AlertSlow, 0)
		}
		want = append(want, id)
	}
	slices.Sort(want)
	troubled, err := w.s.Troubled(w.ctx(), watchTime(10), watchTime(70))
	w.must("look for trouble", err)
	troubled = slices.DeleteFunc(troubled, func(id string) bool { return !slices.Contains(want, id) })
	w.equal("troubled", troubled, want)
	var got []string
	for _, e := range w.watched() {
		got = append(got, e.EndpointID)
	}
	w.equal("watched", got, want)
}

func watchAsked(w *world) {
	one, two, well := w.newEndpoint(), w.newEndpoint(), w.newEndpoint()
	bad := delivery.Counts{Attempts: 1, Failed: 1}
	w.counted(one, 20, bad)
	w.counted(two, 20, bad)
	a := w.openAlert(two, delivery.AlertSlow, 0)
	got, err := w.s.Watched(w.ctx(), []string{two, well, "ep_none"}, watchTime(10), watchTime(70))
	w.must("read what is watched", err)
	want := []store.Watched{
		{AccountID: w.account, EndpointID: two, Minutes: []delivery.Minute{{At: watchTime(20), Counts: bad}}, Open: []store.Alert{a}},
		{AccountID: w.account, EndpointID: well},
	}
	slices.SortFunc(want, func(a, b store.Watched) int { return strings.Compare(a.EndpointID, b.EndpointID) })
	w.equal("watched", got, want)
	got, err = w.s.WatchedOf(w.ctx(), w.account, []string{two, well, "ep_none"}, watchTime(10), watchTime(70))
	w.must("read what is watched of the account", err)
	w.equal("watched of the account", got, want)
	got, err = w.s.Watched(w.ctx(), nil, watchTime(10), watchTime(70))
	w.must("read what is watched of none", err)
	w.equal("watched of none", len(got), 0)
}

func watchEnabled(w *world) {
	id := w.newEndpoint()
	w.counted(id, 20, delivery.Counts{Attempts: 1, Slow: 1})
	if e := w.endpoint(id); !e.EnabledAt.IsZero() {
		w.t.Errorf("a new endpoint was enabled again at %s", e.EnabledAt)
	}
	for i, state := range []delivery.State{delivery.Disabled, delivery.Enabled, delivery.Disabled, delivery.Enabled} {
		_, err := w.s.SetState(w.ctx(), w.account, id, state, delivery.ByHand, minute(i))
		w.must("set state", err)
	}
	_, err := w.s.SetState(w.ctx(), w.account, id, delivery.Enabled, delivery.NotDisabled, minute(9)) // which it is already
	w.must("set state", err)
	_, err = w.s.UpdateEndpoint(w.ctx(), w.account, id, func(e *delivery.Endpoint) error { e.EnabledAt = at(0); return nil })
	w.must("update endpoint", err)
	for _, got := range []time.Time{w.endpoint(id).EnabledAt, w.watched()[0].EnabledAt} {
		if !got.Equal(minute(3)) {
			w.t.Errorf("enabled at %s, want %s", got, minute(3))
		}
	}
}

func alertChecks() []check {
	return []check{
		{"what came of endpoints since they were enabled counts each delivery once", alertSinceEnabled},
		{"an alert is opened once, with its notice", alertOpen},
		{"an alert is closed once, with its notice, and the next one can open", alertClose},
		{"an alert that was opened before the clock was put back ends when it began, and that is told as of now", alertCloseAhead},
		{"of nodes that open and close at once, one does", alertAtOnce},
		{"lists are newest first and narrowed by endpoint and by being open", alertLists},
		{"the open ones of some endpoints are given, oldest first", alertOpenOf},
	}
}

// closeAlert closes an alert and reports another answer than the one wanted.
func (w *world) closeAlert(a store.Alert, want bool) {
	w.t.Helper()
	did, err := w.s.CloseAlert(w.ctx(), a)
	w.must("close alert", err)
	if did != want {
		w.t.Errorf("close %s of %s: %t, want %t", a.Kind, a.EndpointID, did, want)
	}
}

// alerts lists those of the account.
func (w *world) alerts(f store.AlertFilter) []store.Alert {
	w.t.Helper()
	return pages(w, 2, func(p store.Page) ([]store.Alert, string, error) { return w.s.ListAlerts(w.ctx(), w.account, f, p) }, nil)
}

// wantAlertNotices reports notices of the account that are others than those, but for their ids.
func (w *world) wantAlertNotices(want ...store.NoticeRow) {
	w.t.Helper()
	for i := range want {
		want[i].AccountID = w.account
	}
	w.equal("notices", w.notices(), want, cmpopts.IgnoreFields(store.NoticeRow{}, "ID"))
}

func noticeOfAlert(a store.Alert, kind delivery.Notice, when time.Time) store.NoticeRow {
	return store.NoticeRow{Kind: kind, EndpointID: a.EndpointID, AlertID: a.ID, CreatedAt: when}
}

func alertOpen(w *world) {
	id := w.newEndpoint()
	a := w.openAlert(id, delivery.AlertFailing, 0)
	again, err := w.s.OpenAlert(w.ctx(), alertOf(w.account, id, delivery.AlertFailing, time.Minute))
	if again || err != nil {
		w.t.Errorf("a second one: opened %t, %v", again, err)
	}
	w.equal("alerts", w.alerts(store.AlertFilter{}), []store.Alert{a})
	w.wantAlertNotices(noticeOfAlert(a, delivery.AlertOpened, at(0)))
	got, err := w.s.Alert(w.ctx(), w.account, a.ID)
	w.must("read alert", err)
	w.equal("alert", got, a)
	_, err = w.s.Alert(w.ctx(), w.account, "alt_none")
	w.wantError("read no alert", err, store.ErrNotFound)
}

func alertClose(w *world) {
	id := w.newEndpoint()
	first := w.openAlert(id, delivery.AlertFailing, 0)
	end := closed(first, time.Minute)
	w.closeAlert(end, true)
	w.closeAlert(closed(first, 2*time.Minute), false)
	w.wantAlertNotices(noticeOfAlert(first, delivery.AlertOpened, at(0)), noticeOfAlert(first, delivery.AlertClosed, at(time.Minute)))
	second := w.openAlert(id, delivery.AlertFailing, time.Hour)
	w.closeAlert(closed(first, 2*time.Hour), false) // by a node that is late
	w.equal("alerts", w.alerts(store.AlertFilter{}), []store.Alert{second, end})
}

func alertCloseAhead(w *world) {
	a := w.openAlert(w.newEndpoint(), delivery.AlertFailing, time.Hour)
	w.closeAlert(closed(a, time.Minute), true)
	w.equal("alerts", w.alerts(store.AlertFilter{}), []store.Alert{closed(a, time.Hour)})
	w.wantAlertNotices(noticeOfAlert(a, delivery.AlertClosed, at(time.Minute)), noticeOfAlert(a, delivery.AlertOpened, at(time.Hour)))
}

func alertAtOnce(w *world) {
	id := w.newEndpoint()
	for round := range 3 {
		opened, ended := make([]bool, 8), make([]bool, 8)
		w.atOnce(8, func(i int) (err error) {
			opened[i], err = w.s.OpenAlert(w.ctx(), alertOf(w.account, id, delivery.AlertSlow, time.Duration(round)*time.Hour))
			return err
		})
		open := w.alerts(store.AlertFilter{Open: true})
		if len(open) != 1 || trues(opened) != 1 {
			w.t.Fatalf("eight at once opened %d, and %d were told so", len(open), trues(opened))
		}
		w.atOnce(8, func(i int) (err error) {
			ended[i], err = w.s.CloseAlert(w.ctx(), closed(open[0], time.Duration(round)*time.Hour+time.Minute))
			return err
		})
		if trues(ended) != 1 || len(w.notices()) != 2*(round+1) {
			w.t.Errorf("eight at once closed it %d times; %d notices after %d rounds", trues(ended), len(w.notices()), round+1)
		}
	}
}

func trues(all []bool) (n int) {
	for _, one := range all {
		if one {
			n++
		}
	}
	return n
}

func alertLists(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	a := closed(w.openAlert(one, delivery.AlertFailing, 0), time.Minute)
	w.closeAlert(a, true)
	b := w.openAlert(one, delivery.AlertFailing, 2*time.Minute)
	c := w.openAlert(two, delivery.AlertSlow, 3*time.Minute)
	d := w.openAlert(one, delivery.AlertRetries, 4*time.Minute)
	for _, tt := range []struct {
		filter store.AlertFilter
		want   []store.Alert
	}{
		{store.AlertFilter{}, []store.Alert{d, c, b, a}},
		{store.AlertFilter{Open: true}, []store.Alert{d, c, b}},
		{store.AlertFilter{EndpointID: one}, []store.Alert{d, b, a}},
		{store.AlertFilter{EndpointID: one, Open: true}, []store.Alert{d, b}},
		{store.AlertFilter{EndpointID: "ep_none"}, nil},
	} {
		w.equal("alerts", w.alerts(tt.filter), tt.want)
	}
	_, _, err := w.s.ListAlerts(w.ctx(), w.account, store.AlertFilter{}, store.Page{Limit: 1, Cursor: "x"})
	w.wantConflict("a cursor that is none", err)
}

func alertSinceEnabled(w *world) {
	id, other := w.newEndpoint(), w.newEndpoint()
	w.inStatus(id, delivery.Failed) // before
	enabled := at(3 * time.Hour)
	for _, e := range []string{id, other} {
		for i, state := range []delivery.State{delivery.Disabled, delivery.Enabled} {
			_, err := w.s.SetState(w.ctx(), w.account, e, state, delivery.ByHand, enabled.Add(time.Duration(i-1)*time.Minute))
			w.must("set state", err)
		}
	}
	minute := enabled.Truncate(time.Minute)
	for ago, n := range map[time.Duration]int{-time.Minute: 100, 0: 4, time.Hour: 3, 2 * time.Hour: 1000} {
		w.addStats(store.Stat{AccountID: w.account, EndpointID: id, Minute: minute.Add(ago), Delivered: n, Dead: n})
	}
	dies := func(e string) delivery.ID {
		d := w.publishOne(enabled, pendingTo(e))
		p := rules()
		p.Schedule = delivery.Schedule{0}
		w.end(p, w.claimOne(e, enabled.Add(time.Second)), delivery.ServerError, enabled.Add(time.Second))
		w.wantStatus(d, delivery.Failed)
		return d
	}
	one := dies(id)
	dies(id)
	dies(other)
	want := func(dead, otherDead int) {
		w.t.Helper()
		got, err := w.s.SinceEnabled(w.ctx(), w.account, []string{id, other, "ep_none"}, minute.Add(2*time.Hour), 100)
		w.must("count since enabled", err)
		w.equal("since enabled", got, map[string]store.SinceEnabled{id: {Delivered: 7, Dead: dead}, other: {Dead: otherDead}})
	}
	want(2, 1)
	_, err := w.s.Retry(w.ctx(), w.account, one, enabled.Add(time.Minute))
	w.must("retry", err)
	want(1, 1) // it waits, and is no dead letter beside that
	got, err := w.s.SinceEnabled(w.ctx(), w.account, nil, minute, 100)
	w.must("count since enabled of none", err)
	w.equal("since enabled of none", len(got), 0)
}

func alertOpenOf(w *world) {
	one, two, three := w.newEndpoint(), w.newEndpoint(), w.newEndpoint()
	w.closeAlert(closed(w.openAlert(one, delivery.AlertFailing, 0), time.Minute), true)
	b := w.openAlert(two, delivery.AlertFailing, 2*time.Minute)
	a := w.openAlert(one, delivery.AlertSlow, time.Minute)
	w.openAlert(three, delivery.AlertSlow, 0)
	got, err := w.s.OpenAlerts(w.ctx(), w.account, []string{one, two})
	w.must("read open alerts", err)
	w.equal("open alerts", got, []store.Alert{a, b})
	got, err = w.s.OpenAlerts(w.ctx(), w.account, nil)
	w.must("read open alerts", err)
	w.equal("open alerts of none", got, []store.Alert(nil))
}

func trespassAlerts() map[string]trespass {
	return map[string]trespass{
		"OpenAlert": func(w *world, v victim) error {
			opened, err := w.s.OpenAlert(w.ctx(), alertOf(w.account, v.endpoint, delivery.AlertSlow, 0))
			return nothing(trues([]bool{opened}), err)
		},
		"CloseAlert": func(w *world, v victim) error {
			a := closed(v.alert, time.Minute)
			a.AccountID = w.account
			did, err := w.s.CloseAlert(w.ctx(), a)
			return nothing(trues([]bool{did}), err)
		},
		"Alert": func(w *world, v victim) error {
			_, err := w.s.Alert(w.ctx(), w.account, v.alert.ID)
			return notFound(err)
		},
		"ListAlerts": func(w *world, v victim) error {
			list, _, err := w.s.ListAlerts(w.ctx(), w.account, store.AlertFilter{EndpointID: v.endpoint}, store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"WatchedOf": func(w *world, v victim) error {
			list, err := w.s.WatchedOf(w.ctx(), w.account, []string{v.endpoint}, watchTime(0), watchTime(70))
			return nothing(len(list), err)
		},
		"SinceEnabled": func(w *world, v victim) error {
			of, err := w.s.SinceEnabled(w.ctx(), w.account, []string{v.endpoint}, watchTime(70), 10)
			return nothing(len(of), err)
		},
		"OpenAlerts": func(w *world, v victim) error {
			list, err := w.s.OpenAlerts(w.ctx(), w.account, []string{v.endpoint})
			return nothing(len(list), err)
		},
	}
}
