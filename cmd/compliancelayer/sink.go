package main

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// sink is a receiver of the demonstration: it remembers what arrived, and what it
// answers can be changed.
type sink struct {
	receiver
	url  string
	stop func() error

	lock     sync.Mutex
	status   int
	arrivals []arrival
	show     func(arrival) // nil = remember only
}

// newSink starts a receiver on a free port.
func newSink(ctx context.Context) (*sink, error) {
	s := &sink{status: 200}
	s.receiver.seen = s.remember
	s.receiver.answer = func(int, *arrival) (int, string) {
		s.lock.Lock()
		defer s.lock.Unlock()
		return s.status, strconv.Itoa(s.status) + " from the demonstration\n"
	}
	stop, url, err := serveHere(ctx, "127.0.0.1:0", s)
	if err != nil {
		return nil, err
	}
	s.stop, s.url = stop, strings.Replace(url, "127.0.0.1", "localhost", 1)+"/hooks"
	return s, nil
}

// maxRemembered bounds what a demonstration that is left running keeps.
const maxRemembered = 1000

func (s *sink) remember(a arrival) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.show != nil {
		s.show(a)
	}
	if len(s.arrivals) < maxRemembered {
		s.arrivals = append(s.arrivals, a)
	}
}

// watch has arrivals shown from now on.
func (s *sink) watch(show func(arrival)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.show = show
}

// trust verifies with a secret from now on.
func (s *sink) trust(text string) error {
	secret, err := webhook.ParseSecret(text)
	if err == nil {
		s.setSecrets(secret)
	}
	return err
}

// secret is the one that requests are verified with.
func (s *sink) secret() webhook.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[0]
}

// answerWith answers with a status from now on.
func (s *sink) answerWith(status int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.status = status
}

// got waits until something like this has arrived.
func (s *sink) got(ctx context.Context, what string, like func(arrival) bool) (found arrival, err error) {
	err = until(ctx, what+" arrives", func(context.Context) (bool, error) {
		s.lock.Lock()
		defer s.lock.Unlock()
		for _, a := range s.arrivals {
			if like(a) {
				found = a
				return true, nil
			}
		}
		return false, nil
	})
	return found, err
}

// verified waits until an event has arrived with both signatures right.
func (s *sink) verified(ctx context.Context, eventID string) (arrival, error) {
	return s.got(ctx, "event "+eventID+", verified,", func(a arrival) bool { return a.ID == eventID && a.verified() })
}
