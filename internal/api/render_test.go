package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// TestIDsThatAreNoneAreNotFound gives numbers that no delivery can have.
func TestIDsThatAreNoneAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Manage)
	for _, id := range []string{"0", "-1", "+1", "1.0", "abc", "99999999999999999999"} {
		for _, call := range [][3]string{
			{"GET", "/v1/deliveries/" + id, ""}, {"GET", "/v1/deliveries/" + id + "/attempts/1", ""}, {"GET", "/v1/deliveries/1/attempts/" + id, ""},
			{"POST", "/v1/deliveries/" + id + "/retry", ""}, {"POST", "/v1/deliveries/" + id + "/discard", `{"reason":"x"}`},
		} {
			if res, body := w.do(call[0], call[1], key, call[2]); res.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: got %d %s, want 404", call[0], call[1], res.StatusCode, body)
			}
		}
	}
}

func TestStatusTextSaysWhatIsTheMatter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		state  delivery.State
		reason delivery.Reason
		streak int
		want   string
	}{
		{"all is well", delivery.Enabled, delivery.NotDisabled, 2, ""},
		{"narrow", delivery.Enabled, delivery.NotDisabled, delivery.NarrowAfter, "one attempt at a time"},
		{"disabled by hand", delivery.Disabled, delivery.ByHand, 0, "by hand"},
		{"disabled by failures", delivery.Disabled, delivery.ByFailures, 10, "too many attempts in a row"},
		{"disabled by 410", delivery.Disabled, delivery.ByGone, 0, "410 Gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := manage.Endpoint{EndpointView: store.EndpointView{Endpoint: delivery.Endpoint{
				State: tt.state, DisabledReason: tt.reason, Health: delivery.Health{Streak: tt.streak},
			}}}
			if got := statusText(e); !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}

func TestNextAttemptIsOnlyThatOfADeliveryThatWaits(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC)
	for _, status := range delivery.Statuses() {
		got := deliveryTo(delivery.Delivery{Status: status, DueAt: at}).NextAttemptAt
		if want := status == delivery.Pending || status == delivery.Retrying; (got != nil) != want {
			t.Errorf("%s: next attempt at %v, want one: %t", status, got, want)
		}
	}
}

func TestHealthWithoutAttemptsHasNoRate(t *testing.T) {
	t.Parallel()
	if h := healthTo("24h", manage.Summary{SuccessRate: 1}); h.SuccessRate != nil || h.P99 != nil {
		t.Errorf("got %+v, want null for the rate and the times", h)
	}
	h := healthTo("24h", manage.Summary{Attempts: 2, SuccessRate: 0.5, P50: 1500 * time.Microsecond, P95: 2 * time.Second, P99: manage.Longer})
	if *h.SuccessRate != 0.5 || *h.P50 != 1.5 || *h.P95 != 2000 || *h.P99 != 30000 {
		t.Errorf("got %v %v %v %v", *h.SuccessRate, *h.P50, *h.P95, *h.P99)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "0s": 0, "0d": 0} {
		if got, err := duration("window", text); err != nil || got != want {
			t.Errorf("duration(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "400d", "7", "x"} {
		if got, err := duration("window", text); err == nil {
			t.Errorf("duration(%q) = %s, want an error", text, got)
		}
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for clause, want := range map[string]string{"": "", "it is so": "It is so.", "Is it?": "Is it?", "7 of them!": "7 of them!"} {
		if got := sentence(clause); got != want {
			t.Errorf("sentence(%q) = %q, want %q", clause, got, want)
		}
	}
}

func TestTheAPIOwnsItsRoutesAndNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range w.routes {
		if path := concrete(w.routes[i].path); !Owns(path) {
			t.Errorf("%s is not its own", path)
		}
	}
	for _, page := range []string{"/", "/endpoints", "/setup", "/docsy", "/v1", "/v2/events"} {
		if Owns(page) {
			t.Errorf("%s is its own", page)
		}
	}
}

// TestSlowCallsOutlastTheTimeouts looks at what a test of an endpoint does to the connection.
func TestSlowCallsOutlastTheTimeouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user())
	l := &line{header: http.Header{}}
	r := httptest.NewRequest(http.MethodPost, "/v1/endpoints/"+e.ID+"/test", nil)
	r.Header.Set("Authorization", "Bearer "+w.key(w.other, auth.Manage))
	before := time.Now()
	w.ServeHTTP(l, r)
	if !l.untimed || len(l.deadlines) == 0 || l.deadlines[0].Before(before.Add(slowest)) {
		t.Errorf("read timeout lifted: %t, write timeouts %v; want until %s after the start", l.untimed, l.deadlines, slowest)
	}
}

func TestBatchThatIsTooLongAndBrokenIsBroken(t *testing.T) {
	t.Parallel()
	one := `{"type":"a.b","data":1},`
	for _, rest := range []string{``, `{`, `{} {}`} {
		_, err := parseBatch([]byte(`{"events":[` + strings.Repeat(one, 1000) + rest))
		refusal{body: "1000 events and " + rest, status: 400, field: "body", words: "not valid JSON"}.check(t, err)
	}
	_, err := parseBatch([]byte(`{"events":[` + strings.Repeat(one, 1001) + `{}]}`))
	refusal{body: "1002 events", status: 422, field: "events", words: "more than 1000"}.check(t, err)
}

func TestRepeatedListParametersAreJoined(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user())
	w.deliveries(w.other, e.ID, 1, delivery.ServerError)
	for _, query := range []string{"status=failed&status=held", "status=failed,held", "type=scan.completed,domain.added"} {
		res, body := w.do(http.MethodGet, "/v1/deliveries?"+query, w.key(w.other, auth.Read), "")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, client.StatusFailed) {
			t.Errorf("%s: got %d %s, want the failed delivery", query, res.StatusCode, body)
		}
	}
}
