package client

import (
	"context"
	"net/http"
	"strconv"
)

// The statuses of a delivery.
const (
	StatusPending   = "pending"   // waits for its first attempt
	StatusSending   = "sending"   // its attempt is under way
	StatusRetrying  = "retrying"  // waits for its next attempt
	StatusDelivered = "delivered" // answered with 2xx
	StatusFailed    = "failed"    // in the dead letter queue
	StatusHeld      = "held"      // waits for its endpoint to be enabled
	StatusDiscarded = "discarded" // given up, with a reason
)

// Delivery is one event for one endpoint.
type Delivery struct {
	ID             string `json:"id" doc:"Its number, the value of X-ComplianceLayer-Delivery." pattern:"^[0-9]+$"`
	EventID        string `json:"event_id" doc:"The event." format:"uuid"`
	EventType      string `json:"event_type" doc:"The event's type."`
	EndpointID     string `json:"endpoint_id" doc:"Where it goes."`
	Status         string `json:"status" doc:"Where it stands." enum:"pending,sending,retrying,delivered,failed,held,discarded"`
	Cycle          string `json:"cycle" doc:"Who asked for its latest attempts: publishing, a person, or a test." enum:"automatic,manual,test"`
	Attempts       int    `json:"attempts" doc:"How many attempts were made, of all cycles."`
	NextAttemptAt  *Time  `json:"next_attempt_at" doc:"When the next attempt is due; null when none is."`
	LastClass      string `json:"last_class" doc:"How the last attempt ended, in a word; empty before the first."`
	LastStatusCode int    `json:"last_status_code" doc:"The HTTP status of the last answer; 0 when none came."`
	DiscardReason  string `json:"discard_reason" doc:"Why it was given up; empty when it was not."`
	CreatedAt      Time   `json:"created_at" doc:"When its event was accepted."`
	UpdatedAt      Time   `json:"updated_at" doc:"When it last changed."`
}

// DeliveryLog is a delivery with its attempts.
type DeliveryLog struct {
	Delivery
	AttemptLog []Attempt `json:"attempt_log" doc:"Its attempts in order; read one of them to see the bodies."`
}

// Attempt is the record of one attempt.
type Attempt struct {
	DeliveryID  string           `json:"delivery_id" doc:"The delivery." pattern:"^[0-9]+$"`
	Number      int              `json:"number" doc:"1, 2, 3 and so on over all cycles."`
	Cycle       string           `json:"cycle" doc:"Who asked for it." enum:"automatic,manual,test"`
	Node        string           `json:"node,omitempty" doc:"Which server process made it."`
	StartedAt   Time             `json:"started_at" doc:"When it began."`
	EndedAt     *Time            `json:"ended_at" doc:"When it ended; null when that is unknown."`
	StatusCode  int              `json:"status_code" doc:"The HTTP status of the answer; 0 when none came."`
	ErrorClass  string           `json:"error_class" doc:"How it ended, in a word; ok for a success."`
	Hint        string           `json:"hint" doc:"What went wrong and what to do about it; empty on success."`
	RetryAfterS float64          `json:"retry_after_s" doc:"The pause, in seconds, that the receiver asked for with 429 or 503; else 0."`
	DNS         float64          `json:"dns_ms" doc:"Milliseconds of name resolution; 0 on a connection that was open."`
	Connect     float64          `json:"connect_ms" doc:"Milliseconds to connect."`
	TLS         float64          `json:"tls_ms" doc:"Milliseconds of the TLS handshake."`
	TTFB        float64          `json:"ttfb_ms" doc:"Milliseconds from the request written to the first byte of the answer."`
	Total       float64          `json:"total_ms" doc:"Milliseconds in all."`
	Request     *AttemptRequest  `json:"request,omitempty" doc:"What was sent; left out in a delivery's log."`
	Response    *AttemptResponse `json:"response,omitempty" doc:"What came back; left out in a delivery's log and when nothing came."`
}

// AttemptRequest is what was sent.
type AttemptRequest struct {
	URL        string   `json:"url" doc:"Where it was sent."`
	Headers    []Header `json:"headers" doc:"Its headers, in order."`
	Body       string   `json:"body" doc:"Its body, exactly; empty when body_base64 is there."`
	BodyBase64 string   `json:"body_base64,omitempty" doc:"The body in base64, when it is not valid UTF-8."`
}

// AttemptResponse is what came back, as far as it came.
type AttemptResponse struct {
	Proto      string   `json:"proto" doc:"HTTP/1.1 or HTTP/2.0."`
	Headers    []Header `json:"headers" doc:"Its headers, in order."`
	Body       string   `json:"body" doc:"Its body, at most 64 KiB; empty when body_base64 is there."`
	BodyBase64 string   `json:"body_base64,omitempty" doc:"The body in base64, when it is not valid UTF-8."`
	Truncated  bool     `json:"truncated" doc:"There was more, or it did not end well."`
}

