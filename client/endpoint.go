package client

import (
	"context"
	"net/http"
)

// The states of an endpoint.
const (
	StateEnabled  = "enabled"
	StateDisabled = "disabled"
)

// Mask stands for the value of a header that looks secret. Sent back in a change, it
// keeps the value that is stored.
const Mask = "••••"

// Header is one header line.
type Header struct {
	Name  string `json:"name" doc:"The header's name."`
	Value string `json:"value" doc:"Its value. Of an endpoint's own header whose name looks secret it is answered as ••••, and sending that back keeps what is stored."`
}

// Endpoint is a URL that receives the events it subscribes to.
type Endpoint struct {
	ID                  string        `json:"id" doc:"ep_ and more."`
	URL                 string        `json:"url" doc:"Where events are sent."`
	Description         string        `json:"description" doc:"Words of your own."`
	Events              []string      `json:"events" doc:"What it subscribes to: exact names, prefixes such as scan.*, or * for all but operational events."`
	Enabled             bool          `json:"enabled" doc:"It receives."`
	State               string        `json:"state" doc:"The same in a word." enum:"enabled,disabled"`
	StatusText          string        `json:"status_text,omitempty" doc:"What is the matter with it and what to do, in plain words; left out when nothing is."`
	DisabledReason      string        `json:"disabled_reason" doc:"Why it is disabled; empty when it is not." enum:",manual,consecutive_failures,gone"`
	DisabledAt          *Time         `json:"disabled_at" doc:"Since when it is disabled."`
	ConsecutiveFailures int           `json:"consecutive_failures" doc:"Failed attempts in a row that count toward disabling it; a success sets it to 0."`
	Narrow              bool          `json:"narrow" doc:"After several failures in a row it gets one attempt at a time, with pauses, until a success."`
	Headers             []Header      `json:"headers" doc:"Headers sent with every request beside the documented ones."`
	RateLimit           int           `json:"rate_limit" doc:"The most attempts per second; 0 = no limit."`
	Concurrency         int           `json:"concurrency" doc:"The most attempts at once; 0 = the server's setting."`
	WaitingCount        int           `json:"waiting_count" doc:"Deliveries that wait or are being sent. Counted up to 10000, in lists up to 1000, which means this many or more."`
	HeldCount           int           `json:"held_count" doc:"Deliveries held until it is enabled; counted likewise."`
	FailedCount         int           `json:"failed_count" doc:"Deliveries in the dead letter queue; counted likewise."`
	NextAttemptAt       *Time         `json:"next_attempt_at" doc:"When the next attempt is due of what waits; null when nothing does. What is being sent has none."`
	LastSuccessAt       *Time         `json:"last_success_at" doc:"When it last answered with 2xx."`
	Health              Health        `json:"health" doc:"Its last 24 hours."`
	Alerts              []Alert       `json:"alerts" doc:"What the health watch finds wrong with it now, oldest first."`
	SinceEnabled        *SinceEnabled `json:"since_enabled,omitempty" doc:"How it does since it was enabled again; left out when that is over 24 hours ago, or it was never disabled, or is now."`
	Secrets             []SecretInfo  `json:"secrets,omitempty" doc:"Its signing secrets, oldest first, without their text; left out in lists."`
	Secret              string        `json:"secret,omitempty" doc:"The signing secret. It is answered here, when the endpoint is made, and never again."`
	CreatedAt           Time          `json:"created_at" doc:"When it was made."`
	UpdatedAt           Time          `json:"updated_at" doc:"When its settings were last changed."`
}

// Health is what attempts came to over a span of time. Failures on the server's own
// side are not counted.
type Health struct {
	Window      string   `json:"window" doc:"The span, such as 24h."`
	Attempts    int      `json:"attempts" doc:"Attempts made."`
	Succeeded   int      `json:"succeeded" doc:"Those answered with 2xx in time."`
	Failed      int      `json:"failed" doc:"The others."`
	SuccessRate *float64 `json:"success_rate" doc:"Share of attempts that succeeded, 0 to 1; null without attempts."`
	P50         *float64 `json:"p50_ms" doc:"Half of the attempts took at most this many milliseconds: an upper bound, rounded up to 1, 2, 5, 10, 20, 50 and so on to 10000 or 30000; 30000 stands for longer ones, too; null without attempts."`
	P95         *float64 `json:"p95_ms" doc:"The same for 95 of 100."`
	P99         *float64 `json:"p99_ms" doc:"The same for 99 of 100."`
	Delivered   int      `json:"delivered" doc:"Deliveries that came to a good end."`
	Dead        int      `json:"dead" doc:"Deliveries that went to the dead letter queue."`
}

