package egress

import (
	"container/list"
	"sync"
	"time"
)

// kept holds the connections that are idle. The zero value with its limits set is ready.
type kept struct {
	perHost int
	most    int // over all hosts

	mu     sync.Mutex
	byHost map[string][]*leanConn // the longest idle first
	all    list.List              // of *leanConn, the longest idle first
	sweeps bool                   // one is to come
}

// take gives the connection to a host that was used last and still lives; those that do
// not are closed on the way.
func (k *kept) take(host string) (*leanConn, bool) {
	for {
		c := k.pop(host)
		if c == nil {
			return nil, false
		}
		if c.lives() {
			return c, true
		}
		c.below.Close()
	}
}

func (k *kept) pop(host string) *leanConn {
	k.mu.Lock()
	defer k.mu.Unlock()
	conns := k.byHost[host]
	if len(conns) == 0 {
		return nil
	}
	c := conns[len(conns)-1]
	k.forget(c, len(conns)-1)
	return c
}

// put keeps a connection. One that has been idle longest has to go when there are too many.
func (k *kept) put(c *leanConn) {
	c.idle = time.Now()
	if gone := k.add(c); gone != nil {
		gone.Close()
	}
}

func (k *kept) add(c *leanConn) (gone *leanConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byHost == nil {
		k.byHost = map[string][]*leanConn{}
	}
	switch {
	case len(k.byHost[c.key]) >= k.perHost:
		gone = k.byHost[c.key][0]
	case k.all.Len() >= k.most:
		gone = k.all.Front().Value.(*leanConn)
	}
	if gone != nil {
		k.forget(gone, 0)
	}
	k.byHost[c.key] = append(k.byHost[c.key], c)
	c.place = k.all.PushBack(c)
	if !k.sweeps {
		k.sweeps = true
		time.AfterFunc(idleTimeout, k.sweep)
	}
	return gone
}

// forget takes a connection out, which is the one at index i of its host. mu is held.
func (k *kept) forget(c *leanConn, i int) {
	k.all.Remove(c.place)
	conns := k.byHost[c.key]
	copy(conns[i:], conns[i+1:])
	conns[len(conns)-1] = nil
	if k.byHost[c.key] = conns[:len(conns)-1]; len(conns) == 1 {
		delete(k.byHost, c.key)
	}
}

// sweep closes what has been idle for too long.
func (k *kept) sweep() {
	for _, c := range k.idleSince(time.Now().Add(-idleTimeout)) {
		c.Close()
	}
}

func (k *kept) idleSince(limit time.Time) (old []*leanConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweeps = false
	for k.all.Len() > 0 {
		c := k.all.Front().Value.(*leanConn)
		if c.idle.After(limit) {
			k.sweeps = true
			time.AfterFunc(c.idle.Sub(limit), k.sweep)
			break
		}
		k.forget(c, 0)
		old = append(old, c)
	}
	return old
}

// close closes all that are idle now.
func (k *kept) close() {
	k.mu.Lock()
	var all []*leanConn
	for e := k.all.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*leanConn))
	}
	k.all.Init()
	k.byHost = nil
	k.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// spoken remembers the hosts that answered over TLS in HTTP/1.1 although they were
// offered HTTP/2. It is safe for concurrent use.
type spoken struct {
	mu    sync.RWMutex
	hosts map[string]bool
}

// mostSpoken bounds how many are remembered: one that is not costs a little more.
const mostSpoken = 10_000

func (s *spoken) has(host string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hosts[host]
}

func (s *spoken) add(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil || len(s.hosts) >= mostSpoken {
		s.hosts = map[string]bool{}
	}
	s.hosts[host] = true
}

func (s *spoken) forget(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hosts, host)
}
