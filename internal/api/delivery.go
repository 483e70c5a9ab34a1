package api

import (
	"context"
	"errors"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func (s *Server) listDeliveries(ctx context.Context, caller auth.Caller, in client.DeliveryQuery) (client.Page[client.Delivery], error) {
	list, err := s.Manager.ListDeliveries(ctx, caller, manage.ListDeliveries{
		Filter: store.DeliveryFilter{
			EndpointID: in.EndpointID, EventID: in.EventID, Statuses: statusesOf(in.Status), Types: in.Type,
			Class: delivery.Class(in.Class), From: in.From.Time, To: in.To.Time,
		},
		Page: pageOf(in.PageQuery),
	})
	return pageTo(list, deliveryTo), err
}

func (s *Server) delivery(ctx context.Context, caller auth.Caller, in deliveryID) (client.DeliveryLog, error) {
	id, err := in.number()
	if err != nil {
		return client.DeliveryLog{}, err
	}
	d, err := s.Manager.Delivery(ctx, caller, id)
	return client.DeliveryLog{Delivery: deliveryTo(d.Delivery), AttemptLog: each(d.Attempts, attemptTo)}, err
}

func (s *Server) attempt(ctx context.Context, caller auth.Caller, in attemptID) (client.Attempt, error) {
	name, err := in.name()
	if err != nil {
		return client.Attempt{}, err
	}
	a, err := s.Manager.Attempt(ctx, caller, name)
	if errors.Is(err, manage.ErrNoAttempt) {
		err = notFound("Delivery %d has no attempt %d; the delivery's own record lists those that it has.", name.DeliveryID, name.Number)
	}
	return wholeAttemptTo(a.Attempt, a.Body), err
}

func (s *Server) retryDelivery(ctx context.Context, caller auth.Caller, in deliveryID) (client.Delivery, error) {
	id, err := in.number()
	if err != nil {
		return client.Delivery{}, err
	}
	d, err := s.Manager.RetryDelivery(ctx, caller, id)
	return deliveryTo(d), err
}

func (s *Server) discardDelivery(ctx context.Context, caller auth.Caller, in deliveryWith[client.Discard]) (client.Delivery, error) {
	id, err := in.number()
	if err != nil {
		return client.Delivery{}, err
	}
	d, err := s.Manager.DiscardDelivery(ctx, caller, manage.DiscardDelivery{ID: id, Reason: in.Body.Reason})
	return deliveryTo(d), err
}

func (s *Server) retryDeliveries(ctx context.Context, caller auth.Caller, in bodyOf[client.BulkRetry]) (client.Bulk, error) {
	bulk, err := s.Manager.RetryDeliveries(ctx, caller, manage.RetryDeliveries{
		Filter: filterOf(in.Body.Filter), PerSecond: in.Body.PerSecond, DryRun: in.Body.DryRun,
	})
	return client.Bulk{Count: bulk.Count, Skipped: bulk.Skipped, Job: jobToOrNil(bulk.Job)}, err
}

func (s *Server) discardDeliveries(ctx context.Context, caller auth.Caller, in bodyOf[client.BulkDiscard]) (client.Bulk, error) {
	bulk, err := s.Manager.DiscardDeliveries(ctx, caller, manage.DiscardDeliveries{
		Filter: filterOf(in.Body.Filter), Reason: in.Body.Reason, DryRun: in.Body.DryRun,
	})
	return client.Bulk{Count: bulk.Count, Job: jobToOrNil(bulk.Job)}, err
}

func (s *Server) listJobs(ctx context.Context, caller auth.Caller, in client.PageQuery) (client.Page[client.Job], error) {
	list, err := s.Manager.ListJobs(ctx, caller, pageOf(in))
	return pageTo(list, jobTo), err
}

func (s *Server) job(ctx context.Context, caller auth.Caller, in jobID) (client.Job, error) {
	j, err := s.Manager.Job(ctx, caller, in.ID)
	return jobTo(j), err
}

func (s *Server) cancelJob(ctx context.Context, caller auth.Caller, in jobID) (client.Job, error) {
	j, err := s.Manager.CancelJob(ctx, caller, in.ID)
	return jobTo(j), err
}
