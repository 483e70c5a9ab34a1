package manage_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// operations gives every exported method of Manager by name.
func operations(t *testing.T) map[string]reflect.Value {
	t.Helper()
	// Without a store: whoever may not do a thing must be refused before anything is read.
	m := reflect.ValueOf(manage.New(manage.Config{}))
	methods := map[string]reflect.Value{}
	for i := range m.NumMethod() {
		methods[m.Type().Method(i).Name] = m.Method(i)
	}
	if len(methods) < 30 {
		t.Fatalf("found only %d operations", len(methods))
	}
	return methods
}

// call does an operation with the zero value of what it takes.
func call(t *testing.T, name string, op reflect.Value, caller auth.Caller) error {
	t.Helper()
	kind := op.Type()
	if kind.NumIn() != 3 || kind.In(0) != reflect.TypeFor[context.Context]() || kind.In(1) != reflect.TypeFor[auth.Caller]() ||
		kind.NumOut() != 2 || kind.Out(1) != reflect.TypeFor[error]() {
		t.Fatalf("%s is a %s, want a func(ctx, caller, in) (out, error)", name, kind)
	}
	out := op.Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(caller), reflect.Zero(kind.In(2))})
	if !out[0].IsZero() {
		t.Errorf("%s answered something beside its error: %+v", name, out[0])
	}
	err, _ := out[1].Interface().(error)
	return err
}

func TestEveryOperationRefusesACallerWithoutScopes(t *testing.T) {
	t.Parallel()
	callers := map[string]auth.Caller{
		"nobody":            {},
		"without scopes":    {AccountID: store.DefaultAccount, KeyID: "key_1", Actor: "key_1"},
		"only publishing":   {AccountID: store.DefaultAccount, KeyID: "key_1", Actor: "key_1", Scopes: auth.Scopes{auth.Publish}},
		"without account":   {Actor: "key_1", Scopes: auth.Scopes{auth.Admin}},
		"an unknown scope":  {AccountID: store.DefaultAccount, Actor: "key_1", Scopes: auth.Scopes{"root"}},
		"without any scope": {AccountID: "acc_1", Actor: "key_1", Scopes: auth.Scopes{}},
	}
	for name, op := range operations(t) {
		for who, caller := range callers {
			if scopes[name] == auth.Publish && who == "only publishing" {
				continue
			}
			if err := call(t, name, op, caller); !errors.Is(err, manage.ErrForbidden) {
				t.Errorf("%s by a caller %s: got %v, want ErrForbidden", name, who, err)
			}
		}
	}
}

// scopes says what every operation takes. A new operation is entered here.
var scopes = map[string]auth.Scope{
	"Endpoint": auth.Read, "ListEndpoints": auth.Read, "Secrets": auth.Read, "CheckSecret": auth.Read, "Stopped": auth.Read, "Failures": auth.Read, "EndpointNames": auth.Read,
	"Delivery": auth.Read, "ListDeliveries": auth.Read, "Attempt": auth.Read, "DeadLetters": auth.Read, "DeadLetterCounts": auth.Read, "Neighbours": auth.Read,
	"Stats": auth.Read, "EventTypes": auth.Read, "EventType": auth.Read, "Event": auth.Read, "ListEvents": auth.Read,
	"ListMembers": auth.Read, "ListSessions": auth.Read, "EndSession": auth.Read, "KeepReveal": auth.Read, "TakeReveal": auth.Read,
	"Profile": auth.Read, "Rename": auth.Read, "LinkIdentity": auth.Read, "UnlinkIdentity": auth.Read,
	"ListRecipients": auth.Read, "ListMails": auth.Read, "Job": auth.Read, "ListJobs": auth.Read, "ListAudit": auth.Read, "ListAlerts": auth.Read, "MatchEvents": auth.Read,

	"CreateEndpoint": auth.Manage, "CheckURL": auth.Manage, "UpdateEndpoint": auth.Manage, "DeleteEndpoint": auth.Manage, "DisableEndpoint": auth.Manage,
	"EnableEndpoint": auth.Manage, "TestEndpoint": auth.Manage, "PrepareSecret": auth.Manage, "PromoteSecret": auth.Manage,
	"RotateSecret": auth.Manage, "RetryDelivery": auth.Manage, "DiscardDelivery": auth.Manage, "RetryDeliveries": auth.Manage, "DiscardDeliveries": auth.Manage,
	"ReplayEndpoint": auth.Manage, "CancelJob": auth.Manage, "CreateType": auth.Manage, "UpdateType": auth.Manage, "DeleteType": auth.Manage,
	"PublishByHand": auth.Publish,

	"AddRecipient": auth.Manage, "RemoveRecipient": auth.Manage, "TestMail": auth.Manage,
	"CreateKey": auth.Manage, "ListKeys": auth.Manage, "RevokeKey": auth.Manage,

	"InviteMember": auth.People, "ListInvites": auth.People, "TakeBackInvite": auth.People, "ChangeRole": auth.People, "RemoveMember": auth.People,

	"CreateAccount": auth.Admin, "Account": auth.Admin, "ListAccounts": auth.Admin, "DeleteAccount": auth.Admin, "PortalLink": auth.Admin,
}

func TestTheScopeOfEveryOperation(t *testing.T) {
	t.Parallel()
	for name, op := range operations(t) {
		want, ok := scopes[name]
		if !ok {
			t.Errorf("%s is not in the table of scopes", name)
			continue
		}
		var forbidden *manage.Forbidden
		if err := call(t, name, op, auth.Caller{AccountID: store.DefaultAccount}); !errors.As(err, &forbidden) {
			t.Errorf("%s: got %v, want a *Forbidden", name, err)
		} else if forbidden.Scope != want {
			t.Errorf("%s takes %s, want %s", name, forbidden.Scope, want)
		}
	}
}

func TestAdminEndsAtTheDefaultAccount(t *testing.T) {
	t.Parallel()
	caller := auth.Caller{AccountID: "acc_other", Actor: "key_1", Scopes: auth.Scopes{auth.Admin}}
	for name, op := range operations(t) {
		if scopes[name] != auth.Admin {
			continue
		}
		if err := call(t, name, op, caller); !errors.Is(err, manage.ErrForbidden) {
			t.Errorf("%s by an admin of another account: got %v, want ErrForbidden", name, err)
		}
	}
}

func TestTheKeysOfOtherAccountsTakeAdmin(t *testing.T) {
	t.Parallel()
	m := manage.New(manage.Config{})
	caller := auth.Caller{AccountID: store.DefaultAccount, Actor: "key_1", Scopes: auth.Scopes{auth.Manage}}
	_, create := m.CreateKey(t.Context(), caller, manage.CreateKey{AccountID: "acc_other"})
	_, list := m.ListKeys(t.Context(), caller, manage.ListKeys{AccountID: "acc_other"})
	_, revoke := m.RevokeKey(t.Context(), caller, manage.RevokeKey{AccountID: "acc_other", ID: "key_2"})
	for name, err := range map[string]error{"create": create, "list": list, "revoke": revoke} {
		var forbidden *manage.Forbidden
		if !errors.As(err, &forbidden) || forbidden.Scope != auth.Admin {
			t.Errorf("%s: got %v, want a *Forbidden that asks for admin", name, err)
		}
	}
}
