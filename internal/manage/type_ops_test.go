package manage_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const invoiceSchema = `{"type":"object","required":["total"],"properties":{"total":{"type":"integer"}}}`

func TestATypeOfTheAccountsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateType(t.Context(), w.user, manage.CreateType{
		Name: "invoice.paid", Description: "An invoice was paid.", Schema: []byte(invoiceSchema), Sample: []byte(`{"total":5}`),
	}))(t)
	if diff := cmp.Diff(made, must(w.EventType(t.Context(), w.user, "invoice.paid"))(t)); diff != "" {
		t.Errorf("read again (-made +read):\n%s", diff)
	}
	all := must(w.EventTypes(t.Context(), w.user, struct{}{}))(t)
	if got, want := len(all), len(catalog.Builtin())+1; got != want || all[0].Name != "scan.completed" || all[got-1].Name != "invoice.paid" {
		t.Errorf("the list has %d types from %s to %s, want the %d built-in ones and then invoice.paid", got, all[0].Name, all[got-1].Name, want-1)
	}
	for _, e := range all {
		if e.BuiltIn == (e.Name == "invoice.paid") || e.Operational != catalog.IsOperational(e.Name) {
			t.Errorf("%s: built in %t, operational %t", e.Name, e.BuiltIn, e.Operational)
		}
	}
	got := must(w.UpdateType(t.Context(), w.user, manage.UpdateType{Name: "invoice.paid", Description: pointer(""), Sample: pointer(json.RawMessage("null"))}))(t)
	if got.Description != "" || got.Sample != nil || string(got.Schema) != invoiceSchema {
		t.Errorf("got %+v, want the schema alone", got)
	}
	must(w.DeleteType(t.Context(), w.user, "invoice.paid"))(t)
	if _, err := w.EventType(t.Context(), w.user, "invoice.paid"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted: got %v, want ErrNotFound", err)
	}
}

func TestMistakesInAType(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   manage.CreateType
		want []string
	}{
		{"no name", manage.CreateType{}, []string{"name"}},
		{"a built-in name", manage.CreateType{Name: "scan.completed"}, []string{"name"}},
		{"an operational name", manage.CreateType{Name: "endpoint.moved"}, []string{"name"}},
		{"a name with a zero byte", manage.CreateType{Name: "a.\x00"}, []string{"name"}},
		{"a schema that is no JSON", manage.CreateType{Name: "a.b", Schema: []byte(`{`)}, []string{"schema"}},
		{"a schema with a mistake inside", manage.CreateType{Name: "a.b", Schema: []byte(`{"properties":{"n":{"type":"integre"}}}`)}, []string{"schema/properties/n/type"}},
		{"a sample that is no JSON", manage.CreateType{Name: "a.b", Sample: []byte(`{`)}, []string{"sample"}},
		{"a sample that does not fit", manage.CreateType{Name: "a.b", Schema: []byte(invoiceSchema), Sample: []byte(`{"total":"5"}`)}, []string{"sample.total"}},
		{"a sample that is too long", manage.CreateType{Name: "a.b", Sample: []byte(`"` + strings.Repeat("x", 64<<10) + `"`)}, []string{"sample"}},
		{"all at once", manage.CreateType{Name: "a", Description: "\x00", Schema: []byte(`{"type":"x"}`)}, []string{"name", "description", "schema/type"}},
	}
	w := newWorld(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.CreateType(t.Context(), w.user, tt.in)
			if diff := cmp.Diff(tt.want, invalid(t, err)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAMistakeInChangingATypeChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateType(t.Context(), w.user, manage.CreateType{Name: "invoice.paid", Sample: []byte(`{"total":"5"}`)}))(t)
	// The sample that is there already does not fit the new schema.
	_, err := w.UpdateType(t.Context(), w.user, manage.UpdateType{Name: "invoice.paid", Schema: pointer(json.RawMessage(invoiceSchema))})
	if diff := cmp.Diff([]string{"sample.total"}, invalid(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(made, must(w.EventType(t.Context(), w.user, "invoice.paid"))(t)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestConflictsOfTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *manage.Config) { c.Limits.Types = 1 })
	must(w.CreateType(t.Context(), w.user, manage.CreateType{Name: "invoice.paid"}))(t)
	user := w.endpoint(w.user, "invoice.paid")
	w.endpoint(w.user, "invoice.*")

	_, deleting := w.DeleteType(t.Context(), w.user, "invoice.paid")
	if !errors.Is(deleting, store.ErrConflict) || !strings.Contains(deleting.Error(), user.ID) {
		t.Errorf("deleting one that is subscribed to: got %v, want a conflict that names %s", deleting, user.ID)
	}
	_, second := w.CreateType(t.Context(), w.user, manage.CreateType{Name: "invoice.sent"})
	_, change := w.UpdateType(t.Context(), w.user, manage.UpdateType{Name: "scan.completed"})
	_, remove := w.DeleteType(t.Context(), w.user, "scan.completed")
	for name, err := range map[string]error{"beyond the limit": second, "changing a built-in one": change, "deleting a built-in one": remove} {
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	must(w.UpdateEndpoint(t.Context(), w.user, manage.UpdateEndpoint{ID: user.ID, Events: &[]string{"*"}}))(t)
	must(w.DeleteType(t.Context(), w.user, "invoice.paid"))(t)
}
