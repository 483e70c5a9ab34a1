package sqlstore

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func attemptRow(a *delivery.Attempt) []any {
	return []any{
		int64(a.DeliveryID), a.Number, string(a.Cycle), a.Node, ms(a.StartedAt), ms(a.EndedAt), string(a.Class), a.StatusCode,
		a.RetryAfter.Milliseconds(), string(a.Effect), text(a.Hint), text(a.LocalInfo),
		a.Timing.DNS.Microseconds(), a.Timing.Connect.Microseconds(), a.Timing.TLS.Microseconds(),
		a.Timing.FirstByte.Microseconds(), a.Timing.Total.Microseconds(),
		text(a.Request.URL), headerLines(a.Request.Header), text(a.Response.Proto), headerLines(a.Response.Header), notNil(a.Response.Body), boolean(a.Response.Truncated), ms(a.PlannedAt),
	}
}

// text makes a string fit for a text column: receivers have a say in some, and
// PostgreSQL takes neither bytes that are not UTF-8 nor a NUL.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// notNil keeps an empty body empty: a nil slice would be null.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

const (
	attemptColumns = `delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect, hint, local_info,
		dns, connect, tls, first_byte, total, url, request, proto, response, truncated, planned_at`
	attemptBody = `, body`
)

func scanAttempt(r scanner, body *[]byte) (delivery.Attempt, error) {
	var a delivery.Attempt
	var started, ended, planned, retryAfter, dns, connect, tls, first, total int64
	var request, response []byte
	var truncated int
	dest := []any{
		&a.DeliveryID, &a.Number, &a.Cycle, &a.Node, &started, &ended, &a.Class, &a.StatusCode, &retryAfter, &a.Effect, &a.Hint, &a.LocalInfo,
		&dns, &connect, &tls, &first, &total, &a.Request.URL, &request, &a.Response.Proto, &response, &truncated, &planned,
	}
	if body != nil {
		dest = append(dest, body)
	}
	if err := r.Scan(dest...); err != nil {
		return a, err
	}
	a.StartedAt, a.EndedAt, a.PlannedAt = at(started), at(ended), at(planned)
	a.RetryAfter = time.Duration(retryAfter) * time.Millisecond
	micro := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	a.Timing = delivery.Timing{DNS: micro(dns), Connect: micro(connect), TLS: micro(tls), FirstByte: micro(first), Total: micro(total)}
	a.Request.Header, a.Response.Header = parseHeaderLines(request), parseHeaderLines(response)
	a.Response.Truncated = truncated != 0
	return a, nil
}

// headerLines keeps headers as they stand in a request: a line each. Neither a
// name nor a value can hold a line feed (RFC 9110 section 5.5).
func headerLines(hs []delivery.Header) []byte {
	size := 0
	for _, h := range hs {
		size += len(h.Name) + len(h.Value) + 3
	}
	b := make([]byte, 0, size)
	for _, h := range hs {
		b = append(b, h.Name...)
		b = append(b, ": "...)
		b = append(b, h.Value...)
		b = append(b, '\n')
	}
	return b
}

func parseHeaderLines(b []byte) []delivery.Header {
	var hs []delivery.Header
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		hs = append(hs, delivery.Header{Name: string(name), Value: string(value)})
	}
	return hs
}

// Attempts reads a delivery's attempts in order, without response bodies.
func (s *Store) Attempts(ctx context.Context, accountID string, id delivery.ID) ([]delivery.Attempt, error) {
	if _, err := s.Delivery(ctx, accountID, id); err != nil {
		return nil, err
	}
	rs, err := s.reads.query(ctx, `select `+attemptColumns+` from attempts where delivery_id = $1 order by number`, int64(id)) // index attempts_delivery
	all, err := collect(rs, err, func(r scanner) (delivery.Attempt, error) { return scanAttempt(r, nil) })
	return all, reading("read attempts", err)
}

// Attempt reads one attempt, whole.
func (s *Store) Attempt(ctx context.Context, accountID string, id delivery.ID, number int) (delivery.Attempt, error) {
	if _, err := s.Delivery(ctx, accountID, id); err != nil {
		return delivery.Attempt{}, err
	}
	var body []byte
	a, err := scanAttempt(s.reads.row(ctx, `select `+attemptColumns+attemptBody+` from attempts where delivery_id = $1 and number = $2`, int64(id), number), &body)
	if len(body) > 0 {
		a.Response.Body = body
	}
	return a, reading("read attempt", err)
}
