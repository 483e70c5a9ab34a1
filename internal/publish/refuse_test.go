package publish_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestARefusalNamesTheFieldAndTheWayOut(t *testing.T) {
	t.Parallel()
	good := json.RawMessage(`{"domain":"example.com"}`)
	deep := strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64)
	tests := []struct {
		name  string
		in    publish.Input
		field string
		says  string
	}{
		{"no type", publish.Input{Data: good}, "type", "is missing"},
		{"a type with a slip", publish.Input{Type: "domain_aded", Data: good}, "type", "did you mean domain.added?"},
		{"a slip in a type of its own", publish.Input{Type: "invoice.payed", Data: good}, "type", "did you mean invoice.paid?"},
		{"a type like no other", publish.Input{Type: "qqqqqqqqqq.zzzzzzzzzz", Data: good}, "type", "POST /v1/event-types"},
		{"an operational type", sample(catalog.EndpointDisabled), "type", "only this server publishes"},
		{"an operational name of no type", publish.Input{Type: "delivery.lost", Data: good}, "type", "only this server publishes"},
		{"an operational type is not suggested", publish.Input{Type: "endpoints.disabled", Data: good}, "type", "see GET /v1/event-types"},
		{"an id that is a word", publish.Input{ID: "order-17", Type: "domain.added", Data: good}, "id", "must be a UUID"},
		{"an id in braces", publish.Input{ID: "{01890a5d-ac96-774b-bcce-b302099a8057}", Type: "domain.added", Data: good}, "id", "must be a UUID"},
		{"an id without hyphens", publish.Input{ID: "01890a5dac96774bbcceb302099a8057", Type: "domain.added", Data: good}, "id", "must be a UUID"},
		{"an id with a wrong letter", publish.Input{ID: "01890a5d-ac96-774b-bcce-b302099a805g", Type: "domain.added", Data: good}, "id", "must be a UUID"},
		{"no data", publish.Input{Type: "domain.added"}, "data", "is missing"},
		{"data that is not JSON", publish.Input{Type: "domain.added", Data: json.RawMessage(`{"domain":`)}, "data.domain", "not valid JSON"},
		{"data of a free type that is not JSON", publish.Input{Type: "invoice.paid", Data: json.RawMessage(`{"a" 1}`)}, "data", "JSON"},
		{"two values for data", publish.Input{Type: "invoice.paid", Data: json.RawMessage(`{} {}`)}, "data", "JSON"},
		{"data that is not UTF-8", publish.Input{Type: "invoice.paid", Data: json.RawMessage("{\"a\":\"\xff\"}")}, "data", "UTF-8"},
		{"data that is too deep", publish.Input{Type: "invoice.paid", Data: json.RawMessage(`[` + deep + `]`)}, "data[0]" + strings.Repeat(".a", 63), "at most 64 levels"},
		{"data without a field that must be there", publish.Input{Type: "domain.added", Data: json.RawMessage(`{}`)}, "data.domain", "is required"},
		{"a field of another kind", publish.Input{Type: "domain.added", Data: json.RawMessage(`{"domain":5}`)}, "data.domain", "must be a string"},
		{"data that is no object", publish.Input{Type: "domain.added", Data: json.RawMessage(`null`)}, "data", "object"},
	}
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	w.eventType("invoice.paid", "")
	for _, tt := range tests {
		bad := w.refused(tt.in)
		if bad.Index != 0 || bad.TooLarge || len(bad.Fields) != 1 {
			t.Errorf("%s: refused with %+v, want one field of event 0", tt.name, bad)
			continue
		}
		f := bad.Fields[0]
		if f.Name != tt.field || !strings.Contains(f.Message, tt.says) {
			t.Errorf("%s: refused with %q: %q, want %q and a message with %q", tt.name, f.Name, f.Message, tt.field, tt.says)
		}
	}
	if reserved, _, _ := w.lanes.count(); reserved != 0 || len(w.events()) != 0 {
		t.Errorf("%d reservations and %d events of what was refused", reserved, len(w.events()))
	}
}

func TestARefusalListsEveryMistakeInTheData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	bad := w.refused(publish.Input{Type: "domain.added", Data: json.RawMessage(`{"added_at":"yesterday","domain":""}`)})
	var names []string
	for _, f := range bad.Fields {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"data.added_at", "data.domain"}, names); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if text := bad.Error(); !strings.HasPrefix(text, "event 0: data.added_at: ") || !strings.Contains(text, "; data.domain: ") {
		t.Errorf("error text %q does not list both", text)
	}
}

