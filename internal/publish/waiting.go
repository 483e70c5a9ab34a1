package publish

import "sync/atomic"

// waiting counts what is being accepted on this node, until it is committed.
type waiting struct{ events, bytes, deliveries atomic.Int64 }

// place counts the deliveries of a call that has been entered and reports whether there is room for them, as there
// always is when no others wait. Either way took must follow.
func (w *waiting) place(n int) bool {
	all := w.deliveries.Add(int64(n))
	return all <= maxWaitingDeliveries || all == int64(n)
}

func (w *waiting) took(n int) { w.deliveries.Add(-int64(n)) }

// enter counts a call and reports whether there is room for it, as there always
// is when nobody else waits. Either way leave must follow.
func (w *waiting) enter(in []Input) bool {
	events, bytes := w.events.Add(int64(len(in))), w.bytes.Add(bytesOf(in))
	return events <= maxWaiting && bytes <= maxWaitingBytes || events == int64(len(in))
}

func (w *waiting) leave(in []Input) {
	w.events.Add(-int64(len(in)))
	w.bytes.Add(-bytesOf(in))
}

// bytesOf gives the size of the data of a call.
func bytesOf(in []Input) int64 {
	var n int64
	for i := range in {
		n += int64(len(in[i].Data))
	}
	return n
}
