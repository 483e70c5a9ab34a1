package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// ErrUnknownIdentity means that the issuer knows who this is, and no member of any account is linked to it.
var ErrUnknownIdentity = errors.New("nobody here is linked to this single sign-on")

// ByIdentity lets the member in whose identity it is and gives the token of their new session. That it is the visitor's must be
// proven already. The errors are ErrUnknownIdentity, [*LockedError], and those of the store.
func (s *SignIns) ByIdentity(ctx context.Context, issuer, subject string, v Visitor) (token string, err error) {
	name := issuer + " " + subject
	if err := s.lockedOut(name, v); err != nil {
		return "", err
	}
	u, err := s.members.UserByIdentity(ctx, issuer, subject)
	if errors.Is(err, store.ErrNotFound) {
		s.pairs.failed(pair(name, v), time.Now())
		s.Failed(v)
		return "", ErrUnknownIdentity
	}
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	s.pairs.succeeded(pair(name, v))
	return s.Begin(ctx, u, "by single sign-on", v)
}

// Prove makes sure that it is the member of a session who asks, and not somebody who found their browser open: by their
// password, if they have one. It stands before what lets somebody in later on. The errors are ErrNoMember, ErrWrongPassword,
// [*LockedError], ErrBusy, and those of the store.
func (s *SignIns) Prove(ctx context.Context, session store.Session, present string, v Visitor) error {
	u, err := s.memberOf(ctx, session)
	if err != nil {
		return fmt.Errorf("ask for the password: %w", err)
	}
	return s.proveAgain(ctx, u, present, v)
}

func (s *SignIns) memberOf(ctx context.Context, session store.Session) (store.User, error) {
	if session.UserID == "" {
		return store.User{}, ErrNoMember
	}
	return s.members.User(ctx, session.AccountID, session.UserID)
}

// proveAgain asks a member who is signed in for the present password, if they have one.
func (s *SignIns) proveAgain(ctx context.Context, u store.User, present string, v Visitor) error {
	if u.Password == "" {
		return nil
	}
	if err := s.lockedOut(u.Email, v); err != nil {
		return err
	}
	return s.prove(ctx, u, present, v)
}

// ErrNoMember means that a session came by link, and belongs to nobody who could have a password.
var ErrNoMember = errors.New("you came by link, and are no member")

// ChangePassword gives the member of a session another password, if they know the present one or have none. Their sessions
// end, this one too, and the token of a new one is answered. The errors are those of [CheckPassword], ErrNoMember, ErrWrongPassword, ErrSamePassword,
// [*LockedError], ErrBusy, and those of the store: *store.Conflict when it was changed meanwhile.
func (s *SignIns) ChangePassword(ctx context.Context, session store.Session, present, next string, v Visitor) (token string, err error) {
	u, err := s.memberOf(ctx, session)
	if err != nil {
		return "", fmt.Errorf("change password: %w", err)
	}
	if err := CheckPassword(next, u.Email); err != nil {
		return "", err
	}
	if err := s.proveAgain(ctx, u, present, v); err != nil {
		return "", err
	}
	if u.Password != "" && next == present {
		return "", ErrSamePassword
	}
	phc, err := s.HashPassword(ctx, next)
	if err != nil {
		return "", err
	}
	token, fresh := newSession(u.AccountID, u.ID, "", v)
	if err := s.members.ChangePassword(ctx, u.Password, phc, fresh); err != nil {
		return "", err
	}
	s.write(context.WithoutCancel(ctx), store.AuditEntry{
		AccountID: u.AccountID, Actor: u.ID, Action: "member.password", Object: u.ID, Detail: "their other sessions ended; " + where(v), At: time.Now().UTC(),
	})
	return token, nil
}
