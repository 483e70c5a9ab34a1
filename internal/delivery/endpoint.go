package delivery

import "time"

// Limits of an endpoint's own settings.
const (
	DefaultConcurrency = 32 // attempts at once (contract section 5, --endpoint-concurrency)
	MaxConcurrency     = 1000
	MaxRateLimit       = 10_000 // attempts per second
)

// Endpoint is a URL that receives the events it subscribes to.
type Endpoint struct {
	ID          string // ep_...
	AccountID   string
	URL         string
	Description string
	Events      []string // exact names, prefixes such as scan.*, or *
	Headers     []Header // sent with every request beside ours
	RateLimit   int      // attempts per second; 0 = no limit
	Concurrency int      // attempts at once; 0 = the server's setting

	State          State
	DisabledReason Reason
	DisabledAt     time.Time
	EnabledAt      time.Time // when it was last enabled after it had been disabled; zero = never
	Health         Health

	CreatedAt     time.Time
	UpdatedAt     time.Time
	LastSuccessAt time.Time // zero before the first
}

// Delivery is one event for one endpoint, as it stands on disk.
type Delivery struct {
	ID         ID
	AccountID  string
	EventID    string
	EventType  string
	EndpointID string
	Status     Status
	Cycle      Cycle
	Attempts   int       // number of the last attempt
	Used       int       // steps of the schedule used up in this cycle
	DueAt      time.Time // next attempt while waiting, end of the lease while sending; else zero
	LastClass  Class     // of the last attempt; "" before the first
	LastCode   int       // its status code; 0 when no answer came
	Discard    string    // why, when discarded
	CreatedAt  time.Time
	UpdatedAt  time.Time
}
