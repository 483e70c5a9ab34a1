package delivery

// Status says where a delivery stands (contract section 2).
type Status string

// The statuses of a delivery. docs/states.md draws how they follow each other.
const (
	Pending   Status = "pending"   // waits for its first attempt
	Sending   Status = "sending"   // leased to a node; its attempt may be on the wire
	Retrying  Status = "retrying"  // waits for its next attempt
	Delivered Status = "delivered" // answered with 2xx
	Failed    Status = "failed"    // in the dead letter queue
	Held      Status = "held"      // waits for its endpoint to be enabled
	Discarded Status = "discarded" // given up on purpose, with a reason
)

// Statuses lists every status, in the order in which a delivery may meet them.
func Statuses() []Status {
	return []Status{Pending, Sending, Retrying, Delivered, Failed, Held, Discarded}
}

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool {
	switch s {
	case Pending, Sending, Retrying, Delivered, Failed, Held, Discarded:
		return true
	}
	return false
}

// Waiting reports whether a delivery in this status waits for its due time.
func (s Status) Waiting() bool { return s == Pending || s == Retrying }

// Ended reports whether nothing more happens to a delivery in this status
// unless a person asks for it.
func (s Status) Ended() bool { return s == Delivered || s == Failed || s == Discarded }

// Cycle says who asked for the attempts that are being made.
type Cycle string

// The cycles of a delivery.
const (
	Automatic Cycle = "automatic" // the attempts that follow from publishing
	Manual    Cycle = "manual"    // a person or a bulk retry asked again; never counts toward disabling
	Test      Cycle = "test"      // one attempt, no retry, touches nobody's count
)

// State says whether an endpoint receives (contract section 2).
type State string

// The states of an endpoint.
const (
	Enabled  State = "enabled"
	Disabled State = "disabled"
	Deleted  State = "deleted" // kept until retention has taken its log
)

// Reason says why an endpoint is disabled.
type Reason string

// The reasons for which an endpoint is disabled.
const (
	ByHand       Reason = "manual"               // a person disabled or paused it, or made it disabled
	ByFailures   Reason = "consecutive_failures" // Policy.DisableAfter failed attempts in a row
	ByGone       Reason = "gone"                 // it answered 410 and Policy.DisableOnGone is set
	NotDisabled  Reason = ""
	discardTest         = "a test is sent once and never retried"
	discardOwner        = "its endpoint was deleted"
)
