package dispatch

// bound is something that the lanes of a node share: attempts at once, or bytes
// of bodies in memory.
//
// It is shared so that lanes which hang cannot take it all. Lanes that are known
// to be quick and all the others (slow, failing, or not tried yet) get at most
// three quarters each, so that a quarter is always left to the other kind. And no
// lane takes more than half of what is free to its kind, so that the next one finds
// something, too.
type bound struct {
	most int
	held [2]int // by kind
}

// kind says which lanes a lane shares a bound with.
type kind int

const (
	others kind = iota
	proven      // known to be quick
)

// left gives how much more a lane may take that has so much of it already.
func (b *bound) left(k kind, own int) int {
	free := min(b.most-b.held[others]-b.held[proven], b.most-b.most/4-b.held[k])
	return max(0, (free+1)/2-own)
}

// load is what a lane holds of the bounds.
type load struct {
	kind  kind
	slots int
	bytes int
}

func (l *lane) load() load {
	now := load{kind: others, slots: l.slots(), bytes: l.bodies}
	if l.isQuick() {
		now.kind = proven
	}
	return now
}

// count brings the bounds up to date after a lane has changed, and lets those in that
// waited for that. Dispatcher.mu is held.
func (d *Dispatcher) count(l *lane) {
	was, now := l.counted, l.load()
	l.counted = now
	d.slots.held[was.kind] -= was.slots
	d.slots.held[now.kind] += now.slots
	d.memory.held[was.kind] -= was.bytes
	d.memory.held[now.kind] += now.bytes
	if d.short && (now.slots < was.slots || now.bytes < was.bytes) {
		signal(d.wake)
	}
	d.letIn(l)
}
