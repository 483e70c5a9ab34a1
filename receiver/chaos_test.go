package receiver_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/redistest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/redisstore"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// How much the chaos test does: little with the race detector, and what is promised in
// scripts/break.sh.
var (
	chaosEvents = flag.Int("receiver.events", 200, "events of the chaos test")
	chaosKills  = flag.Int("receiver.kills", 3, "kills of the chaos test")
)

// What the process that is killed is told.
const (
	envChaosDatabase = "RECEIVER_CHAOS_DATABASE"
	envChaosEffects  = "RECEIVER_CHAOS_EFFECTS"
	envChaosInTx     = "RECEIVER_CHAOS_IN_TX"
	envChaosSecret   = "RECEIVER_CHAOS_SECRET"
	envChaosAddress  = "RECEIVER_CHAOS_ADDRESS"
)

// TestMain makes this binary the receiver that the chaos test kills.
func TestMain(m *testing.M) {
	if os.Getenv(envChaosDatabase) != "" {
		if err := beVictim(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgtest.Run(m))
}

// Many events with duplicates, out of order, many at once, to handlers that fail
// and panic, in a receiver that is killed again and again: in a transaction each has
// its effect exactly once. Without one, at least once, and each further effect is of a
// try that was told that an earlier one may have had its own.
func TestNothingIsLostAndNothingDoneTwiceWhateverHappens(t *testing.T) {
	t.Parallel()
	databases := map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() + "/inbox.db" },
		"PostgreSQL": func(t *testing.T) string { return pgtest.URL(t) },
	}
	for name, database := range databases {
		for _, inTx := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in a transaction %t", name, inTx), func(t *testing.T) {
				t.Parallel()
				inbox := database(t)
				newChaos(t, inbox, inbox, inTx).run(name)
			})
		}
	}
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		newChaos(t, redistest.New(t).URL(), t.TempDir()+"/effects.db", false).run("Redis")
	})
}

// chaos is one run of the test.
type chaos struct {
	t        *testing.T
	database string // with the inbox
	effectDB string // with what the handlers did
	inTx     bool
	secret   webhook.Secret
	address  string
	victim   *exec.Cmd
}

func newChaos(t *testing.T, database, effects string, inTx bool) *chaos {
	t.Helper()
	return &chaos{t: t, database: database, effectDB: effects, inTx: inTx, secret: webhook.NewSecret(), address: freeAddress(t)}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the receiver and waits until it listens.
func (c *chaos) start() {
	c.t.Helper()
	victim := exec.CommandContext(c.t.Context(), os.Args[0], "-test.run=^$") //nolint:gosec // this binary
	victim.Env = append(os.Environ(),
		envChaosDatabase+"="+c.database, envChaosEffects+"="+c.effectDB, envChaosInTx+"="+fmt.Sprint(c.inTx), envChaosSecret+"="+c.secret.Reveal(),
		envChaosAddress+"="+c.address)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		c.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		c.t.Fatalf("the receiver did not start: %q, %v", line, err)
	}
	c.victim = victim
}

// kill ends the receiver as a power cut would.
func (c *chaos) kill() {
	_ = c.victim.Process.Kill() // it is running: nobody else ends it
	_ = c.victim.Wait()
}

// run sends all events, each until a copy of it was answered with 200, while the
// receiver is killed and started again. Then it judges.
func (c *chaos) run(name string) {
	begin := time.Now()
	c.start()
	copies := c.copies()
	var next, acknowledged atomic.Int64
	var senders sync.WaitGroup
	sender := &webhooktest.Sender{URL: "http://" + c.address, Secret: c.secret, Client: &http.Client{Timeout: 10 * time.Second}}
	for range 32 {
		senders.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(copies)); i = next.Add(1) - 1 {
				c.deliver(sender, copies[i])
				acknowledged.Add(1)
			}
		})
	}
	for kill := range *chaosKills {
		// Between two kills a share of the copies arrives.
		c.until("copies arrive", func() bool { return acknowledged.Load() >= int64((kill+1)*len(copies)/(*chaosKills+1)) })
		c.kill()
		c.start()
	}
	senders.Wait()
	extra := c.judge()
	mode, explained := "inbox", extra
	if c.inTx {
		mode, explained = "inbox, InTx", 0
	}
	evidence.Write(c.t, strings.ToLower("kit-killed-"+name+"-"+strings.ReplaceAll(mode, ", ", "-")), evidence.Row{
		Promise: 13, Fault: "kill -9 of a receiver (" + mode + ") under load: copies, many at once, out of order; handlers that fail and panic",
		On: name, Times: *chaosKills, Of: *chaosEvents, What: "events answered with 200", Duplicates: &extra, Explained: &explained,
		Test:    fmt.Sprintf("go test ./receiver -run TestNothingIsLostAndNothingDoneTwiceWhateverHappens -args -receiver.events=%d -receiver.kills=%d", *chaosEvents, *chaosKills),
		Seconds: time.Since(begin).Seconds(),
	})
}

// copies are the requests to be made, in the order of chance.
func (c *chaos) copies() (copies []webhook.Event) {
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time, so that a failure can be looked at
	for range *chaosEvents {
		event := webhooktest.NewEvent("scan.completed", scanData)
		for range 1 + chance.IntN(4) {
			copies = append(copies, event)
		}
	}
	chance.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
	return copies
}

