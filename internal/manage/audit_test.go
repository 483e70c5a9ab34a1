package manage_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// changes does every operation that changes something, once, so that it does.
// Each answers the texts that no audit row may hold.
var changes = map[string]struct {
	action string
	do     func(w *world, t *testing.T) (secrets []string)
}{
	"InviteMember": {"member.invite", func(w *world, t *testing.T) []string {
		return []string{must(w.InviteMember(t.Context(), w.admin, manage.Invite{Email: "zoe@example.com", Role: auth.Owner}))(t).Token}
	}},
	"PublishByHand": {"event.publish", func(w *world, t *testing.T) []string {
		must(w.PublishByHand(t.Context(), w.admin, manage.ByHand{Type: "scan.completed", Publish: func(context.Context) (string, error) { return "01890a5d-ac96-774b-8000-000000000000", nil }}))(t)
		return nil
	}},
	"TakeBackInvite": {"member.uninvite", func(w *world, t *testing.T) []string {
		made := must(w.InviteMember(t.Context(), w.admin, manage.Invite{Email: "zoe@example.com", Role: auth.Viewer}))(t)
		must(w.TakeBackInvite(t.Context(), w.admin, made.ID))(t)
		return nil
	}},
	"ChangeRole": {"member.role", func(w *world, t *testing.T) []string {
		must(w.ChangeRole(t.Context(), w.admin, manage.ChangeRole{ID: w.member(w.admin, auth.Developer).ID, Role: auth.Viewer}))(t)
		return nil
	}},
	"RemoveMember": {"member.remove", func(w *world, t *testing.T) []string {
		must(w.RemoveMember(t.Context(), w.admin, w.member(w.admin, auth.Developer).ID))(t)
		return nil
	}},
	"EndSession": {"session.end", func(w *world, t *testing.T) []string {
		u := w.member(w.admin, auth.Developer)
		token := must(auth.NewSignIns(w.db, nil).Begin(t.Context(), u, "by test", auth.Visitor{}))(t)
		rows := must(w.ListSessions(t.Context(), w.admin, manage.Page{}))(t).Rows
		must(w.EndSession(t.Context(), w.admin, rows[0].ID))(t)
		return []string{token}
	}},
	"CreateEndpoint": {"endpoint.create", func(w *world, t *testing.T) []string {
		made := must(w.CreateEndpoint(t.Context(), w.admin, manage.CreateEndpoint{
			URL: "https://example.com/pathtoken?k=querytoken", Events: []string{"*"}, Headers: []delivery.Header{{Name: "Authorization", Value: "headertoken"}},
		}))(t)
		return []string{made.Secret, "pathtoken", "querytoken", "headertoken"}
	}},
	"UpdateEndpoint": {"endpoint.update", func(w *world, t *testing.T) []string {
		must(w.UpdateEndpoint(t.Context(), w.admin, manage.UpdateEndpoint{
			ID: w.endpoint(w.admin).ID, URL: pointer("https://example.org/pathtoken"), Headers: &[]delivery.Header{{Name: "Authorization", Value: "headertoken"}}, Enabled: pointer(false),
		}))(t)
		return []string{"pathtoken", "headertoken"}
	}},
	"DeleteEndpoint": {"endpoint.delete", func(w *world, t *testing.T) []string {
		must(w.DeleteEndpoint(t.Context(), w.admin, manage.DeleteEndpoint{ID: w.endpoint(w.admin).ID}))(t)
		return nil
	}},
	"DisableEndpoint": {"endpoint.disable", func(w *world, t *testing.T) []string {
		must(w.DisableEndpoint(t.Context(), w.admin, manage.DisableEndpoint{ID: w.endpoint(w.admin).ID, Reason: "holiday"}))(t)
		return nil
	}},
	"EnableEndpoint": {"endpoint.enable", func(w *world, t *testing.T) []string {
		made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}, Disabled: true}))(t)
		must(w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: made.Endpoint.ID}))(t)
		return nil
	}},
	"TestEndpoint": {"endpoint.test", func(w *world, t *testing.T) []string {
		must(w.TestEndpoint(t.Context(), w.admin, manage.TestEndpoint{ID: w.endpoint(w.admin).ID}))(t)
		return nil
	}},
	"PrepareSecret": {"secret.prepare", func(w *world, t *testing.T) []string {
		return []string{must(w.PrepareSecret(t.Context(), w.admin, w.endpoint(w.admin).ID))(t).Text}
	}},
	"PromoteSecret": {"secret.promote", func(w *world, t *testing.T) []string {
		e := w.endpoint(w.admin)
		text := must(w.PrepareSecret(t.Context(), w.admin, e.ID))(t).Text
		must(w.PromoteSecret(t.Context(), w.admin, manage.PromoteSecret{EndpointID: e.ID}))(t)
		return []string{text}
	}},
	"RotateSecret": {"secret.rotate", func(w *world, t *testing.T) []string {
		return []string{must(w.RotateSecret(t.Context(), w.admin, manage.RotateSecret{EndpointID: w.endpoint(w.admin).ID}))(t).Text}
	}},
	"RetryDelivery": {"delivery.retry", func(w *world, t *testing.T) []string {
		must(w.RetryDelivery(t.Context(), w.admin, w.publish(w.endpoint(w.admin), 1, delivery.ServerError)[0]))(t)
		return nil
	}},
	"DiscardDelivery": {"delivery.discard", func(w *world, t *testing.T) []string {
		must(w.DiscardDelivery(t.Context(), w.admin, manage.DiscardDelivery{ID: w.publish(w.endpoint(w.admin), 1, delivery.ServerError)[0], Reason: "old"}))(t)
		return nil
	}},
	"RetryDeliveries": {"deliveries.retry", func(w *world, t *testing.T) []string {
		w.publish(w.endpoint(w.admin), 1, delivery.ServerError)
		must(w.RetryDeliveries(t.Context(), w.admin, manage.RetryDeliveries{}))(t)
		return nil
	}},
	"DiscardDeliveries": {"deliveries.discard", func(w *world, t *testing.T) []string {
		w.publish(w.endpoint(w.admin), 1, delivery.ServerError)
		must(w.DiscardDeliveries(t.Context(), w.admin, manage.DiscardDeliveries{Reason: "old"}))(t)
		return nil
	}},
	"ReplayEndpoint": {"endpoint.replay", func(w *world, t *testing.T) []string {
		e := w.endpoint(w.admin)
		w.publish(e, 1, delivery.ServerError)
		must(w.ReplayEndpoint(t.Context(), w.admin, manage.ReplayEndpoint{ID: e.ID, From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}))(t)
		return nil
	}},
	"CancelJob": {"job.cancel", func(w *world, t *testing.T) []string {
		w.publish(w.endpoint(w.admin), 1, delivery.ServerError)
		job := must(w.RetryDeliveries(t.Context(), w.admin, manage.RetryDeliveries{}))(t).Job
		must(w.CancelJob(t.Context(), w.admin, job.ID))(t)
		return nil
	}},
	"CreateType": {"event_type.create", func(w *world, t *testing.T) []string {
		must(w.CreateType(t.Context(), w.admin, manage.CreateType{Name: "invoice.paid"}))(t)
		return nil
	}},
	"UpdateType": {"event_type.update", func(w *world, t *testing.T) []string {
		must(w.CreateType(t.Context(), w.admin, manage.CreateType{Name: "invoice.paid"}))(t)
		must(w.UpdateType(t.Context(), w.admin, manage.UpdateType{Name: "invoice.paid", Description: pointer("An invoice was paid.")}))(t)
		return nil
	}},
	"DeleteType": {"event_type.delete", func(w *world, t *testing.T) []string {
		must(w.CreateType(t.Context(), w.admin, manage.CreateType{Name: "invoice.paid"}))(t)
		must(w.DeleteType(t.Context(), w.admin, "invoice.paid"))(t)
		return nil
	}},
	"CreateKey": {"key.create", func(w *world, t *testing.T) []string {
		return []string{must(w.CreateKey(t.Context(), w.admin, manage.CreateKey{Name: "ci", Scopes: []string{"publish"}}))(t).Text}
	}},
	"RevokeKey": {"key.revoke", func(w *world, t *testing.T) []string {
		key := must(w.CreateKey(t.Context(), w.admin, manage.CreateKey{Name: "ci", Scopes: []string{"publish"}}))(t)
		must(w.RevokeKey(t.Context(), w.admin, manage.RevokeKey{ID: key.ID}))(t)
		return []string{key.Text}
	}},
	"CreateAccount": {"account.create", func(w *world, t *testing.T) []string {
		must(w.CreateAccount(t.Context(), w.admin, manage.CreateAccount{Name: "Third"}))(t)
		return nil
	}},
	"AddRecipient": {"recipient.add", func(w *world, t *testing.T) []string {
		must(w.AddRecipient(t.Context(), w.admin, "oncall@example.com"))(t)
		return nil
	}},
	"RemoveRecipient": {"recipient.remove", func(w *world, t *testing.T) []string {
		must(w.AddRecipient(t.Context(), w.admin, "oncall@example.com"))(t)
		must(w.RemoveRecipient(t.Context(), w.admin, "OnCall@example.com"))(t)
		return nil
	}},
	"TestMail": {"mail.test", func(w *world, t *testing.T) []string {
		sends := newWorld(t, func(c *manage.Config) { c.Mail = senderTo(t, mailtest.New(t, mailtest.Config{NoTLS: true})) })
		must(sends.AddRecipient(t.Context(), w.admin, "oncall@example.com"))(t)
		must(sends.TestMail(t.Context(), w.admin, struct{}{}))(t)
		*w = *sends
		return nil
	}},
	"DeleteAccount": {"account.delete", func(w *world, t *testing.T) []string {
		must(w.DeleteAccount(t.Context(), w.admin, w.user.AccountID))(t)
		return nil
	}},
	"PortalLink": {"account.portal_link", func(w *world, t *testing.T) []string {
		return []string{must(w.PortalLink(t.Context(), w.admin, w.user.AccountID))(t).Token}
	}},
}

