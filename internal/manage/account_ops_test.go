package manage_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestAKeyThatWasMadeWorksUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	made := must(w.CreateKey(t.Context(), w.user, manage.CreateKey{Name: "ci", Scopes: []string{"publish", "read"}, ExpiresAt: expires}))(t)
	a := auth.NewAuthenticator(w.db, nil)
	caller := must(a.Authenticate(t.Context(), "Bearer "+made.Text, ""))(t)
	want := auth.Caller{AccountID: w.user.AccountID, KeyID: made.ID, Actor: made.ID, Scopes: auth.Scopes{auth.Publish, auth.Read}, ExpiresAt: expires}
	if diff := cmp.Diff(want, caller); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	listed := must(w.ListKeys(t.Context(), w.user, manage.ListKeys{}))(t).Rows
	if diff := cmp.Diff([]manage.Key{made.Key}, listed); diff != "" {
		t.Errorf("listed (-made +listed):\n%s", diff)
	}
	must(w.RevokeKey(t.Context(), w.user, manage.RevokeKey{ID: made.ID}))(t)
	a.Forget(made.ID)
	if _, err := a.Authenticate(t.Context(), "Bearer "+made.Text, ""); !errors.Is(err, auth.ErrRevoked) {
		t.Errorf("revoked: got %v, want ErrRevoked", err)
	}
}

func TestMistakesInAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	tests := []struct {
		name   string
		caller auth.Caller
		in     manage.CreateKey
		want   []string
	}{
		{"nothing", w.user, manage.CreateKey{}, []string{"name", "scopes"}},
		{"an unknown scope", w.user, manage.CreateKey{Name: "x", Scopes: []string{"read", "root"}}, []string{"scopes[1]"}},
		{"more than the caller may do", w.user, manage.CreateKey{Name: "x", Scopes: []string{"admin"}}, []string{"scopes[0]"}},
		{"publishing by one who may not", auth.Caller{AccountID: w.user.AccountID, Actor: "x", Scopes: auth.Scopes{auth.Manage}}, manage.CreateKey{Name: "x", Scopes: []string{"read", "publish"}}, []string{"scopes[1]"}},
		{"admin in another account", w.admin, manage.CreateKey{Name: "x", Scopes: []string{"admin"}, AccountID: w.user.AccountID}, []string{"scopes[0]"}},
		{"an account that there is not", w.admin, manage.CreateKey{Name: "x", Scopes: []string{"read"}, AccountID: "acc_none"}, []string{"account_id"}},
		{"an end in the past", w.user, manage.CreateKey{Name: "x", Scopes: []string{"read"}, ExpiresAt: time.Now().Add(-time.Second)}, []string{"expires_at"}},
		{"one that lasts longer than the caller's", ending(w.user, time.Hour), manage.CreateKey{Name: "x", Scopes: []string{"read"}, ExpiresAt: time.Now().Add(2 * time.Hour)}, []string{"expires_at"}},
		{"one without an end by one that has one", ending(w.user, time.Hour), manage.CreateKey{Name: "x", Scopes: []string{"read"}}, []string{"expires_at"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.CreateKey(t.Context(), tt.caller, tt.in)
			if diff := cmp.Diff(tt.want, invalid(t, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// ending is the caller with a key that ends after a time.
func ending(caller auth.Caller, after time.Duration) auth.Caller {
	caller.ExpiresAt = time.Now().Add(after)
	return caller
}

// reach is what each scope permits.
var reach = map[auth.Scope][]auth.Scope{
	auth.Publish: {auth.Publish}, auth.Read: {auth.Read}, auth.Manage: {auth.Read, auth.Manage}, auth.Admin: auth.AllScopes(),
}

// covers reports whether scopes permit everything that others do.
func covers(scopes, others auth.Scopes) bool {
	for _, other := range others {
		if !slices.ContainsFunc(scopes, func(s auth.Scope) bool { return slices.Contains(reach[s], other) }) {
			return false
		}
	}
	return true
}

// subsets lists every choice of scopes but none.
func subsets() []auth.Scopes {
	var all []auth.Scopes
	for bits := 1; bits < 1<<len(auth.AllScopes()); bits++ {
		var some auth.Scopes
		for i, s := range auth.AllScopes() {
			if bits&(1<<i) != 0 {
				some = append(some, s)
			}
		}
		all = append(all, some)
	}
	return all
}

// TestAKeyNeitherMakesNorRevokesOneThatMayDoMore tries every set of scopes on every other.
func TestAKeyNeitherMakesNorRevokesOneThatMayDoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, has := range subsets() {
		caller := auth.Caller{AccountID: store.DefaultAccount, KeyID: "key_caller", Actor: "key_caller", Scopes: has}
		for _, of := range subsets() {
			want := covers(has, of) && covers(has, auth.Scopes{auth.Manage})
			_, err := w.CreateKey(t.Context(), caller, manage.CreateKey{Name: "x", Scopes: of.Strings()})
			if (err == nil) != want {
				t.Errorf("a key with %s makes one with %s: %v, want allowed = %t", has, of, err, want)
			}
			key := must(w.CreateKey(t.Context(), w.admin, manage.CreateKey{Name: "x", Scopes: of.Strings()}))(t)
			_, err = w.RevokeKey(t.Context(), caller, manage.RevokeKey{ID: key.ID})
			var lacks *manage.Forbidden
			if (err == nil) != want || err != nil && (!errors.As(err, &lacks) || covers(has, auth.Scopes{lacks.Scope})) {
				t.Errorf("a key with %s revokes one with %s: %v, want allowed = %t, or a scope that it lacks", has, of, err, want)
			}
		}
	}
}

func TestAnAdminManagesTheKeysOfOtherAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateKey(t.Context(), w.admin, manage.CreateKey{Name: "theirs", Scopes: []string{"manage"}, AccountID: w.user.AccountID}))(t)
	if made.AccountID != w.user.AccountID {
		t.Errorf("made in %s, want %s", made.AccountID, w.user.AccountID)
	}
	if got := must(w.ListKeys(t.Context(), w.admin, manage.ListKeys{AccountID: w.user.AccountID}))(t).Rows; len(got) != 1 {
		t.Errorf("got %d keys, want the one", len(got))
	}
	must(w.RevokeKey(t.Context(), w.admin, manage.RevokeKey{AccountID: w.user.AccountID, ID: made.ID}))(t)
	if _, err := w.ListKeys(t.Context(), w.admin, manage.ListKeys{AccountID: "acc_none"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of no account: got %v, want ErrNotFound", err)
	}
}

func TestAKeyCannotRevokeItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateKey(t.Context(), w.user, manage.CreateKey{Name: "ci", Scopes: []string{"manage"}}))(t)
	caller := auth.Caller{AccountID: w.user.AccountID, KeyID: made.ID, Actor: made.ID, Scopes: auth.Scopes{auth.Manage}}
	if _, err := w.RevokeKey(t.Context(), caller, manage.RevokeKey{ID: made.ID}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateAccount(t.Context(), w.admin, manage.CreateAccount{Name: "Third"}))(t)
	if diff := cmp.Diff(made, must(w.Account(t.Context(), w.admin, made.ID))(t)); diff != "" {
		t.Errorf("read again (-made +read):\n%s", diff)
	}
	var names []string
	for _, a := range must(w.ListAccounts(t.Context(), w.admin, manage.Page{}))(t).Rows {
		names = append(names, a.Name)
	}
	if len(names) != 3 || !slices.Contains(names, "Third") || !slices.Contains(names, "Other") {
		t.Errorf("the accounts are %q, want the default one, Other and Third", names)
	}
	must(w.DeleteAccount(t.Context(), w.admin, made.ID))(t)
	if _, err := w.Account(t.Context(), w.admin, made.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted: got %v, want ErrNotFound", err)
	}
	if _, err := w.DeleteAccount(t.Context(), w.admin, store.DefaultAccount); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the default account: got %v, want a conflict", err)
	}
	_, err := w.CreateAccount(t.Context(), w.admin, manage.CreateAccount{Name: " "})
	if diff := cmp.Diff([]string{"name"}, invalid(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAPortalLinkWorksOnceAndForFifteenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	link := must(w.PortalLink(t.Context(), w.admin, w.user.AccountID))(t)
	if left := time.Until(link.ExpiresAt); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("the link is good for %s, want 15 minutes", left)
	}
	hash := auth.Hash(link.Token)
	use := func(now time.Time) (store.Session, error) {
		return w.db.UseLink(t.Context(), hash, string(auth.Portal), now, func(l store.Link) store.Session { return store.Session{ID: "ses_1", AccountID: l.AccountID} })
	}
	if _, err := use(link.ExpiresAt); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("at its end: got %v, want ErrNotFound", err)
	}
	used := must(use(time.Now()))(t)
	if used.AccountID != w.user.AccountID {
		t.Errorf("the link leads to %s, want %s", used.AccountID, w.user.AccountID)
	}
	if _, err := use(time.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("again: got %v, want ErrNotFound", err)
	}
	if _, err := w.PortalLink(t.Context(), w.admin, "acc_none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("into no account: got %v, want ErrNotFound", err)
	}
}

