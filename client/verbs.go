package client

import (
	"context"
	"net/http"
)

// get reads what a path answers; query is a struct with query tags, or nil.
func get[T any](ctx context.Context, c *Client, path string, query any) (T, error) {
	var out T
	in := call{method: http.MethodGet, path: path}
	if query != nil {
		in.query = queryOf(query)
	}
	_, err := c.do(ctx, in, &out)
	return out, err
}

// send sends a body, nil for none, and reads the answer.
func send[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var out T
	_, err := c.do(ctx, call{method: method, path: path, body: body}, &out)
	return out, err
}