func TestEveryChangeWritesOneAuditRowWithoutASecret(t *testing.T) {
	t.Parallel()
	for name, scope := range scopes {
		if _, ok := changes[name]; !ok && scope == auth.Manage && name != "ListKeys" && name != "CheckURL" {
			t.Errorf("%s changes something but is not in the table of changes", name)
		}
	}
	for name, tt := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			started := time.Now().Add(-time.Millisecond)
			secrets := tt.do(w, t)

			caller := w.admin
			if name == "EnableEndpoint" {
				caller = w.user
			}
			rows := must(w.ListAudit(t.Context(), caller, manage.ListAudit{}))(t).Rows
			// The newest row is of the operation; the test's world made others before.
			got := rows[0]
			if got.Action != tt.action || got.Actor != caller.Actor || got.AccountID != caller.AccountID || got.Object == "" {
				t.Errorf("got %+v, want %s by %s with an object", got, tt.action, caller.Actor)
			}
			if got.At.Before(started) || got.At.After(time.Now()) {
				t.Errorf("got the time %s, want now", got.At)
			}
			if len(rows) > 1 && rows[1].Action == tt.action && name != "CreateAccount" {
				t.Errorf("two rows for one operation: %+v", rows[:2])
			}
			for _, row := range rows {
				for _, secret := range secrets {
					if strings.Contains(row.Detail+row.Object, secret) {
						t.Errorf("%s: the audit holds a secret: %q", row.Action, row.Detail)
					}
				}
			}
		})
	}
}

func TestWhatChangesNothingWritesNoAuditRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	e := w.endpoint(w.user)
	must(w.CreateType(ctx, w.user, manage.CreateType{Name: "invoice.paid", Description: "x"}))(t)
	w.publish(e, 1, delivery.ServerError)
	span := manage.ReplayEndpoint{ID: e.ID, From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), DryRun: true}
	before := len(must(w.ListAudit(ctx, w.user, manage.ListAudit{}))(t).Rows)

	must(w.UpdateEndpoint(ctx, w.user, manage.UpdateEndpoint{ID: e.ID, URL: pointer(e.URL), Enabled: pointer(true)}))(t)
	must(w.EnableEndpoint(ctx, w.user, manage.EnableEndpoint{ID: e.ID}))(t)
	must(w.DeleteEndpoint(ctx, w.user, manage.DeleteEndpoint{ID: e.ID, DryRun: true}))(t)
	must(w.RetryDeliveries(ctx, w.user, manage.RetryDeliveries{DryRun: true}))(t)
	must(w.DiscardDeliveries(ctx, w.user, manage.DiscardDeliveries{Reason: "old", DryRun: true}))(t)
	must(w.ReplayEndpoint(ctx, w.user, span))(t)
	must(w.UpdateType(ctx, w.user, manage.UpdateType{Name: "invoice.paid", Description: pointer("x")}))(t)
	if _, err := w.CreateEndpoint(ctx, w.user, manage.CreateEndpoint{}); err == nil {
		t.Error("an endpoint without URL was made")
	}
	rows := must(w.ListAudit(ctx, w.user, manage.ListAudit{}))(t).Rows
	if len(rows) != before {
		t.Errorf("%d rows were added: %+v", len(rows)-before, rows)
	}
}

func TestTheAuditSurvivesACallerWhoLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	m := manage.New(manage.Config{Store: leaving{w.db, leave}})
	must(m.CreateAccount(ctx, w.admin, manage.CreateAccount{Name: "Left"}))(t)
	if got := must(w.ListAudit(t.Context(), w.admin, manage.ListAudit{}))(t).Rows[0]; got.Detail != `"Left"` {
		t.Errorf("the newest row is %+v, want that of the account", got)
	}
}

// leaving ends the caller's context as soon as the account is made.
type leaving struct {
	manage.Store
	leave func()
}

func (l leaving) CreateAccount(ctx context.Context, a store.Account) error {
	defer l.leave()
	return l.Store.CreateAccount(ctx, a)
}
