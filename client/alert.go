package client

import "context"

// Alert is a time for which an endpoint was not well: a large share of its attempts of an hour
// failed, took longer than 10 s or were retries. It closes by itself.
type Alert struct {
	ID         string  `json:"id" doc:"alt_ and more."`
	EndpointID string  `json:"endpoint_id" doc:"Whose it is."`
	Kind       string  `json:"kind" doc:"failing: attempts fail; slow: attempts take longer than 10 s; retries: attempts are made because one before failed." enum:"failing,slow,retries"`
	Open       bool    `json:"open" doc:"It has not closed yet."`
	Value      float64 `json:"value" doc:"The share of such attempts when it opened, 0 to 1."`
	Threshold  float64 `json:"threshold" doc:"The share above which it opens. It closes at half of that."`
	WindowS    int     `json:"window_s" doc:"How far back was looked when it opened, in seconds."`
	Attempts   int     `json:"attempts" doc:"The attempts in that window. Tests, manual retries and operational events are not among them."`
	Failed     int     `json:"failed" doc:"Those of them that failed."`
	OpenedAt   Time    `json:"opened_at" doc:"When it opened."`
	ClosedAt   *Time   `json:"closed_at" doc:"When it closed."`
	Reason     string  `json:"closed_reason,omitempty" doc:"Why it closed. well: attempts go well again; no_attempts: nothing was attempted, so that nobody knows whether it would go well; deleted: the endpoint was deleted. Left out while it is open." enum:"well,no_attempts,deleted"`
}

// SinceEnabled is how an endpoint does since it was enabled again.
type SinceEnabled struct {
	At        Time `json:"at" doc:"When it was enabled."`
	Delivered int  `json:"delivered" doc:"Deliveries that came to a good end since."`
	Dead      int  `json:"dead" doc:"Deliveries that went to the dead letter queue since, and are still there."`
	Of        int  `json:"of" doc:"These, and those that wait or are being sent now. What was left held, or given up, is not among them. A delivery that arrived and was sent once more by hand counts again."`
}

// AlertQuery narrows a list of alerts.
type AlertQuery struct {
	EndpointID string `query:"endpoint_id" doc:"Only this endpoint's."`
	Open       bool   `query:"open" doc:"Only those that are open."`
	PageQuery
}

// Alerts reads a page of alerts, newest first.
func (c *Client) Alerts(ctx context.Context, q AlertQuery) (Page[Alert], error) {
	return get[Page[Alert]](ctx, c, "/v1/alerts", q)
}
