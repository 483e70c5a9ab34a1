package api

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

func (s *Server) createEndpoint(ctx context.Context, caller auth.Caller, in bodyOf[client.NewEndpoint]) (client.Endpoint, error) {
	b := in.Body
	headers, err := headersOf(b.Headers, nil)
	if err != nil {
		return client.Endpoint{}, err
	}
	made, err := s.Manager.CreateEndpoint(ctx, caller, manage.CreateEndpoint{
		URL: b.URL, Events: b.Events, Description: b.Description, Disabled: b.Enabled != nil && !*b.Enabled,
		Headers: headers, RateLimit: b.RateLimit, Concurrency: b.Concurrency,
	})
	if err != nil {
		return client.Endpoint{}, err
	}
	out := endpointTo(made.Endpoint)
	out.Secret = made.Secret
	return out, nil
}

func (s *Server) listEndpoints(ctx context.Context, caller auth.Caller, in client.PageQuery) (client.Page[client.Endpoint], error) {
	list, err := s.Manager.ListEndpoints(ctx, caller, pageOf(in))
	return pageTo(list, endpointTo), err
}

func (s *Server) endpoint(ctx context.Context, caller auth.Caller, in endpointID) (client.Endpoint, error) {
	e, err := s.Manager.Endpoint(ctx, caller, in.ID)
	return endpointTo(e), err
}

func (s *Server) updateEndpoint(ctx context.Context, caller auth.Caller, in endpointWith[client.EndpointPatch]) (client.Endpoint, error) {
	b := in.Body
	headers, err := s.changedHeaders(ctx, caller, in.ID, b.Headers)
	if err != nil {
		return client.Endpoint{}, err
	}
	e, err := s.Manager.UpdateEndpoint(ctx, caller, manage.UpdateEndpoint{
		ID: in.ID, URL: b.URL, Events: b.Events, Description: b.Description, Headers: headers,
		RateLimit: b.RateLimit, Concurrency: b.Concurrency, Enabled: b.Enabled,
	})
	return endpointTo(e), err
}

// changedHeaders reads the headers of a change; only masked values need those that are
// stored.
func (s *Server) changedHeaders(ctx context.Context, caller auth.Caller, id string, changed *[]client.Header) (*[]delivery.Header, error) {
	if changed == nil {
		return nil, nil
	}
	var stored []delivery.Header
	if slices.ContainsFunc(*changed, func(h client.Header) bool { return h.Value == client.Mask }) {
		e, err := s.Manager.Endpoint(ctx, caller, id)
		if err != nil {
			return nil, err
		}
		stored = e.Headers
	}
	headers, err := headersOf(*changed, stored)
	return &headers, err
}

func (s *Server) deleteEndpoint(ctx context.Context, caller auth.Caller, in endpointToDelete) (client.DeletedEndpoint, error) {
	gone, err := s.Manager.DeleteEndpoint(ctx, caller, manage.DeleteEndpoint{ID: in.ID, DryRun: in.DryRun})
	return client.DeletedEndpoint{ID: in.ID, Discarded: gone.Discarded, DryRun: gone.DryRun}, err
}

func (s *Server) disableEndpoint(ctx context.Context, caller auth.Caller, in endpointWith[client.Disable]) (client.Endpoint, error) {
	e, err := s.Manager.DisableEndpoint(ctx, caller, manage.DisableEndpoint{ID: in.ID, Reason: in.Body.Reason})
	return endpointTo(e), err
}

func (s *Server) enableEndpoint(ctx context.Context, caller auth.Caller, in endpointWith[client.Enable]) (client.EnabledEndpoint, error) {
	e, err := s.Manager.EnableEndpoint(ctx, caller, manage.EnableEndpoint{
		ID: in.ID, Held: manage.HeldChoice(in.Body.Held), PerSecond: in.Body.PerSecond,
	})
	return client.EnabledEndpoint{Endpoint: endpointTo(e.Endpoint), Held: e.Held, Job: jobToOrNil(e.Job)}, err
}

func (s *Server) testEndpoint(ctx context.Context, caller auth.Caller, in endpointWith[client.TestEndpoint]) (client.TestResult, error) {
	t, err := s.Manager.TestEndpoint(ctx, caller, manage.TestEndpoint{ID: in.ID, Type: in.Body.Type})
	if err != nil {
		return client.TestResult{}, err
	}
	out := client.TestResult{
		Succeeded: t.Attempt.Class == delivery.OK, EventID: t.EventID, EventType: t.Type,
		Attempt: wholeAttemptTo(t.Attempt, nil),
	}
	// The body is the event's, and the event is on disk before it is sent.
	event, err := s.Manager.Event(ctx, caller, t.EventID)
	if err != nil {
		return out, err
	}
	out.Attempt.Request.Body, out.Attempt.Request.BodyBase64 = bodyTo(event.Body)
	return out, nil
}

func (s *Server) prepareSecret(ctx context.Context, caller auth.Caller, in endpointID) (client.NewSecret, error) {
	made, err := s.Manager.PrepareSecret(ctx, caller, in.ID)
	return newSecretTo(made), err
}

func (s *Server) promoteSecret(ctx context.Context, caller auth.Caller, in endpointWith[client.Overlap]) (client.SecretInfo, error) {
	overlap, err := overlapOf(in.Body)
	if err != nil {
		return client.SecretInfo{}, err
	}
	current, err := s.Manager.PromoteSecret(ctx, caller, manage.PromoteSecret{EndpointID: in.ID, Overlap: overlap})
	return secretTo(current), err
}

func (s *Server) rotateSecret(ctx context.Context, caller auth.Caller, in endpointWith[client.Overlap]) (client.NewSecret, error) {
	overlap, err := overlapOf(in.Body)
	if err != nil {
		return client.NewSecret{}, err
	}
	made, err := s.Manager.RotateSecret(ctx, caller, manage.RotateSecret{EndpointID: in.ID, Overlap: overlap})
	return newSecretTo(made), err
}

func (s *Server) checkSecret(ctx context.Context, caller auth.Caller, in endpointWith[client.CheckSecret]) (client.CheckedSecret, error) {
	b := in.Body
	body := []byte(b.Body)
	if b.BodyBase64 != "" {
		if b.Body != "" {
			return client.CheckedSecret{}, validation(client.Field{Name: "body_base64", Message: "is there beside body; send one of them"})
		}
		decoded, err := base64.StdEncoding.DecodeString(b.BodyBase64)
		if err != nil {
			return client.CheckedSecret{}, validation(client.Field{Name: "body_base64", Message: "is not base64"})
		}
		body = decoded
	}
	found, err := s.Manager.CheckSecret(ctx, caller, manage.CheckSecret{
		EndpointID: in.ID, Secret: b.Secret, Body: body, Signature: b.Signature, WebhookID: b.ID, Timestamp: b.Timestamp,
	})
	return client.CheckedSecret{
		Match: found.Match, Role: string(found.Role), Fingerprint: found.Fingerprint, Message: found.Message,
	}, err
}

func (s *Server) replay(ctx context.Context, caller auth.Caller, in endpointWith[client.Replay]) (client.Bulk, error) {
	b := in.Body
	bulk, err := s.Manager.ReplayEndpoint(ctx, caller, manage.ReplayEndpoint{
		ID: in.ID, From: b.From.Time, To: b.To.Time, Statuses: statusesOf(b.Status), Types: b.Types,
		PerSecond: b.PerSecond, DryRun: b.DryRun,
	})
	return client.Bulk{Count: bulk.Count, Skipped: bulk.Skipped, Job: jobToOrNil(bulk.Job)}, err
}
