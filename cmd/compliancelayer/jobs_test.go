package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
)

// A job that was cancelled looked as if it had done what it was made for.
func TestWaitingForAJobThatIsCancelledFails(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		job := `{"id":"job_1","kind":"retry","state":"cancelled","total":9,"done":3}`
		if r.Method == http.MethodPost {
			job = `{"count":9,"job":` + job + `}`
		}
		_, _ = io.WriteString(w, job)
	}))
	t.Cleanup(server.Close)
	at := remote{Server: server.URL, APIKey: "cl_test"}
	for name, run := range map[string]func(context.Context, *console) error{
		"jobs wait":              (&jobsWaitCmd{remote: at, ID: "job_1"}).Run,
		"endpoints replay":       (&endpointsReplayCmd{remote: at, pace: pace{PerSecond: 1, following: following{Wait: true}}, ID: "ep_1"}).Run,
		"deliveries retry-all":   (&deliveriesRetryAllCmd{remote: at, pace: pace{PerSecond: 1, following: following{Wait: true}}}).Run,
		"deliveries discard-all": (&deliveriesDiscardAllCmd{remote: at, following: following{Wait: true}}).Run,
	} {
		c, out, _ := quiet()
		if err := run(t.Context(), c); err == nil || err.Error() != "job_1 was cancelled" || !strings.Contains(out.String(), "cancelled, 3 of 9 done") {
			t.Errorf("%s: %v, printed %q", name, err, out)
		}
	}
}

// Ctrl-C while the server was being asked printed an empty job as if it had ended.
func TestWhoeverStopsWaitingIsToldHowToStopTheJob(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	cl, err := client.New(client.Config{Server: server.URL, APIKey: "cl_test"})
	if err != nil {
		t.Fatal(err)
	}
	c, _, notes := quiet()
	job, err := waitJob(ctx, c, cl, client.Job{ID: "job_1", State: jobRunning})
	if err == nil {
		t.Fatalf("it gave %+v", job)
	}
	c.fail(err, "deliveries retry-all")
	want := "error: stopped waiting; the server goes on with job_1\nhint: compliancelayer jobs cancel job_1 "
	if !strings.HasPrefix(notes.String(), want) {
		t.Errorf("printed %q, want %q first", notes, want)
	}
}
