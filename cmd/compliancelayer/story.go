package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// story is the demonstration: it does what a user would do, through the public
// client, and prints each step once it was seen.
type story struct {
	c   *console
	cl  *client.Client
	url string

	good, bad, broken     *sink // three receivers; the second fails until it is mended, the third for good
	goodID, badID         string
	dead, cutOff, heldOne string // deliveries to the second: died, cut off by the disabling, published after it
}

// newStory starts the receivers.
func newStory(ctx context.Context, c *console, url, key string) (*story, error) {
	cl, err := client.New(client.Config{Server: url, APIKey: key})
	if err != nil {
		return nil, err
	}
	s := &story{c: c, cl: cl, url: url}
	for _, one := range []**sink{&s.good, &s.bad, &s.broken} {
		if *one, err = newSink(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// close stops the receivers.
func (s *story) close() {
	for _, one := range []*sink{s.good, s.bad, s.broken} {
		if one != nil {
			_ = one.stop() // the process ends
		}
	}
}

// tell goes through the steps; the first that is not seen ends it.
func (s *story) tell(ctx context.Context) error {
	steps := []func(context.Context) (string, error){
		s.ready, s.subscribe, s.deliver,
		s.subscribeFailing, s.die, s.warn, s.disable, s.hold,
		s.testDisabled, s.mend, s.enable, s.revive,
		s.rotate,
	}
	for _, step := range steps {
		if err := s.see(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// see does one step and says whether it was seen.
func (s *story) see(ctx context.Context, step func(context.Context) (string, error)) error {
	began := time.Now()
	text, err := step(ctx)
	if err != nil {
		s.c.say("%s %s", s.c.mark(false), text)
		return err
	}
	s.c.say("%s %s %s", s.c.mark(true), text, s.c.paint(dim, fmt.Sprintf("(%.1f s)", time.Since(began).Seconds())))
	return nil
}

func (s *story) ready(ctx context.Context) (string, error) {
	text := "server running at " + s.url + ", in development mode, retries in time-lapse"
	return text, until(ctx, "the server answers", func(ctx context.Context) (bool, error) {
		return s.cl.Ready(ctx) == nil, nil
	})
}

func (s *story) subscribe(ctx context.Context) (string, error) {
	ep, err := s.endpoint(ctx, s.good, "Ticket system", "scan.*", catalog.EndpointWarning, catalog.EndpointDisabled, catalog.DeliveryFailed)
	s.goodID = ep.ID
	return fmt.Sprintf("endpoint %s made for a local receiver, %s; its secret is shown once", ep.ID, ep.URL), err
}

// endpoint makes an endpoint for a receiver and gives the receiver its secret.
func (s *story) endpoint(ctx context.Context, to *sink, name string, events ...string) (client.Endpoint, error) {
	ep, err := s.cl.CreateEndpoint(ctx, client.NewEndpoint{URL: to.url, Events: events, Description: name})
	if err != nil {
		return ep, err
	}
	return ep, to.trust(ep.Secret)
}

func (s *story) deliver(ctx context.Context) (string, error) {
	event, err := s.publish(ctx, catalog.ScanCompleted)
	if err != nil {
		return "an event is published", err
	}
	got, err := s.good.verified(ctx, event.ID)
	return fmt.Sprintf("event %s published, delivered, and both of its signatures verified (delivery %s)", catalog.ScanCompleted, got.Delivery), err
}

// publish publishes the sample of a type.
func (s *story) publish(ctx context.Context, name string) (client.AcceptedEvent, error) {
	t, err := s.cl.EventType(ctx, name)
	if err != nil {
		return client.AcceptedEvent{}, err
	}
	return s.cl.Publish(ctx, client.NewEvent{Type: name, Data: t.Sample})
}

// publishTo publishes an event that goes to one endpoint and gives its delivery.
func (s *story) publishTo(ctx context.Context, endpointID, name string) (string, error) {
	event, err := s.publish(ctx, name)
	if err != nil {
		return "", err
	}
	for _, d := range event.Deliveries {
		if d.EndpointID == endpointID {
			return d.ID, nil
		}
	}
	return "", fmt.Errorf("event %s has no delivery to %s", event.ID, endpointID)
}

func (s *story) subscribeFailing(ctx context.Context) (string, error) {
	s.bad.answerWith(http.StatusInternalServerError)
	ep, err := s.endpoint(ctx, s.bad, "On-call alerts", "alert.*")
	s.badID = ep.ID
	return fmt.Sprintf("endpoint %s made for a second receiver, which answers 500", ep.ID), err
}

func (s *story) die(ctx context.Context) (text string, err error) {
	text = "its first event is tried 6 times, then it is in the dead letter queue"
	if s.dead, err = s.publishTo(ctx, s.badID, catalog.AlertTriggered); err != nil {
		return text, err
	}
	var last client.DeliveryLog
	if last, err = s.reaches(ctx, s.dead, client.StatusFailed); err != nil {
		return text, err
	}
	if len(last.AttemptLog) != 6 {
		return text, fmt.Errorf("delivery %s has %d attempts", s.dead, len(last.AttemptLog))
	}
	queue, err := s.cl.DeadLetters(ctx, client.DeadLetterQuery{EndpointID: s.badID})
	if err == nil && !slices.ContainsFunc(queue.Data, func(d client.Delivery) bool { return d.ID == s.dead }) {
		err = fmt.Errorf("delivery %s is not in the dead letter queue", s.dead)
	}
	return text, err
}

// reaches waits until a delivery has a status.
func (s *story) reaches(ctx context.Context, id, status string) (log client.DeliveryLog, err error) {
	err = until(ctx, "delivery "+id+" is "+status, func(ctx context.Context) (bool, error) {
		log, err = s.cl.Delivery(ctx, id)
		return log.Status == status, err
	})
	return log, err
}

// isWarning reports whether a body is the warning at a count of failures.
func isWarning(failures int) func(arrival) bool {
	return func(a arrival) bool {
		return a.Event == catalog.EndpointWarning && strings.Contains(a.Body, fmt.Sprintf(`"consecutive_failures":%d,`, failures))
	}
}

func (s *story) warn(ctx context.Context) (string, error) {
	_, err := s.good.got(ctx, "the warning after 5 failures", isWarning(5))
	return "warning after 5 consecutive failures: endpoint.warning arrived at the first receiver", err
}

func (s *story) disable(ctx context.Context) (text string, err error) {
	text = "the next event fails too: second warning at 8, endpoint disabled at 10 consecutive failures, endpoint.disabled sent"
	if s.cutOff, err = s.publishTo(ctx, s.badID, catalog.AlertTriggered); err != nil {
		return text, err
	}
	err = until(ctx, "the endpoint is disabled", func(ctx context.Context) (bool, error) {
		ep, err := s.cl.Endpoint(ctx, s.badID)
		return ep.DisabledReason == "consecutive_failures", err
	})
	if err != nil {
		return text, err
	}
	if _, err = s.good.got(ctx, "the warning after 8 failures", isWarning(8)); err != nil {
		return text, err
	}
	_, err = s.good.got(ctx, "the news of the disabling", func(a arrival) bool { return a.Event == catalog.EndpointDisabled })
	return text, err
}

func (s *story) hold(ctx context.Context) (text string, err error) {
	text = "an event published now is held, and so is the one that was being retried: nothing is lost"
	if s.heldOne, err = s.publishTo(ctx, s.badID, catalog.AlertTriggered); err != nil {
		return text, err
	}
	for _, id := range []string{s.heldOne, s.cutOff} {
		if _, err = s.reaches(ctx, id, client.StatusHeld); err != nil {
			return text, err
		}
	}
	return text, nil
}

func (s *story) testDisabled(ctx context.Context) (string, error) {
	text := "a test works on the disabled endpoint, and says what is wrong"
	result, err := s.cl.TestEndpoint(ctx, s.badID, client.TestEndpoint{Type: catalog.ScanCompleted})
	if err == nil && (result.Succeeded || result.Attempt.StatusCode != http.StatusInternalServerError) {
		err = errors.New("the test was not answered with 500")
	}
	if err != nil {
		return text, err
	}
	return text + ": " + result.Attempt.Hint, nil
}

func (s *story) mend(ctx context.Context) (string, error) {
	s.bad.answerWith(http.StatusOK)
	result, err := s.cl.TestEndpoint(ctx, s.badID, client.TestEndpoint{Type: catalog.ScanCompleted})
	if err == nil && !result.Succeeded {
		err = errors.New("the test was not answered with success: " + result.Attempt.Hint)
	}
	if err == nil {
		_, err = s.bad.verified(ctx, result.EventID)
	}
	return "receiver mended; the test arrives and verifies", err
}

func (s *story) enable(ctx context.Context) (string, error) {
	text := "endpoint enabled, held events sent: both arrive and verify"
	done, err := s.cl.EnableEndpoint(ctx, s.badID, client.Enable{Held: "send"})
	if err == nil && done.Held != 2 {
		err = fmt.Errorf("%d deliveries were held, not 2", done.Held)
	}
	if err != nil {
		return text, err
	}
	for _, id := range []string{s.cutOff, s.heldOne} {
		log, err := s.reaches(ctx, id, client.StatusDelivered)
		if err != nil {
			return text, err
		}
		if _, err := s.bad.verified(ctx, log.EventID); err != nil {
			return text, err
		}
	}
	return text, nil
}

func (s *story) revive(ctx context.Context) (string, error) {
	text := "dead letter retried: delivered with attempt 7, under the same delivery number"
	if _, err := s.cl.RetryDelivery(ctx, s.dead); err != nil {
		return text, err
	}
	if _, err := s.reaches(ctx, s.dead, client.StatusDelivered); err != nil {
		return text, err
	}
	_, err := s.bad.got(ctx, "attempt 7", func(a arrival) bool { return a.Delivery == s.dead && a.Attempt == "7" && a.verified() })
	return text, err
}

func (s *story) rotate(ctx context.Context) (string, error) {
	text := "secret rotated: the next event verifies with the new one, and still with the old one in webhook-signature"
	before := s.good.secret()
	made, err := s.cl.RotateSecret(ctx, s.goodID, client.Overlap{})
	if err != nil {
		return text, err
	}
	if err := s.good.trust(made.Secret); err != nil {
		return text, err
	}
	event, err := s.publish(ctx, catalog.ScanCompleted)
	if err != nil {
		return text, err
	}
	got, err := s.good.verified(ctx, event.ID)
	if err == nil {
		old := arrival{At: got.At}
		old.verify(got.headers, []byte(got.Body), []webhook.Secret{before})
		if old.Simple != sigWrong || old.Standard != sigOK {
			err = fmt.Errorf("with the old secret: signature %s, webhook-signature %s", old.Simple, old.Standard)
		}
	}
	return text, err
}

// leave leaves something to bring back for whoever opens the dashboard: an endpoint that its receiver's failures disabled, with
// deliveries that are held.
func (s *story) leave(ctx context.Context) (string, error) {
	text := "left for the dashboard: a third endpoint, disabled because its receiver answers 500, with held deliveries"
	s.broken.answerWith(http.StatusInternalServerError)
	ep, err := s.endpoint(ctx, s.broken, "Asset inventory", "domain.*")
	for range 10 {
		if err == nil {
			_, err = s.publish(ctx, catalog.DomainAdded)
		}
	}
	if err != nil {
		return text, err
	}
	return text, until(ctx, "the third endpoint is disabled and has held deliveries", func(ctx context.Context) (bool, error) {
		ep, err := s.cl.Endpoint(ctx, ep.ID)
		return ep.State == "disabled" && ep.HeldCount > 0, err
	})
}

// linger shows what arrives until ctx ends.
func (s *story) linger(ctx context.Context, key string) {
	if link, err := s.cl.PortalLink(ctx, "acc_default"); err == nil {
		s.c.say("\nThe dashboard, with all of it to look at (the link lets you in once, within 15 minutes;\n\"compliancelayer accounts portal-link acc_default\" makes another):\n  %s", link.URL)
	}
	s.c.say("\nThe server is at %s until Ctrl-C. In another terminal:\n", s.url)
	s.c.say("  export COMPLIANCELAYER_SERVER=%s COMPLIANCELAYER_API_KEY=%s", s.url, key)
	for _, command := range []string{
		"deliveries list", "deliveries get " + s.dead, "trigger scan.completed --set data.score=42",
		"listen", "endpoints test " + s.badID, "stats",
	} {
		s.c.say("  %s %s", programName, command)
	}
	s.c.say("\nThe API's reference: %s/docs\n", s.url)
	show := func(a arrival) {
		s.c.say("received %s [%s], signature %s, webhook-signature %s", a.Event, a.ID, a.Simple, a.Standard)
	}
	s.good.watch(show)
	s.bad.watch(show)
	s.broken.watch(show)
	<-ctx.Done()
}
