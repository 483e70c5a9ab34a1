// Package send makes one attempt on the wire: it signs a claimed delivery, posts
// it once, reads the answer and writes down what happened, with a hint for the
// person who has to fix it.
//
// It never says what an outcome means, never tries again, never follows a
// redirect, never logs and keeps nothing between attempts but connections and
// buffers. Time and bytes are bounded: one clock runs from DNS to the last byte
// of the answer, and of the answer at most [delivery.MaxResponseBody] bytes are kept.
//
// In the flow it sits between dispatch, which claims the delivery and hands it
// over as a lease, and egress, which opens the connection. What comes back is a
// [delivery.Attempt], whose meaning [delivery.Decide] gives.
package send
