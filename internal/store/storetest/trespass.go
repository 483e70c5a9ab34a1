package storetest

import (
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func trespassEndpoints() map[string]trespass {
	return map[string]trespass{
		"CreateEndpoint": func(w *world, v victim) error {
			e := endpointOf(w.account)
			e.ID = v.endpoint
			return refused(w.s.CreateEndpoint(w.ctx(), e, firstSecret(e.ID), many))
		},
		"Endpoint": func(w *world, v victim) error {
			_, err := w.s.Endpoint(w.ctx(), w.account, v.endpoint)
			return notFound(err)
		},
		"ListEndpoints": func(w *world, _ victim) error {
			list, _, err := w.s.ListEndpoints(w.ctx(), w.account, store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"EndpointNames": func(w *world, _ victim) error {
			list, err := w.s.EndpointNames(w.ctx(), w.account, 10)
			return nothing(len(list), err)
		},
		"ListStopped": func(w *world, _ victim) error {
			list, err := w.s.ListStopped(w.ctx(), w.account, 10)
			return nothing(len(list), err)
		},
		"UpdateEndpoint": func(w *world, v victim) error {
			_, err := w.s.UpdateEndpoint(w.ctx(), w.account, v.endpoint, func(e *delivery.Endpoint) error {
				e.URL = "https://evil.example/"
				return nil
			})
			return notFound(err)
		},
		"SetState": func(w *world, v victim) error {
			_, err := w.s.SetState(w.ctx(), w.account, v.endpoint, delivery.Disabled, delivery.ByHand, at(0))
			return notFound(err)
		},
		"DeleteEndpoint": func(w *world, v victim) error {
			_, err := w.s.DeleteEndpoint(w.ctx(), w.account, v.endpoint, at(0))
			return notFound(err)
		},
		"Secrets": func(w *world, v victim) error {
			_, err := w.s.Secrets(w.ctx(), w.account, v.endpoint, at(0))
			return notFound(err)
		},
		"UpdateSecrets": func(w *world, v victim) error {
			return notFound(w.s.UpdateSecrets(w.ctx(), w.account, v.endpoint, at(0), func([]store.Secret) ([]store.Secret, error) {
				return []store.Secret{firstSecret(v.endpoint)}, nil
			}))
		},
	}
}

func trespassLog() map[string]trespass {
	return map[string]trespass{
		"Event": func(w *world, v victim) error {
			_, err := w.s.Event(w.ctx(), w.account, v.event.ID)
			return notFound(err)
		},
		"ListEvents": func(w *world, _ victim) error {
			list, _, err := w.s.ListEvents(w.ctx(), w.account, store.EventFilter{}, store.Page{Limit: 10})
			return nothing(len(list), err)
		},
		"Delivery": func(w *world, v victim) error {
			_, err := w.s.Delivery(w.ctx(), w.account, v.failed)
			return notFound(err)
		},
		"ListDeliveries": func(w *world, v victim) error {
			return forFilters(v, func(f store.DeliveryFilter) error {
				list, _, err := w.s.ListDeliveries(w.ctx(), w.account, f, store.Page{Limit: 10})
				return nothing(len(list), err)
			})
		},
		"CountDeliveries": func(w *world, v victim) error {
			return forFilters(v, func(f store.DeliveryFilter) error {
				return nothing(w.s.CountDeliveries(w.ctx(), w.account, f))
			})
		},
		"Neighbours": func(w *world, v victim) error {
			_, _, err := w.s.Neighbours(w.ctx(), w.account, v.failed)
			return notFound(err)
		},
		"CountDeadLetters": func(w *world, _ victim) error {
			counts, err := w.s.CountDeadLetters(w.ctx(), w.account, 10)
			return nothing(len(counts), err)
		},
		"Attempts": func(w *world, v victim) error {
			_, err := w.s.Attempts(w.ctx(), w.account, v.failed)
			return notFound(err)
		},
		"Attempt": func(w *world, v victim) error {
			_, err := w.s.Attempt(w.ctx(), w.account, v.failed, 1)
			return notFound(err)
		},
		"StatsOf": func(w *world, v victim) error {
			stats, err := w.s.StatsOf(w.ctx(), w.account, []string{v.endpoint}, start().Add(-time.Hour), start().Add(time.Hour), time.Minute)
			return nothing(len(stats), err)
		},
		"Stats": func(w *world, v victim) error {
			for _, endpoint := range []string{"", v.endpoint} {
				stats, err := w.s.Stats(w.ctx(), w.account, endpoint, start().Add(-time.Hour), start().Add(time.Hour), time.Minute)
				if err := nothing(len(stats), err); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// forFilters tries every way to name the victim's deliveries.
func forFilters(v victim, try func(store.DeliveryFilter) error) error {
	for _, f := range []store.DeliveryFilter{
		{},
		{EndpointID: v.endpoint},
		{EventID: v.event.ID},
		{EndpointID: v.endpoint, EventID: v.event.ID},
		{Statuses: []delivery.Status{delivery.Held, delivery.Failed}},
		{EndpointID: v.endpoint, Statuses: []delivery.Status{delivery.Held}},
		{Types: []string{"scan.completed"}, Class: delivery.ServerError},
		{From: at(-time.Hour), To: at(time.Hour)},
	} {
		if err := try(f); err != nil {
			return fmt.Errorf("%+v: %w", f, err)
		}
	}
	return nil
}

func trespassWork() map[string]trespass {
	return map[string]trespass{
		"Subscriptions": func(w *world, _ victim) error {
			subs, err := w.s.Subscriptions(w.ctx(), w.account)
			return nothing(len(subs.Endpoints)+len(subs.Types), err)
		},
		"Publish": trespassPublish,
		"Retry": func(w *world, v victim) error {
			_, err := w.s.Retry(w.ctx(), w.account, v.failed, at(0))
			return notFound(err)
		},
		"Discard": func(w *world, v victim) error {
			_, err := w.s.Discard(w.ctx(), w.account, v.failed, "taken", at(0))
			return notFound(err)
		},
		"CreateJob": trespassJob,
		"Job": func(w *world, v victim) error {
			_, err := w.s.Job(w.ctx(), w.account, v.job.ID)
			return notFound(err)
		},
		"ListJobs": func(w *world, _ victim) error {
			jobs, _, err := w.s.ListJobs(w.ctx(), w.account, store.Page{Limit: 10})
			return nothing(len(jobs), err)
		},
		"CancelJob": func(w *world, v victim) error {
			_, err := w.s.CancelJob(w.ctx(), w.account, v.job.ID, at(0))
			return notFound(err)
		},
		"AdvanceJob": func(w *world, v victim) error {
			j := v.job
			j.AccountID = w.account
			_, _, err := w.s.AdvanceJob(w.ctx(), j, 10, at(0), at(time.Hour))
			return refused(err)
		},
	}
}

// trespassPublish sends an event to the endpoint of another account, with and
// without a revision, and one with the id and key of another account's event.
func trespassPublish(w *world, v victim) error {
	subs := w.subscriptions()
	for _, revision := range []int64{0, subs.Revision} {
		for _, d := range []store.NewDelivery{pendingTo(v.endpoint), heldFor(v.endpoint), sendingTo(v.endpoint, delivery.Automatic)} {
			batch := &store.Batch{AccountID: w.account, Revision: revision, Events: []store.NewEvent{eventAt(at(0), d)}}
			if _, err := w.s.Publish(w.ctx(), batch); err == nil {
				return fmt.Errorf("with revision %d, a delivery that is %s was written", revision, d.Status)
			}
		}
	}
	e := v.event
	e.Deliveries = nil
	if got := w.publish(e)[0]; got.Replayed || len(got.Deliveries) > 0 {
		return fmt.Errorf("the id and key of another account's event: got %+v", got)
	}
	return nil
}

// trespassJob makes jobs that name another account's deliveries and lets them work.
func trespassJob(w *world, v victim) error {
	return forFilters(v, func(f store.DeliveryFilter) error {
		for _, kind := range []store.JobKind{store.JobRetry, store.JobRelease, store.JobDiscard} {
			j := jobOf(w.account, kind, f)
			if err := w.s.CreateJob(w.ctx(), j); err != nil {
				return notFound(err)
			}
			w.endJobAfter(w.account, j.ID)
			for _, claimed := range w.claimJobs(nodeB, at(0), 100) {
				if done, endpoints := w.advance(claimed, 100); done.Done+done.Skipped+len(endpoints) > 0 {
					return fmt.Errorf("a job moved: %+v, work for %v", done, endpoints)
				}
			}
		}
		return nil
	})
}

func trespassRest() map[string]trespass {
	return map[string]trespass{
		"CreateKey": func(w *world, v victim) error {
			key := keyOf(w.account)
			key.ID = v.key.ID
			return refused(w.s.CreateKey(w.ctx(), key))
		},
		"ListKeys": func(w *world, _ victim) error {
			keys, _, err := w.s.ListKeys(w.ctx(), w.account, store.Page{Limit: 10})
			return nothing(len(keys), err)
		},
		"Key": func(w *world, v victim) error {
			_, err := w.s.Key(w.ctx(), w.account, v.key.ID)
			return notFound(err)
		},
		"RevokeKey": func(w *world, v victim) error {
			return notFound(w.s.RevokeKey(w.ctx(), w.account, v.key.ID, "", at(0)))
		},
		"CreateType": func(w *world, _ victim) error {
			other := typeOf(w.account, "own.type")
			other.Description = "another account's"
			return w.s.CreateType(w.ctx(), other, many)
		},
		"Type": func(w *world, _ victim) error {
			_, err := w.s.Type(w.ctx(), w.account, "own.type")
			return notFound(err)
		},
		"ListTypes": func(w *world, _ victim) error {
			types, err := w.s.ListTypes(w.ctx(), w.account)
			return nothing(len(types), err)
		},
		"UpdateType": func(w *world, _ victim) error {
			_, err := w.s.UpdateType(w.ctx(), w.account, "own.type", func(e *store.EventType) error {
				e.Description = "taken"
				return nil
			})
			return notFound(err)
		},
		"DeleteType": func(w *world, _ victim) error {
			return notFound(w.s.DeleteType(w.ctx(), w.account, "own.type"))
		},
		"ListAudit": func(w *world, _ victim) error {
			list, _, err := w.s.ListAudit(w.ctx(), w.account, store.AuditFilter{}, store.Page{Limit: 10})
			return nothing(len(list), err)
		},
	}
}
