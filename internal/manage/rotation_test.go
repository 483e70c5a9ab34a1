package manage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

var rotationTime = time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)

// written writes secrets as "a:current b:old+24h", in their order.
func written(secrets []store.Secret) string {
	parts := make([]string, len(secrets))
	for i, s := range secrets {
		parts[i] = s.ID + ":" + string(s.Role)
		if !s.ExpiresAt.IsZero() {
			parts[i] += fmt.Sprintf("+%gh", s.ExpiresAt.Sub(rotationTime).Hours())
		}
	}
	return strings.Join(parts, " ")
}

// read is the reverse of written.
func read(t *testing.T, text string) []store.Secret {
	t.Helper()
	var secrets []store.Secret
	for part := range strings.FieldsSeq(text) {
		id, rest, _ := strings.Cut(part, ":")
		role, end, _ := strings.Cut(rest, "+")
		s := store.Secret{ID: id, Role: store.Role(role)}
		if end != "" {
			overlap, err := time.ParseDuration(end)
			if err != nil {
				t.Fatal(err)
			}
			s.ExpiresAt = rotationTime.Add(overlap)
		}
		secrets = append(secrets, s)
	}
	return secrets
}

func TestRotation(t *testing.T) {
	t.Parallel()
	prepareNew := func(s []store.Secret) ([]store.Secret, error) {
		return prepare(s, store.Secret{ID: "new"}), nil
	}
	promoteWith := func(overlap time.Duration) func([]store.Secret) ([]store.Secret, error) {
		return func(s []store.Secret) ([]store.Secret, error) { return promote(s, rotationTime, overlap) }
	}
	rotateWith := func(overlap time.Duration) func([]store.Secret) ([]store.Secret, error) {
		return func(s []store.Secret) ([]store.Secret, error) {
			return promote(prepare(s, store.Secret{ID: "new"}), rotationTime, overlap)
		}
	}
	tests := []struct {
		name   string
		before string
		rule   func([]store.Secret) ([]store.Secret, error)
		want   string // "conflict" for a refusal
	}{
		{"preparing adds a next secret", "a:current", prepareNew, "a:current new:next"},
		{"preparing again replaces the next secret", "a:current b:next", prepareNew, "a:current new:next"},
		{"preparing leaves old secrets alone", "o:old+1h a:current", prepareNew, "o:old+1h a:current new:next"},
		{"promoting gives the current secret an overlap", "a:current b:next", promoteWith(24 * time.Hour), "a:old+24h b:current"},
		{"promoting without overlap removes the current secret", "a:current b:next", promoteWith(0), "b:current"},
		{"promoting without overlap ends older overlaps", "o:old+5h a:current p:old+1h b:next", promoteWith(0), "b:current"},
		{"rotating at once ends older overlaps", "o:old+5h a:current b:next", rotateWith(0), "new:current"},
		{"promoting without a next secret is refused", "a:current", promoteWith(time.Hour), "conflict"},
		{"promoting with only old ones beside is refused", "o:old+1h a:current", promoteWith(0), "conflict"},
		{"rotating is both in one step", "a:current", rotateWith(time.Hour), "a:old+1h new:current"},
		{"rotating throws a prepared secret away", "a:current b:next", rotateWith(time.Hour), "a:old+1h new:current"},
		{"rotating at once leaves only the new one", "a:current", rotateWith(0), "new:current"},
		{"five old ones are kept", "1:old+1h 2:old+2h 3:old+3h 4:old+4h a:current b:next", promoteWith(5 * time.Hour), "1:old+1h 2:old+2h 3:old+3h 4:old+4h a:old+5h b:current"},
		{"of six old ones the overlap that ends first is ended", "1:old+2h 2:old+1h 3:old+3h 4:old+4h 5:old+6h a:current b:next", promoteWith(5 * time.Hour), "1:old+2h 3:old+3h 4:old+4h 5:old+6h a:old+5h b:current"},
		{"the one just replaced is ended when its overlap is the shortest", "1:old+2h 2:old+2h 3:old+3h 4:old+4h 5:old+6h a:current b:next", promoteWith(time.Hour), "1:old+2h 2:old+2h 3:old+3h 4:old+4h 5:old+6h b:current"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := read(t, tt.before)
			after, err := tt.rule(before)
			got := written(after)
			if errors.Is(err, store.ErrConflict) {
				got = "conflict"
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("from %q\ngot  %q\nwant %q", tt.before, got, tt.want)
			}
			// The store may apply a rule again when a transaction is repeated.
			if diff := cmp.Diff(tt.before, written(before)); diff != "" {
				t.Errorf("the rule changed what it was given:\n%s", diff)
			}
		})
	}
}
