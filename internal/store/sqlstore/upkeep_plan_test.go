package sqlstore

import (
	"path/filepath"
	"strings"
	"testing"
)

// Anybody may ask for the status page: what it looks for is found in indexes, however much waits.
func TestWhatIsLateIsFoundWithoutReadingWhatWaits(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: filepath.Join(t.TempDir(), "test.db")})
	plan := explained(t, s, "explain query plan ", selectLate, "", 1, 3, 32)
	for _, want := range []string{"INDEX deliveries_due (endpoint_id>", "INDEX deliveries_due (endpoint_id=", "INDEX deliveries_sending"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not have %q:\n%s", want, plan)
		}
	}
	if strings.Contains(plan, "SCAN deliveries\n") || strings.Contains(plan, "SCAN d\n") {
		t.Errorf("the plan reads all deliveries:\n%s", plan)
	}
}