// SecretInfo is a signing secret without its text.
type SecretInfo struct {
	Fingerprint string `json:"fingerprint" doc:"The first 12 hexadecimal characters of the secret's SHA-256."`
	Role        string `json:"role" doc:"current signs both schemes; next is prepared and signs webhook-signature only; old is replaced and does so until its end." enum:"current,next,old"`
	CreatedAt   Time   `json:"created_at" doc:"When it was made."`
	ExpiresAt   *Time  `json:"expires_at" doc:"When an old secret stops signing."`
}

// NewSecret is a secret that was just made, with its text.
type NewSecret struct {
	SecretInfo
	Secret string `json:"secret" doc:"The text of the secret. It is answered here and never again."`
}

// NewEndpoint is an endpoint to make.
type NewEndpoint struct {
	URL         string   `json:"url" doc:"Where to send events: https, or http://localhost on a server in development mode." maxLength:"2048"`
	Events      []string `json:"events" doc:"What to subscribe to: exact names, prefixes such as scan.*, or * for all but operational events." minItems:"1"`
	Description string   `json:"description,omitempty" doc:"Words of your own." maxLength:"500"`
	Enabled     *bool    `json:"enabled,omitempty" doc:"False makes it disabled: what is published meanwhile is held." default:"true"`
	Headers     []Header `json:"headers,omitempty" doc:"Headers to send with every request beside the documented ones."`
	RateLimit   int      `json:"rate_limit,omitempty" doc:"The most attempts per second; 0 = no limit." minimum:"0" maximum:"10000"`
	Concurrency int      `json:"concurrency,omitempty" doc:"The most attempts at once; 0 = the server's setting." minimum:"0" maximum:"1000"`
}

// EndpointPatch changes what it names.
type EndpointPatch struct {
	URL         *string   `json:"url,omitempty" doc:"Where to send events." maxLength:"2048"`
	Events      *[]string `json:"events,omitempty" doc:"What to subscribe to." minItems:"1"`
	Description *string   `json:"description,omitempty" doc:"Words of your own." maxLength:"500"`
	Enabled     *bool     `json:"enabled,omitempty" doc:"False disables it; true enables it and sends what is held."`
	Headers     *[]Header `json:"headers,omitempty" doc:"All of its own headers; a value of •••• keeps the one that is stored under the same name."`
	RateLimit   *int      `json:"rate_limit,omitempty" doc:"The most attempts per second; 0 = no limit." minimum:"0" maximum:"10000"`
	Concurrency *int      `json:"concurrency,omitempty" doc:"The most attempts at once; 0 = the server's setting." minimum:"0" maximum:"1000"`
}

// DeletedEndpoint says what deleting an endpoint gave up.
type DeletedEndpoint struct {
	ID        string `json:"id" doc:"The endpoint."`
	Discarded int    `json:"discarded" doc:"How many deliveries waited for it or were held, and are given up."`
	DryRun    bool   `json:"dry_run" doc:"It was only counted; nothing was deleted."`
}

// Disable says why an endpoint is stopped.
type Disable struct {
	Reason string `json:"reason,omitempty" doc:"Words for the audit." maxLength:"500"`
}

// Enable says what to do with what was held.
type Enable struct {
	Held      string `json:"held,omitempty" doc:"send lets all held deliveries go, paced; newest only the last one; keep leaves them held." enum:"send,newest,keep" default:"send"`
	PerSecond int    `json:"per_second,omitempty" doc:"The pace of send." minimum:"1" maximum:"10000" default:"50"`
}

// EnabledEndpoint is an endpoint that receives again.
type EnabledEndpoint struct {
	Endpoint Endpoint `json:"endpoint" doc:"The endpoint."`
	Held     int      `json:"held" doc:"How many deliveries were held for it."`
	Job      *Job     `json:"job,omitempty" doc:"The job that lets them go; left out when nothing is let go."`
}

// TestEndpoint says which event to send as a test.
type TestEndpoint struct {
	Type string `json:"type,omitempty" doc:"The type whose sample is sent." default:"scan.completed"`
}

// TestResult is what came of a test.
type TestResult struct {
	Succeeded bool    `json:"succeeded" doc:"The endpoint answered with 2xx in time."`
	EventID   string  `json:"event_id" doc:"The event that was made for it." format:"uuid"`
	EventType string  `json:"event_type" doc:"Its type."`
	Attempt   Attempt `json:"attempt" doc:"The attempt: status, times, request, answer and diagnosis."`
}

// Overlap says how long a replaced secret goes on signing.
type Overlap struct {
	Overlap string `json:"overlap,omitempty" doc:"A duration such as 24h or 7d, at most 7d; 0s = compromised, stop at once." default:"24h"`
}

