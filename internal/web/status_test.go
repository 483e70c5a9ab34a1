package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// queueOf is a queue of a given depth.
type queueOf store.Depth

func (queueOf) Ping(context.Context) error                              { return nil }
func (c queueOf) Depth(context.Context, time.Time) (store.Depth, error) { return store.Depth(c), nil }

// One failing receiver, whose deliveries wait for its pace, made the whole server late.
func TestTheServerIsLateOnlyWithWhatItCouldSend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		depth store.Depth
		want  []string
	}{
		{"nothing is due", store.Depth{}, []string{">yes</span></dd>\n<dt>Oldest", "none waits"}},
		{"one endpoint is paced", store.Depth{Due: 1, Oldest: 2 * time.Hour}, []string{">yes</span></dd>\n<dt>Oldest", "none waits"}},
		{"it could be sent", store.Depth{Due: 1, Oldest: 2 * time.Hour, Late: 2 * time.Minute}, []string{">late</span>", "2 min late"}},
	}
	for _, tt := range tests {
		s, err := New(Config{Depth: queueOf(tt.depth)})
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/status", nil))
		for _, text := range tt.want {
			if !strings.Contains(rec.Body.String(), text) {
				t.Errorf("%s: the page lacks %q:\n%s", tt.name, text, rec.Body)
			}
		}
	}
}
