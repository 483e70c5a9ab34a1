package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/compliancelayer/compliancelayer/client"
)

// deliveriesCmd groups what concerns deliveries.
type deliveriesCmd struct {
	List       deliveriesListCmd       `cmd:"" help:"List deliveries, newest first."`
	Get        deliveriesGetCmd        `cmd:"" help:"Show a delivery with its attempts."`
	Attempt    deliveriesAttemptCmd    `cmd:"" help:"Show a whole attempt: request, response, times, diagnosis."`
	Retry      deliveriesRetryCmd      `cmd:"" help:"Retry a delivery now; its id stays and its attempt numbers go on."`
	RetryAll   deliveriesRetryAllCmd   `cmd:"" aliases:"bulk" help:"Retry many deliveries, paced."`
	Discard    deliveriesDiscardCmd    `cmd:"" help:"Give a delivery up, with a reason."`
	DiscardAll deliveriesDiscardAllCmd `cmd:"" help:"Give many deliveries up, with a reason."`
}

// deliveryFilter narrows a list or a bulk change.
type deliveryFilter struct {
	Endpoint string   `help:"Only deliveries to this endpoint." placeholder:"ID"`
	Event    string   `help:"Only deliveries of this event." placeholder:"ID"`
	Types    []string `help:"Only events of these types."`
	Class    string   `help:"Only deliveries whose last attempt ended so, such as response_timeout."`
	period
}

// wire gives it as a bulk change takes it.
func (f deliveryFilter) wire(statuses []string) client.DeliveryFilter {
	return client.DeliveryFilter{
		EndpointID: f.Endpoint, EventID: f.Event, Status: statuses, Types: f.Types, Class: f.Class,
		From: f.From.optional(), To: f.To.optional(),
	}
}

type deliveriesListCmd struct {
	remote
	paging
	Status []string `help:"Only these: pending, sending, retrying, delivered, failed, held, discarded."`
	deliveryFilter
}

// Run lists deliveries.
func (d *deliveriesListCmd) Run(ctx context.Context, c *console) error {
	return list(ctx, c, &d.remote, d.paging, func(cl *client.Client, ctx context.Context, p client.PageQuery) (client.Page[client.Delivery], error) {
		return cl.Deliveries(ctx, client.DeliveryQuery{
			EndpointID: d.Endpoint, EventID: d.Event, Status: d.Status, Type: d.Types, Class: d.Class,
			From: d.From.wire(), To: d.To.wire(), PageQuery: p,
		})
	}, deliveryHead(), deliveryRow)
}

func deliveryHead() []string {
	return []string{"ID", "STATUS", "TYPE", "ENDPOINT", "ATTEMPTS", "LAST", "NEXT", "CREATED"}
}

func deliveryRow(d client.Delivery) []string {
	last := d.LastClass
	if d.LastStatusCode != 0 {
		last = strconv.Itoa(d.LastStatusCode)
	}
	return []string{d.ID, d.Status, d.EventType, d.EndpointID, strconv.Itoa(d.Attempts), last, when(d.NextAttemptAt), at(d.CreatedAt)}
}

type deliveriesGetCmd struct {
	remote
	ID string `arg:"" help:"The delivery's number."`
}

// Run shows a delivery and its attempts.
func (d *deliveriesGetCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &d.remote, (*client.Client).Delivery, d.ID, showDelivery)
}

func showDelivery(c *console, log client.DeliveryLog) {
	c.details(
		field{"delivery", log.ID}, field{"status", log.Status}, field{"event", log.EventType + " " + log.EventID}, field{"endpoint", log.EndpointID},
		field{"cycle", log.Cycle}, field{"next attempt", when(log.NextAttemptAt)}, field{"discarded because", log.DiscardReason},
		field{"created", at(log.CreatedAt)}, field{"updated", at(log.UpdatedAt)},
	)
	if len(log.AttemptLog) == 0 {
		return
	}
	rows := make([][]string, len(log.AttemptLog))
	for i, a := range log.AttemptLog {
		rows[i] = []string{strconv.Itoa(a.Number), at(a.StartedAt), a.Cycle, number(a.StatusCode), a.ErrorClass, fmt.Sprintf("%.0f ms", a.Total), a.Hint}
	}
	c.say("")
	c.table([]string{"ATTEMPT", "STARTED", "CYCLE", "HTTP", "RESULT", "TOOK", "HINT"}, rows)
}

type deliveriesAttemptCmd struct {
	remote
	ID     string `arg:"" help:"The delivery's number."`
	Number int    `arg:"" help:"The attempt's number, from 1."`
}

// Run shows an attempt.
func (d *deliveriesAttemptCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &d.remote, func(cl *client.Client) (client.Attempt, error) { return cl.Attempt(ctx, d.ID, d.Number) }, showAttempt)
}

