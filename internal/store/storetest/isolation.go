package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func isolationChecks() []check {
	return []check{
		{"every method of the store has a case", isolationComplete},
		{"no method reads or changes another account's rows", isolationKept},
	}
}

// victim is an account with a row of every kind, and their ids.
type victim struct {
	*world
	endpoint string
	event    store.NewEvent
	failed   delivery.ID
	held     delivery.ID
	key      store.Key
	job      store.Job
	user     store.User
	invite   store.Invite
	session  store.Session
	reveal   store.Reveal
	alert    store.Alert
}

func newVictim(t *testing.T, s store.Store) victim {
	t.Helper()
	v := victim{world: newWorld(t, s)}
	v.endpoint = v.newEndpoint()
	v.event = eventAt(at(0), heldFor(v.endpoint))
	v.event.Key = "key of the publisher"
	v.publish(v.event)
	v.held = v.event.Deliveries[0].ID
	v.failed = v.inStatus(v.endpoint, delivery.Failed)
	v.inStatus(v.endpoint, delivery.Pending)
	v.key = keyOf(v.account)
	v.must("create key", s.CreateKey(v.ctx(), v.key))
	v.user, v.invite = v.newUser("owner"), inviteTo(v.account)
	v.must("create invitation", s.CreateInvite(v.ctx(), v.invite))
	v.session, v.reveal = v.newSession(v.user), v.newReveal()
	v.must("add recipient", s.AddRecipient(v.ctx(), recipientOf(v.account), many, many))
	v.tell(mailTo(v.account, newEmail()))
	v.link(identityOf(v.user))
	v.must("create type", s.CreateType(v.ctx(), typeOf(v.account, "own.type"), many))
	v.must("add audit", s.AddAudit(v.ctx(), store.AuditEntry{AccountID: v.account, Actor: "system", Action: "check", At: at(0)}))
	v.addStats(statOf(v.account, v.endpoint, 0, 1))
	v.alert = v.openAlert(v.endpoint, delivery.AlertFailing, 0)
	v.job = v.newJob(store.JobRetry, store.DeliveryFilter{Class: delivery.Reset})
	jobs, err := s.ClaimJobs(v.ctx(), nodeA, at(0), at(1000*time.Hour), 100)
	v.must("claim jobs", err)
	for _, j := range jobs {
		if j.ID == v.job.ID {
			v.job = j
		}
	}
	return v
}

// rows reads all that the victim has.
func (v victim) rows() []any {
	v.t.Helper()
	var all []any
	keep := func(row any, err error) {
		v.must("read the victim's rows", err)
		all = append(all, row)
	}
	keep(v.s.Account(v.ctx(), v.account))
	keep(v.s.Endpoint(v.ctx(), v.account, v.endpoint))
	keep(v.s.Secrets(v.ctx(), v.account, v.endpoint, at(0)))
	keep(v.s.Subscriptions(v.ctx(), v.account))
	keep(v.s.Event(v.ctx(), v.account, v.event.ID))
	deliveries, _, err := v.s.ListDeliveries(v.ctx(), v.account, store.DeliveryFilter{}, store.Page{Limit: 100})
	keep(deliveries, err)
	events, _, err := v.s.ListEvents(v.ctx(), v.account, store.EventFilter{}, store.Page{Limit: 100})
	keep(events, err)
	keep(v.s.Attempts(v.ctx(), v.account, v.failed))
	keep(v.s.Job(v.ctx(), v.account, v.job.ID))
	keep(v.s.KeyByHash(v.ctx(), v.key.Hash))
	keep(v.s.Type(v.ctx(), v.account, "own.type"))
	keep(v.s.User(v.ctx(), v.account, v.user.ID))
	keep(v.s.ListIdentities(v.ctx(), v.account, v.user.ID))
	keep(v.s.InviteByHash(v.ctx(), v.invite.Hash, at(0)))
	keep(v.s.SessionByHash(v.ctx(), v.session.Hash, at(0)))
	keep(v.s.ListRecipients(v.ctx(), v.account))
	keep(v.mails(), nil)
	keep(v.audit(10), nil)
	keep(v.stats("", 0, 10), nil)
	keep(v.notices(), nil)
	keep(v.s.Alert(v.ctx(), v.account, v.alert.ID))
	return all
}

