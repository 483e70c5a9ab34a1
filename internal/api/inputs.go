package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// What calls name in their path.
type (
	none       struct{}
	endpointID struct {
		ID string `path:"id" doc:"The endpoint's id, ep_ and more."`
	}
	eventID struct {
		ID string `path:"id" doc:"The event's id."`
	}
	typeName struct {
		Type string `path:"type" doc:"The name of the type."`
	}
	deliveryID struct {
		ID string `path:"id" doc:"The delivery's number."`
	}
	attemptID struct {
		ID     string `path:"id" doc:"The delivery's number."`
		Number string `path:"n" doc:"The number of the attempt: 1, 2, 3 and so on."`
	}
	jobID struct {
		ID string `path:"id" doc:"The job's id, job_ and more."`
	}
	keyID struct {
		ID        string `path:"id" doc:"The key's id, key_ and more."`
		AccountID string `query:"account_id" doc:"Whose key it is; left out = the caller's own account. Another takes the admin scope."`
	}
	email struct {
		Email string `path:"email" doc:"The address."`
	}
	accountID struct {
		ID string `path:"id" doc:"The account's id, acc_ and more."`
	}
)

// What calls read besides.
type (
	bodyOf[B any] struct {
		Body B
	}
	endpointWith[B any] struct {
		endpointID
		Body B
	}
	typeWith[B any] struct {
		typeName
		Body B
	}
	deliveryWith[B any] struct {
		deliveryID
		Body B
	}
	endpointToDelete struct {
		endpointID
		DryRun bool `query:"dry_run" doc:"Only count what deleting would give up."`
	}
)

func pageOf(q client.PageQuery) manage.Page { return manage.Page{Limit: q.Limit, Cursor: q.Cursor} }

// number reads the id of a delivery. What is no such number is no delivery, and is told so.
func (d deliveryID) number() (delivery.ID, error) { return deliveryNumber(d.ID) }

func deliveryNumber(text string) (delivery.ID, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || text[0] == '+' {
		return 0, notFound("%s is not the id of a delivery, which is a number from the list of deliveries.", strconv.QuoteToASCII(clipped(text)))
	}
	return delivery.ID(n), nil
}

// name reads the ids of an attempt.
func (a attemptID) name() (in manage.GetAttempt, err error) {
	if in.DeliveryID, err = deliveryNumber(a.ID); err != nil {
		return in, err
	}
	in.Number, err = strconv.Atoi(a.Number)
	if err != nil || in.Number <= 0 {
		return in, notFound("%s is not the number of an attempt; attempts are counted from 1.", strconv.QuoteToASCII(clipped(a.Number)))
	}
	return in, nil
}

func statusesOf(names []string) []delivery.Status {
	var all []delivery.Status
	for _, n := range names {
		all = append(all, delivery.Status(n))
	}
	return all
}

func filterOf(f client.DeliveryFilter) store.DeliveryFilter {
	return store.DeliveryFilter{
		EndpointID: f.EndpointID, EventID: f.EventID, Statuses: statusesOf(f.Status), Types: f.Types,
		Class: delivery.Class(f.Class), From: timeOf(f.From), To: timeOf(f.To),
	}
}

func timeOf(t *client.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// overlapOf reads an overlap; nil = the default.
func overlapOf(o client.Overlap) (*time.Duration, error) {
	if o.Overlap == "" {
		return nil, nil
	}
	d, err := duration("overlap", o.Overlap)
	return &d, err
}

// idempotencyKey reads the Idempotency-Key header; "" = there is none.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header["Idempotency-Key"]
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !validKey(values[0]) {
		return "", validation(client.Field{
			Name:    "Idempotency-Key",
			Message: "must be 1 to 255 visible ASCII characters, once",
		})
	}
	return values[0], nil
}

const maxKey = 255

func validKey(key string) bool {
	if key == "" || len(key) > maxKey {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}
