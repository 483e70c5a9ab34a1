package receiver

import (
	"testing"
	"time"
)

func TestAFloodIsToldOfOnceASecondWithItsNumber(t *testing.T) {
	t.Parallel()
	var s sparing
	begin := time.Unix(1000, 0)
	for i := range 500 {
		if _, tell := s.tell(begin.Add(time.Duration(i) * time.Millisecond)); tell != (i == 0) {
			t.Fatalf("refusal %d of the first second: told %t", i, tell)
		}
	}
	if silent, tell := s.tell(begin.Add(2 * time.Second)); !tell || silent != 499 {
		t.Errorf("two seconds later: told %t of %d, want of 499", tell, silent)
	}
	if _, tell := s.tell(begin.Add(-time.Hour)); !tell {
		t.Error("after the clock was set back it is silent")
	}
}
