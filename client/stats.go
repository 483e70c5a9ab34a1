package client

import "context"

// StatsQuery asks for numbers.
type StatsQuery struct {
	EndpointID string `query:"endpoint_id" doc:"Only this endpoint; left out, all of the account."`
	Window     string `query:"window" doc:"How far back, such as 15m, 24h or 7d; from 1m to 30d." default:"24h"`
}

// Stats are the numbers of a span of time.
type Stats struct {
	From Time `json:"from" doc:"The start of the span, a whole minute."`
	To   Time `json:"to" doc:"Its end; the last minute may not be over."`
	Health
	Retries int     `json:"retries" doc:"Attempts made because one before failed. The first of what was let go, or is sent once more by hand, is none."`
	StepS   int     `json:"step_s" doc:"The width of a point of the series, in seconds: 60 for a window of up to a day, more for a longer one, so that there are at most 1500 points."`
	Series  []Point `json:"series" doc:"The span step by step, oldest first, without gaps."`
}

// Point is one step of a series.
type Point struct {
	At        Time     `json:"at" doc:"Its start."`
	Succeeded int      `json:"succeeded" doc:"Attempts answered with 2xx in time."`
	Failed    int      `json:"failed" doc:"The others."`
	Retries   int      `json:"retries" doc:"Attempts made because one before failed. The first of what was let go, or is sent once more by hand, is none."`
	Delivered int      `json:"delivered" doc:"Deliveries that came to a good end."`
	Dead      int      `json:"dead" doc:"Deliveries that went to the dead letter queue."`
	P50       *float64 `json:"p50_ms" doc:"Half of the attempts took at most this many milliseconds: an upper bound, rounded up to 1, 2, 5, 10, 20, 50 and so on to 10000 or 30000; 30000 stands for longer ones, too; null without attempts."`
	P95       *float64 `json:"p95_ms" doc:"The same for 95 of 100."`
}

// Stats reads the numbers of an endpoint or of the account.
func (c *Client) Stats(ctx context.Context, q StatsQuery) (Stats, error) {
	return get[Stats](ctx, c, "/v1/stats", q)
}
