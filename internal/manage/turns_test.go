package manage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// TestCostlyChecksTookEveryProcessor: a key that may read could ask for as many at once as
// there are connections.
func TestCostlyChecksTookEveryProcessor(t *testing.T) {
	t.Parallel()
	turns := catalog.NewTurns(1, 0)
	w := newWorld(t, func(c *manage.Config) { c.Turns = turns })
	made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}}))(t)
	long := manage.CheckSecret{EndpointID: made.Endpoint.ID, Body: []byte(strings.Repeat("x", 100<<10)), Signature: strings.Repeat("ab", 32)}
	short := long
	short.Body = []byte("{}")
	own := manage.CreateType{Name: "order.shipped", Schema: []byte(`{"type":"object"}`)}
	must(w.CreateType(t.Context(), w.user, own))(t)
	must(w.CheckSecret(t.Context(), w.user, long))(t)

	check(t, turns.Take(t.Context()))
	for what, err := range map[string]error{
		"a long body":  errorOf(w.CheckSecret(t.Context(), w.user, long)),
		"a new type":   errorOf(w.CreateType(t.Context(), w.user, manage.CreateType{Name: "order.paid"})),
		"another type": errorOf(w.UpdateType(t.Context(), w.user, manage.UpdateType{Name: own.Name})),
	} {
		if !errors.Is(err, catalog.ErrBusy) {
			t.Errorf("%s while the one turn is taken: %v, want ErrBusy", what, err)
		}
	}
	must(w.CheckSecret(t.Context(), w.user, short))(t)
	turns.Give()
	must(w.CheckSecret(t.Context(), w.user, long))(t)
}

func errorOf[T any](_ T, err error) error { return err }
