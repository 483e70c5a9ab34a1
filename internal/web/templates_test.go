package web

import (
	"testing"

	"github.com/jba/templatecheck"

	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// framed is a frame whose view has a type, which the checker follows into the page. A frame's own view can be anything.
type framed[V any] struct {
	frame
	View V
}

// shown has each page template with what it is shown with.
var shown = map[string]any{
	"accounts":          framed[accountsView]{},
	"audit":             framed[auditView]{},
	"deadletters":       framed[deadLettersView]{},
	"deliveries":        framed[deliveriesView]{},
	"delivery":          framed[deliveryView]{},
	"endpoint":          framed[endpointView]{},
	"endpoint_new":      framed[newEndpoint]{},
	"endpoint_settings": framed[endpointSettings]{},
	"endpoints":         framed[endpointsView]{},
	"event":             framed[eventView]{},
	"events":            framed[eventsView]{},
	"invite":            framed[entrance]{},
	"job":               framed[jobView]{},
	"keys":              framed[keysView]{},
	"members":           framed[membersView]{},
	"notifications":     framed[notificationsView]{},
	"onward":            framed[string]{},
	"portal":            framed[entrance]{},
	"profile":           framed[profileView]{},
	"recover":           framed[recoverView]{},
	"secret":            framed[madeSecret]{},
	"server":            framed[serverView]{},
	"sessions":          framed[sessionsView]{},
	"setup":             framed[entrance]{},
	"signin":            framed[entrance]{},
	"status":            framed[statusView]{},
	"trouble":           framed[trouble]{},
	"type":              framed[typeView]{},
	"types":             framed[[]manage.EventType]{},
}

// pieces has what is made of a page alone, to be put into one that is shown.
var pieces = []struct {
	page, name string
	view       any
}{
	{"deliveries", "live", live{}},
	{"endpoint_new", "url-said", checkedURL{}},
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
	for _, p := range pieces {
		if err := templatecheck.CheckHTMLStrict(all[p.page].Lookup(p.name), p.view); err != nil {
			t.Errorf("%s of templates/%s.html: %v", p.name, p.page, err)
		}
	}
	for name := range shown {
		if all[name] == nil {
			t.Errorf("the table above has %q, and there is no such template", name)
		}
	}
}
