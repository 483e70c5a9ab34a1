package auth_test

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestNewKey(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	text, key := auth.NewKey("acc_1", "ci", auth.Scopes{auth.Publish, auth.Read}, now.Add(time.Hour), now)

	if !regexp.MustCompile(`^cl_[a-z2-7]{8}_[a-z2-7]{52}$`).MatchString(text) {
		t.Errorf("the text %q has not the form of a key", text)
	}
	if !strings.HasPrefix(text, key.Prefix) || len(key.Prefix) != 11 {
		t.Errorf("the prefix is %q, want the first 11 characters of the text", key.Prefix)
	}
	want := store.Key{
		ID:        key.ID,
		AccountID: "acc_1",
		Name:      "ci",
		Prefix:    key.Prefix,
		Hash:      sha256.Sum256([]byte(text)),
		Scopes:    []string{"publish", "read"},
		CreatedAt: now,
		ExpiresAt: now.Add(time.Hour),
	}
	if diff := cmp.Diff(want, key); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.HasPrefix(key.ID, "key_") || strings.Contains(text, key.ID[4:]) {
		t.Errorf("the id %q must begin with key_ and be no part of the text", key.ID)
	}
	other, otherKey := auth.NewKey("acc_1", "ci", nil, time.Time{}, now)
	if other == text || otherKey.ID == key.ID {
		t.Error("two keys are the same")
	}
}

func TestNewLink(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	token, link := auth.NewLink(auth.Portal, "acc_1", 15*time.Minute, now)
	want := store.Link{Hash: sha256.Sum256([]byte(token)), AccountID: "acc_1", Purpose: "portal", ExpiresAt: now.Add(15 * time.Minute)}
	if diff := cmp.Diff(want, link); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(token) != 52 {
		t.Errorf("the token has %d characters, want the 52 of 256 bits", len(token))
	}
	if again, _ := auth.NewLink(auth.Portal, "acc_1", 15*time.Minute, now); again == token {
		t.Error("two tokens are the same")
	}
}
