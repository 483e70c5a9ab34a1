package publish

import "sync/atomic"

// waiting counts what is being accepted on this node, until it is committed.
type waiting struct{ events, bytes atomic.Int64 }

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