// CheckSecret asks either whether a text is one of the endpoint's secrets, or what is
// the matter with a signature.
type CheckSecret struct {
	Secret     string `json:"secret,omitempty" doc:"The text of a secret to look for."`
	Body       string `json:"body,omitempty" doc:"The body that was received, exactly."`
	BodyBase64 string `json:"body_base64,omitempty" doc:"The same in base64, for bodies that are not text."`
	Signature  string `json:"signature,omitempty" doc:"The signature that came with it."`
	ID         string `json:"webhook_id,omitempty" doc:"The webhook-id that came with it; needed for a webhook-signature."`
	Timestamp  string `json:"webhook_timestamp,omitempty" doc:"The webhook-timestamp that came with it; needed for a webhook-signature."`
}

// CheckedSecret says what was found.
type CheckedSecret struct {
	Match       bool   `json:"match" doc:"The secret, or the signature, is right."`
	Role        string `json:"role" doc:"The role of the secret that matches; empty when none does." enum:",current,next,old"`
	Fingerprint string `json:"fingerprint" doc:"Its fingerprint."`
	Message     string `json:"message" doc:"What matches, or which mistake it looks like and what to do."`
}

// Endpoints reads a page of endpoints.
func (c *Client) Endpoints(ctx context.Context, q PageQuery) (Page[Endpoint], error) {
	return get[Page[Endpoint]](ctx, c, "/v1/endpoints", q)
}

// Endpoint reads one endpoint.
func (c *Client) Endpoint(ctx context.Context, id string) (Endpoint, error) {
	return get[Endpoint](ctx, c, path("/v1/endpoints", id), nil)
}

// CreateEndpoint makes an endpoint; only this answer has its Secret.
func (c *Client) CreateEndpoint(ctx context.Context, in NewEndpoint) (Endpoint, error) {
	return send[Endpoint](ctx, c, http.MethodPost, "/v1/endpoints", in)
}

// UpdateEndpoint changes an endpoint.
func (c *Client) UpdateEndpoint(ctx context.Context, id string, in EndpointPatch) (Endpoint, error) {
	return send[Endpoint](ctx, c, http.MethodPatch, path("/v1/endpoints", id), in)
}

// DeleteEndpoint deletes an endpoint and discards what waits for it; a dry run only
// counts that.
func (c *Client) DeleteEndpoint(ctx context.Context, id string, dryRun bool) (DeletedEndpoint, error) {
	var out DeletedEndpoint
	in := call{method: http.MethodDelete, path: path("/v1/endpoints", id)}
	if dryRun {
		in.query = map[string][]string{"dry_run": {"true"}}
	}
	_, err := c.do(ctx, in, &out)
	return out, err
}

// DisableEndpoint stops an endpoint; what is for it is held.
func (c *Client) DisableEndpoint(ctx context.Context, id string, in Disable) (Endpoint, error) {
	return send[Endpoint](ctx, c, http.MethodPost, path("/v1/endpoints", id, "disable"), in)
}

// EnableEndpoint lets an endpoint receive again.
func (c *Client) EnableEndpoint(ctx context.Context, id string, in Enable) (EnabledEndpoint, error) {
	return send[EnabledEndpoint](ctx, c, http.MethodPost, path("/v1/endpoints", id, "enable"), in)
}

// TestEndpoint sends a real signed delivery now, once; it works on a disabled endpoint.
func (c *Client) TestEndpoint(ctx context.Context, id string, in TestEndpoint) (TestResult, error) {
	return send[TestResult](ctx, c, http.MethodPost, path("/v1/endpoints", id, "test"), in)
}

// PrepareSecret makes the next secret; only this answer has its text.
func (c *Client) PrepareSecret(ctx context.Context, id string) (NewSecret, error) {
	return send[NewSecret](ctx, c, http.MethodPost, path("/v1/endpoints", id, "secret", "prepare"), nil)
}

// PromoteSecret makes the prepared secret the current one.
func (c *Client) PromoteSecret(ctx context.Context, id string, in Overlap) (SecretInfo, error) {
	return send[SecretInfo](ctx, c, http.MethodPost, path("/v1/endpoints", id, "secret", "promote"), in)
}

// RotateSecret prepares and promotes in one step; only this answer has the text.
func (c *Client) RotateSecret(ctx context.Context, id string, in Overlap) (NewSecret, error) {
	return send[NewSecret](ctx, c, http.MethodPost, path("/v1/endpoints", id, "secret", "rotate"), in)
}

// CheckSecret finds the secret that matches, or the mistake.
func (c *Client) CheckSecret(ctx context.Context, id string, in CheckSecret) (CheckedSecret, error) {
	return send[CheckedSecret](ctx, c, http.MethodPost, path("/v1/endpoints", id, "secret", "check"), in)
}

// Replay retries an endpoint's deliveries of a span of time, paced, as a job.
func (c *Client) Replay(ctx context.Context, id string, in Replay) (Bulk, error) {
	return send[Bulk](ctx, c, http.MethodPost, path("/v1/endpoints", id, "replay"), in)
}
