package manage

import (
	"errors"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// PostgreSQL answers a zero byte or bytes that are no text with an error, which
// would be a fault of ours and not "not found".
func TestTextsThatNoQueryMaySee(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "\x00", "ep_\x00", "\xff", "a b", "ep_ü", "a\n", "a\x7f", strings.Repeat("a", maxID+1)} {
		if err := known(id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("known(%.20q) = %v, want ErrNotFound", id, err)
		}
	}
	for _, id := range []string{"ep_y4y4ousuzl6lbaaz", "550e8400-e29b-41d4-a716-446655440000", "scan.completed", strings.Repeat("a", maxID)} {
		if err := known(id); err != nil {
			t.Errorf("known(%.20q) = %v", id, err)
		}
	}
}