// showAttempt prints an attempt: what came of it, then what was sent and came back.
func showAttempt(c *console, a client.Attempt) {
	c.details(
		field{"delivery", a.DeliveryID}, field{"attempt", strconv.Itoa(a.Number)}, field{"started", at(a.StartedAt)}, field{"result", a.ErrorClass},
		field{"http status", number(a.StatusCode)}, field{"hint", a.Hint},
		field{"took", fmt.Sprintf("%.1f ms (dns %.1f, connect %.1f, tls %.1f, first byte %.1f)", a.Total, a.DNS, a.Connect, a.TLS, a.TTFB)},
	)
	if r := a.Request; r != nil {
		c.say("\n%s", c.paint(dim, "request: POST "+r.URL))
		showMessage(c, r.Headers, r.Body, r.BodyBase64)
	}
	if r := a.Response; r != nil {
		c.say("\n%s", c.paint(dim, "response: "+r.Proto))
		showMessage(c, r.Headers, r.Body, r.BodyBase64)
		if r.Truncated {
			c.say("%s", c.paint(dim, "(there was more, or it did not end well)"))
		}
	}
}

func showMessage(c *console, headers []client.Header, body, base64 string) {
	for _, h := range headers {
		c.say("%s: %s", h.Name, h.Value)
	}
	if base64 != "" {
		c.say("\n%s\n%s", c.paint(dim, "(not text; in base64)"), base64)
	}
	if body != "" {
		c.say("\n%s", painted(cleanText(body)))
	}
}

type deliveriesRetryCmd struct {
	remote
	ID string `arg:"" help:"The delivery's number."`
}

// Run retries a delivery.
func (d *deliveriesRetryCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &d.remote, func(cl *client.Client) (client.Delivery, error) {
		again, err := cl.RetryDelivery(ctx, d.ID)
		if isConflict(err) {
			if log, lookErr := cl.Delivery(ctx, d.ID); lookErr == nil { // only for the hint
				err = enableHint(err, log.EndpointID)
			}
		}
		return again, err
	}, func(c *console, again client.Delivery) {
		showStatus(c, again)
		c.note("Next: compliancelayer deliveries get %s", again.ID)
	})
}

type deliveriesDiscardCmd struct {
	remote
	ID     string `arg:"" help:"The delivery's number."`
	Reason string `help:"Why." required:""`
}

// Run gives a delivery up.
func (d *deliveriesDiscardCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &d.remote, func(cl *client.Client) (client.Delivery, error) {
		return cl.DiscardDelivery(ctx, d.ID, client.Discard{Reason: d.Reason})
	}, showStatus)
}

func showStatus(c *console, d client.Delivery) {
	c.say("delivery %s is %s", d.ID, c.paint(styleOf(d.Status), d.Status))
}

type deliveriesRetryAllCmd struct {
	remote
	pace
	Status []string `help:"Which ones: failed, held, delivered, discarded." default:"failed"`
	deliveryFilter
	DryRun bool `help:"Only count."`
}

// Help shows how it is used.
func (d *deliveriesRetryAllCmd) Help() string {
	return `For example:

    compliancelayer deliveries retry-all --dry-run
    compliancelayer deliveries retry-all --endpoint ep_123 --class response_timeout --from 24h --per-second 20`
}

// Run retries many deliveries as a job.
func (d *deliveriesRetryAllCmd) Run(ctx context.Context, c *console) error {
	return d.bulk(ctx, c, &d.remote, func(cl *client.Client) (client.Bulk, error) {
		bulk, err := cl.RetryDeliveries(ctx, client.BulkRetry{Filter: d.wire(d.Status), PerSecond: d.PerSecond, DryRun: d.DryRun})
		return bulk, enableHint(err, d.Endpoint)
	})
}

type deliveriesDiscardAllCmd struct {
	remote
	following
	Reason string   `help:"Why." required:""`
	Status []string `help:"Which ones: failed, held, pending, retrying." default:"failed"`
	deliveryFilter
	DryRun bool `help:"Only count."`
}

// Help shows how it is used.
func (d *deliveriesDiscardAllCmd) Help() string {
	return `For example:

    compliancelayer deliveries discard-all --endpoint ep_123 --reason 'the receiver is gone' --dry-run
    compliancelayer deliveries discard-all --status failed,held --to 720h --reason 'too old to be of use'`
}

// Run gives many deliveries up as a job.
func (d *deliveriesDiscardAllCmd) Run(ctx context.Context, c *console) error {
	return d.bulk(ctx, c, &d.remote, func(cl *client.Client) (client.Bulk, error) {
		return cl.DiscardDeliveries(ctx, client.BulkDiscard{Filter: d.wire(d.Status), Reason: d.Reason, DryRun: d.DryRun})
	})
}
