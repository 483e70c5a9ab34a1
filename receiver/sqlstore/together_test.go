package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// One end that PostgreSQL does not take is no reason to write those before it.
func TestEndsAreAllWrittenOrNone(t *testing.T) {
	t.Parallel()
	store, err := sqlstore.OpenPostgres(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	fill(t, store, 0, 1)
	ends := claimed(t, store, 1)
	bad := receiver.End{Key: receiver.Key{ID: "no text: \x00"}, To: receiver.Done}
	if lost, err := store.Record(t.Context(), append(ends[:1:1], bad)); err == nil {
		t.Fatalf("an id that is no text was taken: %v", lost)
	}
	// The lease holds, and the connection is as good as before.
	if lost, err := store.Record(t.Context(), append(ends, ends[0])); err != nil || lost[0] || !lost[1] {
		t.Errorf("Record afterwards: lost %v, %v; want the first written, and the same again lost", lost, err)
	}
}

// claimed claims so many events, and gives their ends.
func claimed(t *testing.T, store *sqlstore.Store, want int) (ends []receiver.End) {
	t.Helper()
	items, _, err := store.Claim(t.Context(), "", want, leaseOfTest)
	if err != nil || len(items) != want {
		t.Fatalf("claimed %d, %v; want %d", len(items), err, want)
	}
	for _, item := range items {
		ends = append(ends, receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Done})
	}
	return ends
}

// wrapped is the driver pgx within another, as those are that trace.
type wrapped struct{ driver.Connector }

type wrappedConn struct{ *stdlib.Conn }

func (w wrapped) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return wrappedConn{conn.(*stdlib.Conn)}, nil
}

func TestAWrappedDriverIsAsGood(t *testing.T) {
	t.Parallel()
	config, err := pgx.ParseConfig(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(wrapped{stdlib.GetConnector(*config)})
	defer db.Close()
	store, err := sqlstore.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	fill(t, store, 0, 2)
	ends := claimed(t, store, 2)
	ends[1].Token = "another"
	if lost, err := store.Record(t.Context(), ends); err != nil || lost[0] || !lost[1] {
		t.Errorf("Record: lost %v, %v; want the second", lost, err)
	}
}
