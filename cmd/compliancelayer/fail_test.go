package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
)

func TestEveryErrorSaysWhatToRunNext(t *testing.T) {
	t.Parallel()
	answer := func(code string) error { return fmt.Errorf("wrapped: %w", &client.Error{Code: code, Message: "No."}) }
	tests := []struct {
		err     error
		command string
		hint    string
		status  int
	}{
		{misuse("wrong"), "endpoints list", "compliancelayer endpoints list --help", exitUsage},
		{misuse("wrong"), "", "compliancelayer --help", exitUsage},
		{errors.New("other"), "serve", "compliancelayer serve --help", exitFailed},
		{withHint(errors.New("other"), "try %d", 7), "serve", "try 7", exitFailed},
		{withHint(misuse("wrong"), "try"), "serve", "try", exitUsage},
		{fmt.Errorf("dial: %w", syscall.ECONNREFUSED), "stats", "compliancelayer serve --dev", exitFailed},
		{fmt.Errorf("get: %w", http.ErrSchemeMismatch), "stats", "compliancelayer stats --server http://", exitFailed},
		{answer(client.CodeUnauthorized), "stats", "export COMPLIANCELAYER_API_KEY=cl_...", exitFailed},
		{&client.Error{Code: client.CodeForbidden, Message: `This key may not do that; it takes a key with the scope "read" (this one has publish).`}, "stats", "compliancelayer keys create NAME --scopes read", exitFailed},
		{answer(client.CodeForbidden), "stats", "compliancelayer stats --help", exitFailed},
		{answer(client.CodeNotFound), "deliveries get", "compliancelayer deliveries list", exitFailed},
		{answer(client.CodeNotFound), "stats", "compliancelayer endpoints list", exitFailed},
		{answer(client.CodeConflict), "event-types delete", "compliancelayer event-types list", exitFailed},
		{enableHint(&client.Error{Code: client.CodeConflict, Message: "The endpoint is disabled"}, "ep_1"), "deliveries retry", "compliancelayer endpoints test ep_1 ", exitFailed},
		{&client.Error{Code: client.CodeValidation, Fields: []client.Field{{Name: "type"}}}, "events publish", "compliancelayer event-types list", exitFailed},
		{answer(client.CodeValidation), "events publish", "compliancelayer events publish --help", exitFailed},
		{answer(client.CodeStorageFull), "events publish", "compliancelayer events publish ", exitFailed},
		{answer(client.CodeUnexpected), "stats", "compliancelayer doctor", exitFailed},
	}
	for _, tt := range tests {
		c, out, notes := quiet()
		status := c.fail(tt.err, tt.command)
		if status != tt.status || !strings.Contains(notes.String(), "\nhint: "+tt.hint) || !strings.HasPrefix(notes.String(), "error: ") || out.Len() > 0 {
			t.Errorf("%v after %q: status %d, printed %q; want status %d and the hint %q", tt.err, tt.command, status, notes, tt.status, tt.hint)
		}
	}
}

func TestAnInterruptedCommandFails(t *testing.T) {
	t.Parallel()
	c, _, notes := quiet()
	if status := c.fail(fmt.Errorf("read: %w", context.Canceled), "stats"); status != exitFailed || notes.String() != "error: interrupted\nhint: compliancelayer stats   (again; what had been sent may have been done)\n" {
		t.Errorf("status %d, printed %q", status, notes)
	}
}

func TestOneWrongFieldIsSaidOnce(t *testing.T) {
	t.Parallel()
	one := &client.Error{Code: client.CodeValidation, Status: 422, Message: "It cannot be used: url: is no URL.", RequestID: "req_1", Fields: []client.Field{{Name: "url", Message: "is no URL"}}}
	if got, want := textOf(fmt.Errorf("create: %w", one)), "create: It cannot be used: url: is no URL. (request req_1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	two := &client.Error{Message: "Two fields are wrong.", Fields: []client.Field{{Name: "a", Message: "x"}, {Name: "b", Message: "y"}}}
	if got := textOf(two); !strings.Contains(got, "\n  a: x\n  b: y") {
		t.Errorf("got %q", got)
	}
}