// An older release may have taken a schema that this one does not.
func TestATypeWhoseSchemaCannotBeUsedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.eventType("invoice.paid", `{"type":5}`)
	w.publish(added("a.example"))
	bad := w.refused(publish.Input{Type: "invoice.paid", Data: json.RawMessage(`{}`)})
	if f := bad.Fields[0]; f.Name != "type" || !strings.Contains(f.Message, "the schema at /type must be") {
		t.Errorf("refused with %q: %q, want type and what is wrong with its schema", f.Name, f.Message)
	}
}

func TestTheEventsOfACallTogetherMayNotTakeTooLongToCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.eventType("invoice.paid", `{"items":{"enum":[`+strings.Repeat(`"",`, 4000)+`"x"]}}`)
	in := make([]publish.Input, 100)
	for i := range in {
		in[i] = publish.Input{Type: "invoice.paid", Data: json.RawMessage(`[` + strings.Repeat(`"x",`, 1000) + `"x"]`)}
	}
	bad := w.refused(in...)
	if f := bad.Fields[0]; bad.Index == 0 || f.Name != "data" || !strings.Contains(f.Message, "together with the events before it") {
		t.Errorf("event %d was refused with %q: %q, want a later one and the reason", bad.Index, f.Name, f.Message)
	}
}

func TestALongTypeIsNotRepeatedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	bad := w.refused(publish.Input{Type: strings.Repeat("x", 100_000), Data: json.RawMessage(`{}`)})
	if n := len(bad.Fields[0].Message); n > 500 {
		t.Errorf("the message has %d bytes", n)
	}
}

// envelope is how many bytes an event has beside its data.
func envelope(eventType string) int {
	return len(`{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"","created_at":"2026-03-08T12:34:56.789Z","data":}`) + len(eventType)
}

func TestAnEventMayHave256KiBAndNotAByteMore(t *testing.T) {
	t.Parallel()
	const name = "report.made"
	text := func(size int) json.RawMessage { // JSON of this many bytes
		return json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`)
	}
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	w.eventType(name, "")
	most := publish.MaxBody - envelope(name)
	w.publish(publish.Input{Type: name, Data: text(most)})
	if all := w.events(); len(all[0].Body) != 256<<10 {
		t.Fatalf("the largest event has %d bytes, want 256 KiB", len(all[0].Body))
	}
	// White space counts only where it is more than the limit by itself.
	spaced := append(json.RawMessage(strings.Repeat(" ", envelope(name))), text(most)...)
	w.publish(publish.Input{Type: name, Data: spaced})

	tests := []struct {
		name string
		data json.RawMessage
	}{
		{"a byte more", text(most + 1)},
		{"data alone at the limit", text(publish.MaxBody)},
		{"data alone beyond the limit", text(publish.MaxBody + 1)},
		{"white space beyond the limit", append(json.RawMessage(strings.Repeat(" ", publish.MaxBody)), `{}`...)},
	}
	for _, tt := range tests {
		bad := w.refused(publish.Input{Type: name, Data: tt.data})
		if !bad.TooLarge || bad.Fields[0].Name != "data" || !strings.Contains(bad.Fields[0].Message, "262144") {
			t.Errorf("%s: refused with %+v, want TooLarge, and data with the limit", tt.name, bad)
		}
	}
	if n := len(w.events()); n != 2 {
		t.Errorf("%d events on disk, want the 2 that fit", n)
	}
}

func TestABatchWithABadEventIsNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	bad := w.refused(added("a.example"), added("b.example"), publish.Input{Type: "domain.added"}, publish.Input{})
	if bad.Index != 2 {
		t.Errorf("refused because of event %d, want 2, the first that is wrong", bad.Index)
	}
	if n := len(w.events()); n != 0 {
		t.Errorf("%d events of it are on disk", n)
	}
	if reserved, _, _ := w.lanes.count(); reserved != 0 {
		t.Errorf("%d reservations were made for it", reserved)
	}
}

func TestABatchWithAConflictIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	const id = "01890a5d-ac96-774b-bcce-b302099a8057"
	first := added("a.example")
	first.ID = id
	w.publish(first)
	clash := added("b.example")
	clash.ID = id
	_, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{added("c.example"), clash, added("d.example")})
	if c := conflict(t, err); c.Index != 1 {
		t.Errorf("conflict names event %d, want 1", c.Index)
	}
	if n := len(w.events()); n != 1 {
		t.Errorf("%d events on disk, want the first alone", n)
	}
	if n := len(w.deliveries()); n != 1 {
		t.Errorf("%d deliveries on disk, want the first alone", n)
	}
	if reserved, handed, released := w.lanes.count(); reserved != 4 || handed != 1 || released != 3 {
		t.Errorf("%d reserved, %d handed over, %d released; want 4, 1 and 3", reserved, handed, released)
	}
}
