package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestALookAtTheTablesNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := database(t)
			s := opened(t, Config{Database: path})
			newest := int64(9)
			wantSchema(t, path, Schema{Version: newest, Newest: newest})
			alter(t, s, "drop index deliveries_due", "drop table notices")
			wantSchema(t, path, Schema{Version: newest, Newest: newest, Missing: []string{"deliveries_due", "notices", "notices_oldest"}})
			alter(t, s, "insert into goose_db_version (version_id, is_applied) values (9999, true)")
			got, err := Examine(t.Context(), path)
			if err != nil || got.Version != 9999 || got.Newest != newest {
				t.Errorf("of a newer release: %+v, %v", got, err)
			}
			alter(t, s, "drop table goose_db_version")
			wantSchema(t, path, Schema{Newest: newest})
		})
	}
}

func wantSchema(t *testing.T, database string, want Schema) {
	t.Helper()
	got, err := Examine(t.Context(), database)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

func alter(t *testing.T, s *Store, all ...string) {
	t.Helper()
	for _, one := range all {
		must(t, s.write(t.Context(), "alter", func(ctx context.Context, c conn) error {
			_, err := c.exec(ctx, one)
			return err
		}))
	}
}

// The release before knows no identities: a member that one of its nodes removes leaves theirs behind.
func TestAnIdentityLeftByAnOlderNodeIsNobodys(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, Config{Database: database(t)})
			add := "insert into users (id, account_id, email, name, role, password, created_at) values ('%[1]s', 'acc_default', '%[1]s', '', 'viewer', '', 1)"
			alter(t, s, fmt.Sprintf(add, "usr_1"), fmt.Sprintf(add, "usr_2"))
			i := store.Identity{Issuer: "https://issuer.example.com", Subject: "1", UserID: "usr_1", AccountID: store.DefaultAccount}
			if _, err := s.LinkIdentity(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			alter(t, s, "delete from users where id = 'usr_1'")
			if u, err := s.UserByIdentity(t.Context(), i.Issuer, i.Subject); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("it finds %+v, %v", u, err)
			}
			i.UserID = "usr_2"
			if added, err := s.LinkIdentity(t.Context(), i); err != nil || !added {
				t.Errorf("linked to somebody else: %t, %v", added, err)
			}
		})
	}
}
