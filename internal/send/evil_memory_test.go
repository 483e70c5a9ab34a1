package send

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/evidence"
)

// TestFloodsTakeLittleMemory lets many receivers pour at once and looks at the
// heap meanwhile. It is not parallel, because the heap is that of the whole process.
func TestFloodsTakeLittleMemory(t *testing.T) {
	const attempts, most = 100, 64 << 20
	long := strings.Repeat("x", 1000)
	kept := strings.Repeat("x", delivery.MaxResponseBody-1)
	tests := []struct {
		name  string
		play  func(net.Conn)
		clock time.Duration
		tls   bool
	}{
		{"bodies without end", flood("HTTP/1.1 200 OK\r\n\r\n", long), patience, true},
		{"chunks without end", flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 100)), patience, false},
		{"headers without end", flood("HTTP/1.1 200 OK\r\n", "A: "+long+"\r\n"), patience, false},
		{"small headers without end", flood("HTTP/1.1 200 OK\r\n", strings.Repeat("A: b\r\n", 100)), patience, false},
		{"one header without end", flood("HTTP/1.1 200 OK\r\nA: ", long), patience, false},
		{"trailers without end", flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: "+long+"\r\n"), patience, false},
		{"storms of announcements", flood("", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 40)), patience, false},
		// These are all held at the same time.
		{"bodies that hang when they are nearly full", func(conn net.Conn) {
			readRequest(bufio.NewReader(conn))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+kept)
			hang(conn)
		}, 8 * impatience, true},
	}
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	begin := time.Now()
	for _, client := range evilClients {
		for _, tt := range tests {
			t.Run(client.name+"/"+tt.name, func(t *testing.T) {
				s, p := newSender(t, setup{timeout: tt.clock, roots: []*x509.Certificate{authority.Leaf}})
				target := newTarget(t, p, newReceiver(t, tt.play).url())
				if tt.tls {
					target = newTarget(t, p, newTLSReceiver(t, cert, func(*tls.Config) {}, tt.play).named())
				}
				lease := newLease(client.body(testBody))
				grown := peak(func() {
					var all sync.WaitGroup
					for range attempts {
						all.Go(func() { sendChecked(t, s, target, lease) })
					}
					all.Wait()
				})
				if grown > most {
					t.Errorf("%d attempts at once took %d MiB, more than %d", attempts, grown>>20, most>>20)
				}
				t.Logf("%.1f MiB", float64(grown)/(1<<20))
			})
		}
	}
	evidence.Write(t, "evil-receivers-memory", evidence.Row{
		Promise: 8, Fault: "a hundred receivers that pour at once", Times: len(evilClients) * len(tests) * attempts, Of: len(evilClients) * len(tests) * attempts, What: "answers without end",
		Test: "go test ./internal/send -run TestFloodsTakeLittleMemory", Seconds: time.Since(begin).Seconds(),
	})
}

// peak gives by how much the heap has grown at most while f ran, garbage included.
func peak(f func()) (grown uint64) {
	debug.FreeOSMemory() // collects what others have left
	over, looked := make(chan struct{}), make(chan uint64)
	before := heap()
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		most := before
		for {
			select {
			case <-over:
				looked <- most - before
				return
			case <-ticker.C:
				most = max(most, heap())
			}
		}
	}()
	f()
	close(over)
	return <-looked
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