// DeliveryQuery narrows a list of deliveries.
type DeliveryQuery struct {
	EndpointID string   `query:"endpoint_id" doc:"Only deliveries to this endpoint."`
	EventID    string   `query:"event_id" doc:"Only deliveries of this event."`
	Status     []string `query:"status" doc:"Only these statuses, with commas between them." enum:"pending,sending,retrying,delivered,failed,held,discarded"`
	Type       []string `query:"type" doc:"Only events of these types, with commas between them."`
	Class      string   `query:"class" doc:"Only deliveries whose last attempt ended so."`
	From       Time     `query:"from" doc:"Only what was made at this time or later."`
	To         Time     `query:"to" doc:"Only what was made before this time."`
	PageQuery
}

// DeliveryFilter says which deliveries a bulk change takes.
type DeliveryFilter struct {
	EndpointID string   `json:"endpoint_id,omitempty" doc:"Only deliveries to this endpoint."`
	EventID    string   `json:"event_id,omitempty" doc:"Only deliveries of this event."`
	Status     []string `json:"status,omitempty" doc:"Only these statuses; left out, failed. A retry takes failed, held, delivered and discarded; a discard takes failed, held, pending and retrying." enum:"failed,held,delivered,discarded,pending,retrying"`
	Types      []string `json:"types,omitempty" doc:"Only events of these types."`
	Class      string   `json:"class,omitempty" doc:"Only deliveries whose last attempt ended so."`
	From       *Time    `json:"from,omitempty" doc:"Only what was made at this time or later."`
	To         *Time    `json:"to,omitempty" doc:"Only what was made before this time."`
}

// BulkRetry retries many deliveries.
type BulkRetry struct {
	Filter    DeliveryFilter `json:"filter" doc:"Which deliveries."`
	PerSecond int            `json:"per_second,omitempty" doc:"The pace." minimum:"1" maximum:"10000" default:"50"`
	DryRun    bool           `json:"dry_run,omitempty" doc:"Only count."`
}

// BulkDiscard gives many deliveries up.
type BulkDiscard struct {
	Filter DeliveryFilter `json:"filter" doc:"Which deliveries."`
	Reason string         `json:"reason" doc:"Why." minLength:"1" maxLength:"500"`
	DryRun bool           `json:"dry_run,omitempty" doc:"Only count."`
}

// Replay retries an endpoint's deliveries of a span of time.
type Replay struct {
	From      Time     `json:"from" doc:"What was made at this time or later ..."`
	To        Time     `json:"to" doc:"... and before this one."`
	Status    []string `json:"status,omitempty" doc:"Only these statuses; left out, failed." enum:"failed,held,delivered,discarded"`
	Types     []string `json:"types,omitempty" doc:"Only events of these types."`
	PerSecond int      `json:"per_second,omitempty" doc:"The pace." minimum:"1" maximum:"10000" default:"50"`
	DryRun    bool     `json:"dry_run,omitempty" doc:"Only count."`
}

// Bulk says what a bulk change takes.
type Bulk struct {
	Count   int  `json:"count" doc:"How many deliveries match now. Tests, which cannot be retried, are not among those of a retry."`
	Skipped int  `json:"skipped" doc:"How many of them a retry passes over because their endpoint is disabled or deleted: test it, enable it, and retry again. A discard passes over none."`
	Job     *Job `json:"job,omitempty" doc:"The job that does it; left out in a dry run and when nothing that matches can be changed."`
}

// Discard gives a reason for giving up.
type Discard struct {
	Reason string `json:"reason" doc:"Why." minLength:"1" maxLength:"500"`
}

// Deliveries reads a page of deliveries, newest first.
func (c *Client) Deliveries(ctx context.Context, q DeliveryQuery) (Page[Delivery], error) {
	return get[Page[Delivery]](ctx, c, "/v1/deliveries", q)
}

// Delivery reads one delivery with its attempts.
func (c *Client) Delivery(ctx context.Context, id string) (DeliveryLog, error) {
	return get[DeliveryLog](ctx, c, path("/v1/deliveries", id), nil)
}

// Attempt reads the whole request and response of one attempt.
func (c *Client) Attempt(ctx context.Context, deliveryID string, number int) (Attempt, error) {
	return get[Attempt](ctx, c, path("/v1/deliveries", deliveryID, "attempts", strconv.Itoa(number)), nil)
}

// RetryDelivery begins a new cycle of a delivery now.
func (c *Client) RetryDelivery(ctx context.Context, id string) (Delivery, error) {
	return send[Delivery](ctx, c, http.MethodPost, path("/v1/deliveries", id, "retry"), nil)
}

// DiscardDelivery gives a delivery up.
func (c *Client) DiscardDelivery(ctx context.Context, id string, in Discard) (Delivery, error) {
	return send[Delivery](ctx, c, http.MethodPost, path("/v1/deliveries", id, "discard"), in)
}

// RetryDeliveries retries many deliveries, paced, as a job.
func (c *Client) RetryDeliveries(ctx context.Context, in BulkRetry) (Bulk, error) {
	return send[Bulk](ctx, c, http.MethodPost, "/v1/deliveries/retry", in)
}

// DiscardDeliveries gives many deliveries up, as a job.
func (c *Client) DiscardDeliveries(ctx context.Context, in BulkDiscard) (Bulk, error) {
	return send[Bulk](ctx, c, http.MethodPost, "/v1/deliveries/discard", in)
}
