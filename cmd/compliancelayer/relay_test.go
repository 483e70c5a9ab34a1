package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/compliancelayer/compliancelayer/receiver/relay"
)

// The key was what the error's text began with, whatever that was.
func TestTheKeyOfAnAddressIsNotReadOutOfTheErrorsText(t *testing.T) {
	t.Parallel()
	c, _, notes := quiet()
	c.fail(relayHint(fmt.Errorf("start: %w", &relay.ListenError{Key: "metrics_listen", Err: syscall.EADDRINUSE}), "relay.yaml"), "relay")
	if want := "with metrics_listen, in relay.yaml"; !strings.Contains(notes.String(), want) {
		t.Errorf("printed %q, want %q in it", notes, want)
	}
	if _, hint := errors.AsType[*hinted](relayHint(errors.New("no inbox"), "relay.yaml")); hint {
		t.Error("another error has a hint about an address")
	}
}
