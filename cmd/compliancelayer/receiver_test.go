package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

func TestTheReceiverTellsSignaturesApart(t *testing.T) {
	t.Parallel()
	old, current, stranger := webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret()
	late := func() time.Time { return time.Now().Add(-time.Hour) }
	tests := []struct {
		name             string
		sender           *webhooktest.Sender
		trusted          []webhook.Secret
		simple, standard string
		status           int
	}{
		{"the right secret", &webhooktest.Sender{Secret: current}, []webhook.Secret{current}, sigOK, sigOK, 200},
		{"another secret", &webhooktest.Sender{Secret: stranger}, []webhook.Secret{current}, sigWrong, sigWrong, 401},
		{"one of two secrets", &webhooktest.Sender{Secret: current}, []webhook.Secret{old, current}, sigOK, sigOK, 200},
		{"the old secret during a rotation", &webhooktest.Sender{Secret: current, Others: []webhook.Secret{old}}, []webhook.Secret{old}, sigWrong, sigOK, 200},
		{"an old request", &webhooktest.Sender{Secret: current, Now: late}, []webhook.Secret{current}, sigOK, sigWrong, 401},
		{"nothing to verify with", &webhooktest.Sender{Secret: current}, nil, sigUnknown, sigUnknown, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got arrival
			cmd := &receiveCmd{Body: "ok"}
			rc := &receiver{seen: func(a arrival) { got = a }, answer: cmd.answer}
			rc.setSecrets(tt.trusted...)
			server := httptest.NewServer(rc)
			defer server.Close()
			tt.sender.URL, tt.sender.Client = server.URL, server.Client()
			sent, err := tt.sender.Send(t.Context(), happened("a", "scan.completed", 0))
			if err != nil {
				t.Fatal(err)
			}
			if got.Simple != tt.simple || got.Standard != tt.standard || sent.Status != tt.status || (got.Problem == "") != (tt.simple != sigWrong && tt.standard != sigWrong) {
				t.Errorf("status %d, arrival %+v; want %d, %s, %s", sent.Status, got, tt.status, tt.simple, tt.standard)
			}
		})
	}
}

func TestWhatTheReceiverAnswers(t *testing.T) {
	t.Parallel()
	genuine, forged := &arrival{Simple: sigOK, Standard: sigOK}, &arrival{Simple: sigWrong, Standard: sigWrong}
	unsigned, simpleOnly := &arrival{Simple: sigMissing, Standard: sigMissing}, &arrival{Simple: sigOK, Standard: sigMissing}
	tests := []struct {
		name string
		cmd  receiveCmd
		n    int
		a    *arrival
		want int
	}{
		{"by default", receiveCmd{}, 1, genuine, 200},
		{"the last that shall fail", receiveCmd{Fail: 3}, 3, genuine, 500},
		{"the first after those", receiveCmd{Fail: 3}, 4, genuine, 200},
		{"failing with a status", receiveCmd{Fail: 1, Status: 503}, 1, genuine, 503},
		{"after failing with a status", receiveCmd{Fail: 1, Status: 503}, 2, genuine, 200},
		{"a status for all", receiveCmd{Status: 410}, 9, genuine, 410},
		{"forged", receiveCmd{Status: 204}, 1, forged, 401},
		{"unsigned", receiveCmd{}, 1, unsigned, 401},
		{"signed in the simple scheme alone", receiveCmd{}, 1, simpleOnly, 200},
	}
	for _, tt := range tests {
		if got, _ := tt.cmd.answer(tt.n, tt.a); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestTheReceiverStopsWaitingForASenderThatGaveUp(t *testing.T) {
	t.Parallel()
	seen := make(chan arrival, 1)
	rc := &receiver{seen: func(a arrival) { seen <- a }, answer: func(int, *arrival) (int, string) { return http.StatusOK, "" }, delay: time.Hour}
	server := httptest.NewServer(rc)
	defer server.Close()
	client := server.Client()
	client.Timeout = 50 * time.Millisecond
	sender := webhooktest.Sender{URL: server.URL, Client: client, Secret: webhook.NewSecret()}
	if _, err := sender.Send(t.Context(), happened("a", "scan.completed", 0)); err == nil {
		t.Error("an answer came before its time")
	}
	if a := <-seen; a.Problem == "" {
		t.Errorf("arrived: %+v", a)
	}
}