// notFound wants an answer that says not found.
func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("got error %v, want %w", err, store.ErrNotFound)
}

// refused wants any error.
func refused(err error) error {
	if err != nil {
		return nil
	}
	return errors.New("it was done")
}

// nothing wants an empty list, or that it is not found.
func nothing(n int, err error) error {
	if err != nil {
		return notFound(err)
	}
	if n > 0 {
		return fmt.Errorf("got %d rows", n)
	}
	return nil
}

// trespass is what an account tries with the ids of another one: w is the
// account that tries. It says what is wrong with the answer; nil is right.
type trespass func(w *world, v victim) error

// unscoped lists the methods that take no account, and why they need none.
func unscoped() map[string]string {
	const (
		dispatcher = "the dispatcher works for all accounts"
		watcher    = "the watch works for all accounts"
		admin      = "it takes the account itself; the caller's scope is checked by manage"
		own        = "it adds a row to the account that it names, and refers to no other row"
		node       = "it is about the installation"
	)
	return map[string]string{
		"Clock": node, "Beat": node, "Leave": node, "Ping": node, "DeleteOld": node, "SettleDeleted": node, "Depth": node, "Backup": node,
		"Value": node, "SetValueOnce": node, "Close": node, "Announce": node, "Listen": node,
		"Due": dispatcher, "Claim": dispatcher, "Record": dispatcher, "Return": dispatcher, "Settle": dispatcher, "Rewind": dispatcher,
		"Lane": dispatcher, "WriteStats": dispatcher, "ClaimJobs": dispatcher, "ListNotices": dispatcher, "Troubled": watcher, "Watched": watcher, "DeleteNotice": dispatcher,
		"ClaimLetter": dispatcher, "HandLetter": dispatcher, "EndLetter": dispatcher, "PassLetter": dispatcher, "PostponeLetter": dispatcher,
		"AdoptMails": node, "DeleteMails": node, "DeleteReveals": node, "AddRecipient": own, "TestTurn": own,
		"Account": admin, "CreateAccount": admin, "DeleteAccount": admin, "ListAccounts": admin,
		"AddAudit": own, "CreateLink": own,
		"KeyByHash": "the hash is the proof of who asks", "UseLink": "the hash is the proof of who asks",
		"OfferSetup": own, "SetUp": "the hash is the proof of who asks", "SetUpOwner": "the hash is the proof of who asks", "CheckSetup": "the hash is the proof of who asks",
		"InviteByHash": "the hash is the proof of who asks", "AcceptInvite": "the hash is the proof of who asks", "AcceptInviteWith": "the hash is the proof of who asks",
		"SessionByHash": "the hash is the proof of who asks", "CreateInvite": own, "KeepReveal": own,
		"UserByIdentity": "an identity is somebody's in one account only, and its issuer is the proof",
		"UserByEmail":    "an address is somebody's in one account only; what comes of it depends on the password",
		"TouchSession":   "it is called with a session that was just found by its hash",
		"TouchKey":       "it is called with a key that was just found by its hash",
	}
}

// scoped lists what is tried with each method that sees one account's rows.
func scoped() map[string]trespass {
	all := make(map[string]trespass)
	for _, part := range []map[string]trespass{trespassEndpoints(), trespassLog(), trespassWork(), trespassPeople(), trespassIdentities(), trespassMails(), trespassAlerts(), trespassRest()} {
		for name, try := range part {
			all[name] = try
		}
	}
	return all
}

func isolationComplete(w *world) {
	methods := reflect.TypeFor[store.Store]()
	known := len(scoped()) + len(unscoped())
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if scoped()[name] == nil && unscoped()[name] == "" {
			w.t.Errorf("method %s has no case: what does it answer with another account's ids?", name)
		}
	}
	if n := methods.NumMethod(); n != known {
		w.t.Errorf("the store has %d methods, %d have a case", n, known)
	}
}

func isolationKept(w *world) {
	for name, try := range scoped() {
		w.t.Run(name, func(t *testing.T) {
			v := newVictim(t, w.s)
			before := v.rows()
			if err := try(newWorld(t, w.s), v); err != nil {
				t.Errorf("%s with another account's ids: %v", name, err)
			}
			v.equal("the other account's rows", v.rows(), before)
		})
	}
}
