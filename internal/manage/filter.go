package manage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// maxFilterTypes bounds how many types one filter names.
const maxFilterTypes = 100

// deliveries checks a filter of deliveries, whose statuses must be among allowed.
func (m *mistakes) deliveries(f store.DeliveryFilter, allowed []delivery.Status) {
	m.id("endpoint_id", f.EndpointID)
	m.id("event_id", f.EventID)
	for _, s := range f.Statuses {
		if !slices.Contains(allowed, s) {
			m.add("status", "%.40q is not possible here; use %s", s, listed(allowed))
		}
	}
	if len(f.Types) > maxFilterTypes {
		m.add("types", "has %d entries; the most is %d", len(f.Types), maxFilterTypes)
	}
	for i, t := range f.Types {
		m.id(fmt.Sprintf("types[%d]", i), t)
	}
	if f.Class != "" && !slices.Contains(delivery.Classes(), f.Class) {
		m.add("class", "%.40q is not a cause; use one of %s", f.Class, listed(delivery.Classes()))
	}
	m.span(f.From, f.To)
}

// id checks that a filter's value could be an id or a name; "" does not filter.
func (m *mistakes) id(name, value string) {
	if value != "" && !plain(value) {
		m.add(name, "is not the form of one: copy it from a list")
	}
}

// span checks that a span of time is not empty; zero times leave it open.
func (m *mistakes) span(from, to time.Time) {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		m.add("to", "must be after from")
	}
}

// listed writes values with commas between them.
func listed[S ~string](values []S) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}
