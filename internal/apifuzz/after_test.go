package apifuzz_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/compliancelayer/compliancelayer/client"
)

// follow reads the stream of each account all the time, and looks in it for what is another's.
func (r *run) follow() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var reading sync.WaitGroup
	for _, a := range r.p.accounts {
		req := must(http.NewRequestWithContext(ctx, http.MethodGet, r.p.url+"/v1/stream", nil))(r.t)
		req.Header.Set("Authorization", "Bearer "+a.keys[1].text)
		res := must(http.DefaultClient.Do(req))(r.t)
		reading.Go(func() {
			defer res.Body.Close()
			q := &request{method: http.MethodGet, path: "/v1/stream", key: a.keys[1]}
			lines := bufio.NewScanner(res.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				r.leaks(q, &answer{res, lines.Bytes()})
			}
		})
	}
	return func() {
		cancel()
		reading.Wait()
	}
}

// acceptedEventsAreThere wants every event that was accepted in the lists, with all of
// its deliveries.
func (r *run) acceptedEventsAreThere() (lost, of int) {
	ctx := r.t.Context()
	for _, a := range r.p.accounts {
		seen, deliveries := map[string]bool{}, map[string]int{}
		eq := client.EventQuery{PageQuery: client.PageQuery{Limit: 250}}
		for e, err := range client.All(ctx, &eq.PageQuery, func(ctx context.Context) (client.Page[client.Event], error) { return a.api.Events(ctx, eq) }) {
			check(r.t, err)
			seen[e.ID] = true
		}
		dq := client.DeliveryQuery{PageQuery: client.PageQuery{Limit: 250}}
		for d, err := range client.All(ctx, &dq.PageQuery, func(ctx context.Context) (client.Page[client.Delivery], error) { return a.api.Deliveries(ctx, dq) }) {
			check(r.t, err)
			deliveries[d.EventID]++
		}
		for id, n := range r.stock.made[a.id].accepted {
			of++
			if !seen[id] || deliveries[id] != n {
				lost++
				r.t.Errorf("event %s was accepted with %d deliveries; it is in the list: %t, with %d", id, n, seen[id], deliveries[id])
			}
		}
	}
	return lost, of
}

// longRun is what a sealed secret could look like in an answer.
var longRun = regexp.MustCompile(`[A-Za-z0-9+/=_-]{60,}`)

// sealedSecretsAreNowhere reads the sealed secrets where they are kept, and wants them in no
// answer. It gives how many there are.
func (r *run) sealedSecretsAreNowhere() (sealed int) {
	t := r.t
	driver, name := "pgx", r.p.database
	if !strings.HasPrefix(name, "postgres") {
		driver, name = "sqlite", "file:"+(&url.URL{Path: name}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)"
	}
	db := must(sql.Open(driver, name))(t)
	defer db.Close()
	rows := must(db.QueryContext(t.Context(), "select sealed from secrets"))(t)
	defer rows.Close()
	for rows.Next() {
		var value []byte
		check(t, rows.Scan(&value))
		sealed++
		for _, text := range []string{base64.StdEncoding.EncodeToString(value), base64.URLEncoding.EncodeToString(value), hex.EncodeToString(value)} {
			if r.runs[text] {
				t.Error("a sealed secret was in an answer")
			}
		}
	}
	check(t, rows.Err())
	if sealed == 0 {
		t.Error("there are no sealed secrets to look for")
	}
	return sealed
}