// deliver sends one copy until it is answered with 200, as the server does.
func (c *chaos) deliver(sender *webhooktest.Sender, event webhook.Event) {
	for c.t.Context().Err() == nil {
		sent, err := sender.Send(c.t.Context(), event)
		if err == nil && sent.Status == http.StatusOK {
			return
		}
		breathe()
	}
}

// until waits for something that other goroutines or processes bring about.
func (c *chaos) until(what string, done func() bool) {
	for !done() {
		if c.t.Context().Err() != nil {
			c.t.Fatalf("the test ended while it waited until %s", what)
		}
		breathe()
	}
}

// breathe waits a moment for what another process does, which nothing here is told of.
func breathe() {
	timer := time.NewTimer(5 * time.Millisecond)
	<-timer.C
}

// effect is what a handler left behind.
type effect struct {
	id     string
	try    int
	unsure bool
}

// judge waits until the inbox is empty, and counts the effects that are more than one of
// each event.
func (c *chaos) judge() (extra int) {
	defer c.kill()
	ctx := c.t.Context()
	store, err := open(ctx, c.database)
	if err != nil {
		c.t.Fatal(err)
	}
	defer store.Close()
	c.until("the inbox is worked off", func() bool {
		if _, err := store.Rerun(ctx, receiver.Filter{Statuses: []receiver.Status{receiver.Failed}}); err != nil {
			c.t.Fatal(err)
		}
		depths, err := store.Depths(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		return len(depths) == 0
	})
	by := map[string][]effect{}
	for _, e := range c.effects(ctx) {
		by[e.id] = append(by[e.id], e)
	}
	for id, all := range by {
		for _, e := range all[1:] {
			extra++
			if c.inTx {
				c.t.Errorf("event %s had its effect %d times: %+v", id, len(all), all)
			} else if !e.unsure {
				c.t.Errorf("event %s had another effect in try %d, which was not told that it may have had one: %+v", id, e.try, all)
			}
		}
	}
	if len(by) != *chaosEvents {
		c.t.Errorf("%d of %d events had an effect", len(by), *chaosEvents)
	}
	c.t.Logf("%d events, %d kills, %d effects more than one each", len(by), *chaosKills, extra)
	return extra
}

func (c *chaos) effects(ctx context.Context) (all []effect) {
	db, err := openDatabase(c.effectDB)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "select id, try, unsure from effects order by at")
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e effect
		if err := rows.Scan(&e.id, &e.try, &e.unsure); err != nil {
			c.t.Fatal(err)
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return all
}

// closableStore is a store that was opened here.
type closableStore interface {
	receiver.Store
	Close() error
}

func open(ctx context.Context, database string) (closableStore, error) {
	switch {
	case strings.HasPrefix(database, "postgres"):
		return sqlstore.OpenPostgres(ctx, database)
	case strings.HasPrefix(database, "unix:"), strings.HasPrefix(database, "redis:"):
		return redisstore.Open(ctx, database, redisstore.Config{Prefix: "chaos"})
	}
	return sqlstore.OpenSQLite(ctx, database)
}

func openDatabase(database string) (*sql.DB, error) {
	if strings.HasPrefix(database, "postgres") {
		return sql.Open("pgx", database)
	}
	return sql.Open("sqlite", "file:"+database+"?_pragma=busy_timeout(10000)&_txlock=immediate")
}

// beVictim is the receiver that is killed.
func beVictim() error {
	ctx := context.Background()
	database := os.Getenv(envChaosDatabase)
	store, err := open(ctx, database)
	if err != nil {
		return err
	}
	db, err := openDatabase(os.Getenv(envChaosEffects))
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "create table if not exists effects (at bigint, id text, try int, unsure bool)"); err != nil {
		return err
	}
	secrets, err := receiver.ParseSecrets(os.Getenv(envChaosSecret))
	if err != nil {
		return err
	}
	inTx := os.Getenv(envChaosInTx) == "true"
	kit, err := receiver.New(receiver.Config{
		Secrets: secrets, Store: store, InTx: inTx, Timeout: time.Second, Backoff: 10 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	kit.OnScanCompleted(func(ctx context.Context, e receiver.Event[receiver.ScanCompleted]) error {
		return haveEffect(ctx, db, e)
	})
	listener, err := net.Listen("tcp", os.Getenv(envChaosAddress))
	if err != nil {
		return err
	}
	fmt.Println("listening")
	return kit.Serve(ctx, listener, nil)
}

// haveEffect leaves a row behind, or fails, or panics, before or after it, by chance.
func haveEffect(ctx context.Context, db *sql.DB, e receiver.Event[receiver.ScanCompleted]) error {
	var where receiver.Tx = db
	if e.Tx != nil {
		where = e.Tx
	}
	what := rand.IntN(20) //nolint:gosec // chance is all that is asked of it
	if what == 0 {
		return errors.New("before the effect")
	}
	if what == 1 {
		panic("before the effect")
	}
	_, err := where.ExecContext(ctx, "insert into effects (at, id, try, unsure) values ($1, $2, $3, $4)", time.Now().UnixNano(), e.ID, e.Try, e.Unsure)
	if err != nil { // which may come after the commit
		return &receiver.Failure{Err: err, Unsure: true}
	}
	// An effect and then an error is the handler's own doing, which only a transaction
	// can undo.
	if what == 2 && e.Tx != nil {
		return errors.New("after the effect")
	}
	if what == 3 && e.Tx != nil {
		panic("after the effect")
	}
	return nil
}
