package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

func (s *Server) listEvents(ctx context.Context, caller auth.Caller, in client.EventQuery) (client.Page[client.Event], error) {
	list, err := s.Manager.ListEvents(ctx, caller, manage.ListEvents{
		Filter: store.EventFilter{Type: in.Type, From: in.From.Time, To: in.To.Time, Unmatched: in.Unmatched},
		Page:   pageOf(in.PageQuery),
	})
	return pageTo(list, eventTo), err
}

func (s *Server) event(ctx context.Context, caller auth.Caller, in eventID) (client.Event, error) {
	e, err := s.Manager.Event(ctx, caller, in.ID)
	if err != nil {
		return client.Event{}, err
	}
	out := eventTo(e)
	body, err := webhook.ParseEvent(e.Body)
	if err != nil {
		return out, fmt.Errorf("read the body of event %s: %w", e.ID, err)
	}
	out.Data = body.Data
	return out, nil
}

func eventTo(e store.Event) client.Event {
	return client.Event{ID: e.ID, Type: e.Type, CreatedAt: client.At(e.CreatedAt), DeliveryCount: e.Deliveries}
}

// listTypes answers the whole catalogue as one page: an account has a few hundred
// types at most.
func (s *Server) listTypes(ctx context.Context, caller auth.Caller, _ none) (client.Page[client.EventType], error) {
	types, err := s.Manager.EventTypes(ctx, caller, struct{}{})
	return client.Page[client.EventType]{Data: each(types, typeTo)}, err
}

func (s *Server) eventType(ctx context.Context, caller auth.Caller, in typeName) (client.EventType, error) {
	t, err := s.Manager.EventType(ctx, caller, in.Type)
	return typeTo(t), err
}

func (s *Server) createType(ctx context.Context, caller auth.Caller, in bodyOf[client.NewEventType]) (client.EventType, error) {
	t, err := s.Manager.CreateType(ctx, caller, manage.CreateType{
		Name: in.Body.Name, Description: in.Body.Description, Schema: in.Body.Schema, Sample: in.Body.Sample,
	})
	return typeTo(t), err
}

func (s *Server) updateType(ctx context.Context, caller auth.Caller, in typeWith[client.EventTypePatch]) (client.EventType, error) {
	t, err := s.Manager.UpdateType(ctx, caller, manage.UpdateType{
		Name: in.Type, Description: in.Body.Description,
		Schema: sentOrNil(in.Body.Schema), Sample: sentOrNil(in.Body.Sample),
	})
	return typeTo(t), err
}

// sentOrNil tells a field that was left out, nil, from one that was sent, even as null.
func sentOrNil(raw json.RawMessage) *json.RawMessage {
	if raw == nil {
		return nil
	}
	return &raw
}

func (s *Server) deleteType(ctx context.Context, caller auth.Caller, in typeName) (struct{}, error) {
	return s.Manager.DeleteType(ctx, caller, in.Type)
}
