package main

import (
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
)

func TestDoctorJudgesTheTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		found app.Schema
		want  health
		says  string
	}{
		{"as it should be", app.Schema{Version: 3, Newest: 3}, healthOK, "up to date"},
		{"an empty database", app.Schema{Newest: 3}, healthOK, "when the server starts"},
		{"of an older release", app.Schema{Version: 1, Newest: 3}, healthOK, "from version 1 to 3"},
		{"of a newer release", app.Schema{Version: 4, Newest: 3}, healthFail, "version 4"},
		{"without an index", app.Schema{Version: 3, Newest: 3, Missing: []string{"deliveries_due"}}, healthFail, "deliveries_due"},
		{"of an older release and without a table", app.Schema{Version: 1, Newest: 3, Missing: []string{"events"}}, healthFail, "events"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judge(tt.found)
			if got.Health != tt.want || !strings.Contains(got.Message, tt.says) {
				t.Errorf("judge(%+v) = %+v, want %s that says %q", tt.found, got, tt.want, tt.says)
			}
		})
	}
}

func TestDoctorAsksTheMailServer(t *testing.T) {
	t.Parallel()
	plain, locked := mailtest.New(t, mailtest.Config{NoTLS: true}), mailtest.New(t, mailtest.Config{User: "hooks", Password: "another"})
	gone := mailtest.New(t, mailtest.Config{})
	gone.Break(mailtest.Fault{At: "CONNECT", Close: true})
	const from = "webhooks@example.com"
	tests := []struct {
		name string
		mail app.Mail
		want health
		says string
	}{
		{"none is set", app.Mail{}, healthOK, "nobody is told by mail"},
		{"it answers", app.Mail{Server: plain.Address(), TLS: "none", From: from}, healthOK, "it answers, without TLS"},
		{"it has no TLS", app.Mail{Server: plain.Address(), From: from}, healthWarn, "STARTTLS"},
		{"nobody trusts its certificate", app.Mail{Server: locked.Address(), User: "hooks", Password: "hunter2", From: from}, healthWarn, "certificate"},
		{"it does not answer", app.Mail{Server: gone.Address(), From: from}, healthWarn, "cannot be reached"},
		{"the sender is missing", app.Mail{Server: plain.Address()}, healthFail, "--mail-from"},
		{"a password without TLS", app.Mail{Server: plain.Address(), TLS: "none", User: "hooks", Password: "hunter2", From: from}, healthFail, "over TLS only"},
		{"it is public and without TLS", app.Mail{Server: "192.0.43.8:25", TLS: "none", From: from}, healthWarn, "may not call"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := (&patient{cfg: app.Config{Mail: tt.mail}}).mail(t.Context())
			if got.Health != tt.want || !strings.Contains(got.Message, tt.says) || strings.Contains(got.Message+got.Fix, "hunter2") {
				t.Errorf("got %+v, want %s that says %q", got, tt.want, tt.says)
			}
		})
	}
}
