package memstore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/receiver/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Subject {
		var passed atomic.Int64
		return storetest.Subject{
			Store: memstore.New(func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }),
			Pass:  func(d time.Duration) { passed.Add(int64(d)) },
		}
	})
}