// byID does every operation that takes the id of something in an account.
func (w *world) byID(caller auth.Caller, endpointID, jobID, eventID, keyID, typeName string, id delivery.ID) map[string]error {
	ctx := w.t.Context()
	errs := map[string]error{}
	_, errs["Endpoint"] = w.Endpoint(ctx, caller, endpointID)
	_, errs["UpdateEndpoint"] = w.UpdateEndpoint(ctx, caller, manage.UpdateEndpoint{ID: endpointID, Description: pointer("mine"), Enabled: pointer(false)})
	_, errs["DeleteEndpoint dry"] = w.DeleteEndpoint(ctx, caller, manage.DeleteEndpoint{ID: endpointID, DryRun: true})
	_, errs["DeleteEndpoint"] = w.DeleteEndpoint(ctx, caller, manage.DeleteEndpoint{ID: endpointID})
	_, errs["DisableEndpoint"] = w.DisableEndpoint(ctx, caller, manage.DisableEndpoint{ID: endpointID})
	_, errs["EnableEndpoint"] = w.EnableEndpoint(ctx, caller, manage.EnableEndpoint{ID: endpointID})
	_, errs["TestEndpoint"] = w.TestEndpoint(ctx, caller, manage.TestEndpoint{ID: endpointID})
	_, errs["Secrets"] = w.Secrets(ctx, caller, endpointID)
	_, errs["PrepareSecret"] = w.PrepareSecret(ctx, caller, endpointID)
	_, errs["PromoteSecret"] = w.PromoteSecret(ctx, caller, manage.PromoteSecret{EndpointID: endpointID})
	_, errs["RotateSecret"] = w.RotateSecret(ctx, caller, manage.RotateSecret{EndpointID: endpointID})
	_, errs["CheckSecret"] = w.CheckSecret(ctx, caller, manage.CheckSecret{EndpointID: endpointID, Secret: "x"})
	_, errs["Stats"] = w.Stats(ctx, caller, manage.GetStats{EndpointID: endpointID})
	_, errs["Delivery"] = w.Delivery(ctx, caller, id)
	_, errs["Attempt"] = w.Attempt(ctx, caller, manage.GetAttempt{DeliveryID: id, Number: 1})
	_, errs["RetryDelivery"] = w.RetryDelivery(ctx, caller, id)
	_, errs["DiscardDelivery"] = w.DiscardDelivery(ctx, caller, manage.DiscardDelivery{ID: id, Reason: "x"})
	_, errs["Event"] = w.Event(ctx, caller, eventID)
	_, errs["Job"] = w.Job(ctx, caller, jobID)
	_, errs["CancelJob"] = w.CancelJob(ctx, caller, jobID)
	_, errs["EventType"] = w.EventType(ctx, caller, typeName)
	_, errs["UpdateType"] = w.UpdateType(ctx, caller, manage.UpdateType{Name: typeName})
	_, errs["DeleteType"] = w.DeleteType(ctx, caller, typeName)
	_, errs["RevokeKey"] = w.RevokeKey(ctx, caller, manage.RevokeKey{ID: keyID})
	return errs
}

func TestNobodyReachesWhatIsAnotherAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	e := w.endpoint(w.user)
	id := w.publish(e, 1, delivery.ServerError)[0]
	job := must(w.RetryDeliveries(ctx, w.user, manage.RetryDeliveries{}))(t).Job
	event := must(w.Delivery(ctx, w.user, id))(t).EventID
	key := must(w.CreateKey(ctx, w.user, manage.CreateKey{Name: "ci", Scopes: []string{"read"}}))(t)
	must(w.CreateType(ctx, w.user, manage.CreateType{Name: "invoice.paid"}))(t)
	before := must(w.Endpoint(ctx, w.user, e.ID))(t)

	// An admin too acts in their own account.
	for name, err := range w.byID(w.admin, e.ID, job.ID, event, key.ID, "invoice.paid", id) {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	if diff := cmp.Diff(before, must(w.Endpoint(ctx, w.user, e.ID))(t)); diff != "" {
		t.Errorf("the endpoint was changed (-before +after):\n%s", diff)
	}
	lists := map[string]int{
		"endpoints":  len(must(w.ListEndpoints(ctx, w.admin, manage.Page{}))(t).Rows),
		"deliveries": len(must(w.ListDeliveries(ctx, w.admin, manage.ListDeliveries{}))(t).Rows),
		"events":     len(must(w.ListEvents(ctx, w.admin, manage.ListEvents{}))(t).Rows),
		"jobs":       len(must(w.ListJobs(ctx, w.admin, manage.Page{}))(t).Rows),
		"keys":       len(must(w.ListKeys(ctx, w.admin, manage.ListKeys{}))(t).Rows),
		"counts":     len(must(w.DeadLetterCounts(ctx, w.admin, 0))(t)),
	}
	for name, n := range lists {
		if n != 0 {
			t.Errorf("%d %s of another account are listed", n, name)
		}
	}
}

func TestIDsThatCannotBeAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, id := range []string{"", "ep_\x00", "\xff", "a b", string(make([]byte, 1000)), "ep_ü"} {
		for name, err := range w.byID(w.user, id, id, id, id, id, -1) {
			// Without an id these are of the whole account.
			if id == "" && name == "Stats" {
				continue
			}
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of %.10q: got %v, want ErrNotFound", name, id, err)
			}
		}
	}
}
