package egress

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

func TestIdleConnectionsToManyHostsHadNoBound(t *testing.T) {
	t.Parallel()
	const kept = 2
	p := newPolicy(t, Config{Dev: true})
	c := newClient(t, ClientConfig{Policy: p, MaxIdle: kept})
	visit := func(s *server) (conns int32) {
		if _, err := send(t, c, parse(t, p, s.URL)); err != nil {
			t.Fatal(err)
		}
		return s.conns.Load()
	}
	var servers []*server
	for range kept + 1 {
		s := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
		servers = append(servers, s)
		visit(s)
	}
	for i, s := range servers[1:] {
		if got := visit(s); got != 1 {
			t.Errorf("%d connections to host %d, want the one that was kept", got, i+1)
		}
	}
	if got := visit(servers[0]); got != 2 {
		t.Errorf("%d connections to the first host, want another one: the first has been idle longest", got)
	}
}

func TestBusyEndpointKeepsItsConnections(t *testing.T) {
	t.Parallel()
	const n = defaultIdlePerHost
	var gate atomic.Pointer[sync.WaitGroup]
	s := newServer(t, overTLS, func(http.ResponseWriter, *http.Request) {
		wg := gate.Load()
		wg.Done()
		wg.Wait() // until all requests of the round are in flight
	})
	c, target := clientFor(t, s, only(t, s.addr()))
	one := &sync.WaitGroup{}
	one.Add(1)
	gate.Store(one)
	if _, err := send(t, c, target); err != nil { // finds out that it speaks no HTTP/2; net/http keeps its connection
		t.Fatal(err)
	}
	for range 3 {
		var all, done sync.WaitGroup
		all.Add(n)
		gate.Store(&all)
		for range n {
			done.Go(func() {
				if _, err := send(t, c, target); err != nil {
					t.Error(err)
					all.Done()
				}
			})
		}
		done.Wait()
	}
	if got := s.conns.Load() - 1; got != n {
		t.Errorf("3 rounds of %d requests used %d connections, want %d", n, got, n)
	}
}
