// Package settle waits before something is posted again whose first post may or may not
// have arrived: the vendor's search, which is asked for it, learns of a post some time
// after it was made. It sits between an integration and its vendor and sends nothing.
package settle

import (
	"fmt"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// Default is how long a search is given to learn of a post. Jira says that most changes
// are there within seconds
// (https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/); Datadog
// says nothing.
const Default = 30 * time.Second

// maxKnown bounds what is remembered. One integration rarely has more than one.
const maxKnown = 1000

// Waits remembers since when it is not known whether events were posted. What is
// remembered dies with the process; then the wait begins anew, which is only longer.
type Waits struct {
	length time.Duration
	now    func() time.Time

	mu    sync.Mutex
	since map[string]time.Time
	order []string // of since, the oldest first
}

// New makes Waits of a length; a negative one waits for nothing.
func New(length time.Duration, now func() time.Time) *Waits {
	return &Waits{length: length, now: now, since: map[string]time.Time{}}
}

// Begin notes that it is not known from now on whether an event was posted.
func (w *Waits) Begin(eventID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(eventID)
}

func (w *Waits) begin(eventID string) {
	if _, known := w.since[eventID]; !known {
		w.order = append(w.order, eventID)
	}
	w.since[eventID] = w.now()
	if len(w.order) > maxKnown {
		delete(w.since, w.order[0])
		w.order = w.order[1:]
	}
}

// Check is asked when the search does not know of an event that may have been posted.
// Nil says that the search has had its time, and the event can be posted; else it is the
// failure by which the event comes again later.
func (w *Waits) Check(eventID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, known := w.since[eventID]
	if !known {
		w.begin(eventID)
		since = w.now()
	}
	left := w.length - w.now().Sub(since)
	if left <= 0 {
		return nil
	}
	return &receiver.Failure{
		Err:         fmt.Errorf("an earlier try may have posted it, and the search may not know yet: asked again in %v", left.Round(time.Second)),
		Unavailable: true, After: left, Unsure: true,
	}
}

// End forgets an event.
func (w *Waits) End(eventID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.since[eventID]; !known {
		return
	}
	delete(w.since, eventID)
	for i, id := range w.order {
		if id == eventID {
			w.order = append(w.order[:i:i], w.order[i+1:]...)
			return
		}
	}
}
