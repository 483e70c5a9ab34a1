package web

import (
	"testing"

	"github.com/jba/templatecheck"

	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// framed is a frame whose view has a type, which the checker follows into the page. A frame's own view can be anything.
type framed[V any] struct {
	frame
	View V
}

// shown has each page template with what it is shown with.
var shown = map[string]any{
	"accounts":          framed[accountsView]{},
	"audit":             framed[listView[store.AuditEntry]]{},
	"deadletters":       framed[deadLettersView]{},
	"deliveries":        framed[deliveriesView]{},
	"delivery":          framed[deliveryView]{},
	"endpoint":          framed[endpointView]{},
	"endpoint_new":      framed[newEndpoint]{},
	"endpoint_settings": framed[endpointSettings]{},
	"endpoints":         framed[listView[endpointRow]]{},
	"event":             framed[eventView]{},
	"events":            framed[eventsView]{},
	"invite":            framed[entrance]{},
	"job":               framed[jobView]{},
	"keys":              framed[keysView]{},
	"members":           framed[membersView]{},
	"portal":            framed[entrance]{},
	"secret":            framed[madeSecret]{},
	"sessions":          framed[sessionsView]{},
	"setup":             framed[entrance]{},
	"signin":            framed[entrance]{},
	"status":            framed[statusView]{},
	"trouble":           framed[trouble]{},
	"type":              framed[manage.EventType]{},
	"types":             framed[[]manage.EventType]{},
}

// TestEveryTemplateFitsWhatItIsShownWith finds a field, a method or a function that a template misspells, also in
// branches that no other test reaches.
func TestEveryTemplateFitsWhatItIsShownWith(t *testing.T) {
	t.Parallel()
	all, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range all {
		view, ok := shown[name]
		if !ok {
			t.Errorf("templates/%s.html is not in the table above: add it with the view that its handler gives to render", name)
			continue
		}
		if err := templatecheck.CheckHTMLStrict(page, view); err != nil {
			t.Errorf("templates/%s.html: %v", name, err)
		}
	}
	for name := range shown {
		if all[name] == nil {
			t.Errorf("the table above has %q, and there is no such template", name)
		}
	}
}
