package send

import (
	"crypto/tls"
	"errors"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestTimingOfTheParts(t *testing.T) {
	t.Parallel()
	dialed := []func(*exchange){
		func(x *exchange) { x.onDNSStart(httptrace.DNSStartInfo{}) },
		func(x *exchange) { x.onDNSDone(httptrace.DNSDoneInfo{}) },
		func(x *exchange) { x.onConnectStart("tcp", "first address") },
		func(x *exchange) { x.onConnectDone("tcp", "first address", errors.New("refused")) },
		func(x *exchange) { x.onConnectStart("tcp", "second address") },
		func(x *exchange) { x.onConnectDone("tcp", "second address", nil) },
		func(x *exchange) { x.onTLSStart() },
	}
	handshake := func(x *exchange) { x.onTLSDone(tls.ConnectionState{}, nil) }
	got := func(reused bool) func(*exchange) {
		return func(x *exchange) { x.onConn(httptrace.GotConnInfo{Reused: reused}) }
	}
	written := func(err error) func(*exchange) {
		return func(x *exchange) { x.onWritten(httptrace.WroteRequestInfo{Err: err}) }
	}
	tests := []struct {
		name  string
		steps []func(*exchange)
		want  delivery.Timing
		phase phase
	}{
		{"a new connection", append(dialed[:7:7], handshake, got(false), written(nil), (*exchange).onFirstByte),
			delivery.Timing{DNS: time.Second, Connect: 3 * time.Second, TLS: time.Second, FirstByte: time.Second}, answering},
		{"an old connection, freed while ours was dialed", append(dialed[:3:3], got(true), dialed[3], dialed[6], handshake, written(nil), (*exchange).onFirstByte),
			delivery.Timing{FirstByte: time.Second}, answering},
		{"a dial that goes on in the background does not lead back", append(dialed[:3:3], got(true), written(nil), dialed[3], dialed[6]),
			delivery.Timing{}, waiting},
		{"an answer before all was written", []func(*exchange){got(true), (*exchange).onFirstByte, written(nil)},
			delivery.Timing{FirstByte: time.Second}, answering},
		{"an answer to what could not be written whole", []func(*exchange){got(true), (*exchange).onFirstByte, written(errors.New("broken pipe"))},
			delivery.Timing{FirstByte: time.Second}, answering},
		{"a request that could not be written", []func(*exchange){got(true), written(errors.New("broken pipe"))},
			delivery.Timing{}, sending},
		{"a handshake that lasts", dialed,
			delivery.Timing{DNS: time.Second, Connect: 3 * time.Second, TLS: time.Second}, handshaking},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := &exchange{}
				for _, step := range tt.steps {
					step(x)
					time.Sleep(time.Second)
				}
				if diff := cmp.Diff(tt.want, x.timing(time.Now())); diff != "" {
					t.Errorf("timing (-want +got):\n%s", diff)
				}
				if got := x.reached(); got != tt.phase {
					t.Errorf("phase %d, want %d", got, tt.phase)
				}
			})
		})
	}
}

func TestHandshakeThatFailedIsNotOver(t *testing.T) {
	t.Parallel()
	x := &exchange{}
	x.onTLSStart()
	x.onTLSDone(tls.ConnectionState{}, errors.New("expired"))
	if got := x.reached(); got != handshaking {
		t.Errorf("phase %d after a failed handshake, want %d", got, handshaking)
	}
}
