package web_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/longlog"
)

// An export takes minutes, and a browser that lost its session must get no more of it; nor may it keep the program from stopping.
func TestAnExportBreaksOffWhenItsSessionEnds(t *testing.T) {
	t.Parallel()
	const deliveries = 100_000 // more than is under way between the two ends of a connection
	var database string
	w := newWorld(t, func(c *app.Config) { database = c.Database })
	zoe := w.owner()
	longlog.Fill(t, database, deliveries)

	narrow := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}}
	defer narrow.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/deliveries/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Jar: zoe.Jar, Transport: narrow}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.CopyN(io.Discard, res.Body, 1000); err != nil {
		t.Fatal(err)
	}
	zoe.post("/sign-out", http.StatusOK)
	if rest, err := io.Copy(io.Discard, res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the end of its session the export went on for %d bytes, and ended with %v", rest, err)
	}
}
