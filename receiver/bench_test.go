package receiver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// BenchmarkInbox takes events in over 64 connections, keeps them in SQLite and works
// them off. "make bench" measures the same in a process of its own.
func BenchmarkInbox(b *testing.B) {
	store, err := sqlstore.OpenSQLite(b.Context(), b.TempDir()+"/inbox.db")
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	secret := webhook.NewSecret()
	kit, err := receiver.New(receiver.Config{Secrets: []webhook.Secret{secret}, Store: store, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	var handled atomic.Int64
	kit.OnOther(func(context.Context, receiver.Event[json.RawMessage]) error { handled.Add(1); return nil })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = kit.Serve(ctx, listener, nil) })
	defer serving.Wait()
	defer stop()

	requests := make([][]byte, b.N)
	for i := range requests {
		requests[i] = wire(b, secret, webhooktest.NewEvent("backup.ended", scanData))
	}
	b.ResetTimer()
	begin := time.Now()
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() { client(b, listener.Addr().String(), requests, &next) })
	}
	clients.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "accepted/s")
	for handled.Load() < int64(b.N) {
		breathe()
	}
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "handled/s")
}

// wire writes a request as it goes over a connection.
func wire(b *testing.B, secret webhook.Secret, event webhook.Event) []byte {
	req := webhooktest.NewRequest(b, "http://receiver/", secret, event)
	var buf buffer
	if err := req.Write(&buf); err != nil {
		b.Fatal(err)
	}
	return buf
}

type buffer []byte

func (b *buffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }

// client sends requests over one connection, one after the other.
func client(b *testing.B, address string, requests [][]byte, next *atomic.Int64) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
		if _, err := conn.Write(requests[i]); err != nil {
			b.Error(err)
			return
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			b.Errorf("answered %v, %v", answer, err)
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
	}
}
