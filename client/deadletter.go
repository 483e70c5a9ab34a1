package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
)

// DeadLetterQuery narrows the dead letter queue.
type DeadLetterQuery struct {
	EndpointID string `query:"endpoint_id" doc:"Only deliveries to this endpoint."`
	Type       string `query:"type" doc:"Only events of this type."`
	Class      string `query:"class" doc:"Only deliveries whose last attempt ended so."`
	From       Time   `query:"from" doc:"Only what was made at this time or later."`
	To         Time   `query:"to" doc:"Only what was made before this time."`
	Group      string `query:"group" doc:"Count the whole queue instead of listing it: by endpoint, or by cause." enum:"endpoint,cause"`
	PageQuery
}

// DeadLetters is a page of the dead letter queue, or its counts.
type DeadLetters struct {
	Data       []Delivery        `json:"data" doc:"Failed deliveries, newest first; empty when groups were asked for."`
	NextCursor *string           `json:"next_cursor" doc:"Give it as cursor to get the next page; null when this is the last. While there is one, a page may be short or empty: a filter that little matches is looked for a second at a time."`
	Groups     []DeadLetterGroup `json:"groups,omitempty" doc:"The counts, the largest first; only with group."`
}

// DeadLetterGroup is how many failed deliveries one endpoint or one cause has.
type DeadLetterGroup struct {
	EndpointID string `json:"endpoint_id,omitempty" doc:"The endpoint, when grouped by endpoint."`
	Cause      string `json:"cause,omitempty" doc:"How the last attempt ended, when grouped by cause."`
	Count      int    `json:"count" doc:"How many deliveries."`
}

// DeadLetters reads a page of the dead letter queue.
func (c *Client) DeadLetters(ctx context.Context, q DeadLetterQuery) (DeadLetters, error) {
	q.Group = ""
	return get[DeadLetters](ctx, c, "/v1/dead-letters", q)
}

// CountDeadLetters counts the queue by "endpoint" or "cause".
func (c *Client) CountDeadLetters(ctx context.Context, by string) ([]DeadLetterGroup, error) {
	out, err := get[DeadLetters](ctx, c, "/v1/dead-letters", DeadLetterQuery{Group: by})
	return out.Groups, err
}

// maxLine bounds a line of an export; a delivery takes about half a kilobyte.
const maxLine = 1 << 20

// ExportDeadLetters goes through the whole queue as the server sends it, one
// delivery a line (NDJSON), without holding it in memory. The loop ends after the
// last one or at the first error; an export that broke off ends with an error.
func (c *Client) ExportDeadLetters(ctx context.Context, q DeadLetterQuery) iter.Seq2[Delivery, error] {
	q.Group, q.PageQuery = "", PageQuery{}
	return func(yield func(Delivery, error) bool) {
		res, err := c.open(ctx, call{
			method: http.MethodGet, path: "/v1/dead-letters", query: queryOf(q), accept: "application/x-ndjson",
		})
		if err != nil {
			yield(Delivery{}, err)
			return
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			var d Delivery
			if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
				yield(Delivery{}, fmt.Errorf("export: a line is not a delivery: %w", err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Delivery{}, fmt.Errorf("export broke off: %w", err))
		}
	}
}
