package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	kit "github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/relay"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// relayInboxCmd groups what looks at the relay's inbox, also while it runs.
type relayInboxCmd struct {
	List  relayInboxListCmd  `cmd:"" help:"List what was taken in, in the order in which it came."`
	Show  relayInboxShowCmd  `cmd:"" help:"Show one event, whole, with how each of its routes stands."`
	Retry relayInboxRetryCmd `cmd:"" help:"Run again what failed, or send again what was done."`
}

// inboxItem is an event of a route, as it is printed.
type inboxItem struct {
	Route      string          `json:"route"`
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	DeliveryID int64           `json:"delivery_id,omitempty"`
	Status     string          `json:"status"`
	Tries      int             `json:"tries"`
	Failures   int             `json:"failures"`
	ReceivedAt time.Time       `json:"received_at"`
	DueAt      *time.Time      `json:"due_at,omitempty"`
	EndedAt    *time.Time      `json:"ended_at,omitempty"`
	Unsure     bool            `json:"unsure,omitempty"`
	Error      string          `json:"error,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
}

func newInboxItem(i kit.Item) inboxItem {
	item := inboxItem{
		Route: i.Lane, ID: i.ID, Type: i.Type, DeliveryID: i.DeliveryID, Status: string(i.Status), Tries: i.Tries, Failures: i.Failures,
		ReceivedAt: i.ReceivedAt, Unsure: i.Unsure, Error: i.Error,
	}
	if !i.DueAt.IsZero() {
		item.DueAt = &i.DueAt
	}
	if !i.EndedAt.IsZero() {
		item.EndedAt = &i.EndedAt
	}
	if json.Valid(i.Body) {
		item.Body = i.Body
	}
	return item
}

// openInbox opens the inbox that the relay's file names. It asks for none of the file's
// secrets.
func openInbox(ctx context.Context, g *grammar) (*sqlstore.Store, error) {
	inbox, err := relay.ReadInbox(relayFile(g))
	if err != nil {
		return nil, asUsage(err)
	}
	return inbox.OpenExisting(ctx)
}

// inboxFilter narrows a list or a retry.
type inboxFilter struct {
	Route  []string `help:"Only these routes." placeholder:"NAME"`
	Status []string `help:"Only these: waiting, working, done, failed." enum:"waiting,working,done,failed" placeholder:"STATUS"`
}

func (f inboxFilter) filter(ids []string) kit.Filter {
	filter := kit.Filter{Lanes: f.Route, IDs: ids}
	for _, status := range f.Status {
		filter.Statuses = append(filter.Statuses, kit.Status(status))
	}
	return filter
}

// checkRoutes finds the routes of which neither the file nor the inbox has heard.
func (f inboxFilter) checkRoutes(ctx context.Context, store *sqlstore.Store, file string) error {
	if len(f.Route) == 0 {
		return nil
	}
	known, problem := relay.ReadRoutes(file)
	for _, route := range f.Route {
		if slices.Contains(known, route) {
			continue
		}
		found, _, err := store.List(ctx, kit.Filter{Lanes: []string{route}}, kit.Page{Limit: 1})
		if err != nil {
			return err
		}
		switch {
		case len(found) > 0:
		case problem != nil:
			return withHint(asUsage(problem), "%s relay check --config %s   (when it is mended)", programName, file)
		default:
			return withHint(fmt.Errorf("neither %s nor the inbox has a route %s", file, route), "name one of %s with --route", strings.Join(known, ", "))
		}
	}
	return nil
}

type relayInboxListCmd struct {
	inboxFilter
	paging
	output
}

// Run lists.
func (r *relayInboxListCmd) Run(ctx context.Context, c *console, g *grammar) error {
	store, err := openInbox(ctx, g)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // it was only read
	if err := r.checkRoutes(ctx, store, relayFile(g)); err != nil {
		return err
	}
	page, err := pages(ctx, r.paging, func(ctx context.Context, q client.PageQuery) (client.Page[inboxItem], error) {
		items, next, err := store.List(ctx, r.filter(nil), kit.Page{Limit: q.Limit, After: q.Cursor})
		page := client.Page[inboxItem]{Data: []inboxItem{}}
		for _, item := range items {
			page.Data = append(page.Data, newInboxItem(item))
		}
		if next != "" {
			page.NextCursor = &next
		}
		return page, err
	})
	if err != nil {
		return err
	}
	head := []string{"RECEIVED", "EVENT", "TYPE", "ROUTE", "STATUS", "TRIES", "LAST ERROR"}
	return printPage(c, r.JSON, page, head, func(i inboxItem) []string {
		return []string{i.ReceivedAt.Local().Format(time.DateTime), i.ID, i.Type, i.Route, i.Status, strconv.Itoa(i.Tries), firstLine(i.Error)}
	})
}

// firstLine is the first line of an error, cut where a terminal would break it.
func firstLine(text string) string {
	const most = 80
	line, _, more := strings.Cut(text, "\n")
	if r := []rune(line); len(r) > most {
		line, more = string(r[:most]), true
	}
	if more {
		return line + " ..."
	}
	return line
}

type relayInboxShowCmd struct {
	ID string `arg:"" help:"The event's id."`
	output
}

// Run shows.
func (r *relayInboxShowCmd) Run(ctx context.Context, c *console, g *grammar) error {
	store, err := openInbox(ctx, g)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // it was only read
	found, _, err := store.List(ctx, kit.Filter{IDs: []string{r.ID}}, kit.Page{})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return withHint(fmt.Errorf("there is no event %s in the inbox", r.ID), "%s relay inbox list", programName)
	}
	var items []inboxItem
	for _, item := range found {
		items = append(items, newInboxItem(item))
	}
	return printOne(c, r.JSON, items, func() { showItems(c, items, relayFile(g)) })
}

// showItems shows an event, and of a route that is not in the file how it goes on.
func showItems(c *console, items []inboxItem, file string) {
	known, problem := relay.ReadRoutes(file)
	c.say("%s %s, delivery %d, received %s", items[0].Type, items[0].ID, items[0].DeliveryID, items[0].ReceivedAt.Local().Format(time.DateTime))
	for _, i := range items {
		when := ""
		gone := i.EndedAt == nil && problem == nil && !slices.Contains(known, i.Route)
		switch {
		case i.EndedAt != nil:
			when = ", since " + i.EndedAt.Local().Format(time.DateTime)
		case gone: // no time is known
		case i.Status == string(kit.Waiting) && i.DueAt != nil && !i.DueAt.After(time.Now()):
			when = ", due: when its route is free and does not pause"
		case i.DueAt != nil:
			when = ", next looked at " + i.DueAt.Local().Format(time.DateTime)
		}
		c.say("%s: %s, %s, %s%s", i.Route, i.Status, counted(i.Tries, "try"), counted(i.Failures, "failure"), when)
		if gone {
			c.say("    its route is not in %s: write one there with name: %s, and start the relay, or kill -HUP it", file, i.Route)
		}
		for line := range strings.Lines(i.Error) {
			c.say("    %s", strings.TrimRight(line, "\n"))
		}
	}
	c.say("%s", string(items[0].Body))
}

type relayInboxRetryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Events by their ids."`
	All bool     `help:"All that failed, of --route if it is given."`
	inboxFilter
	output
}

// Help says what it does.
func (r *relayInboxRetryCmd) Help() string {
	return `For example:

    compliancelayer relay inbox retry --all
    compliancelayer relay inbox retry --all --route slack
    compliancelayer relay inbox retry 01912345-...                    (the routes by which it failed)
    compliancelayer relay inbox retry 01912345-... --status done      (also where it was done: it is posted a second time)

What waits for its next attempt is tried now, if it is named or with --all --status waiting: a running relay sees it within five seconds. While a route pauses, because its end is away or asked to be left alone, it goes on pausing.`
}

// Run makes events due.
func (r *relayInboxRetryCmd) Run(ctx context.Context, c *console, g *grammar) error {
	if r.All == (len(r.IDs) > 0) {
		return misuse("name events by their ids, or all that failed with --all")
	}
	if r.All && len(r.Status) == 0 {
		r.Status = []string{"failed"}
	}
	store, err := openInbox(ctx, g)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // what it did is committed
	if err := r.checkRoutes(ctx, store, relayFile(g)); err != nil {
		return err
	}
	done, err := r.look(ctx, store)
	if err != nil {
		return err
	}
	n, err := store.Rerun(ctx, r.filter(r.IDs))
	if err != nil {
		return err
	}
	for _, id := range done {
		c.note("%s is done: --status done runs it again", id)
	}
	return printOne(c, r.JSON, map[string]int{"retried": n}, func() { c.say("%d to be tried again", n) })
}

// look finds the events that were named. Done are those that are not run again because
// they were done by every route that was chosen.
func (r *relayInboxRetryCmd) look(ctx context.Context, store *sqlstore.Store) (done []string, err error) {
	for _, id := range r.IDs {
		items, _, err := store.List(ctx, kit.Filter{IDs: []string{id}, Lanes: r.Route}, kit.Page{})
		switch {
		case err != nil:
			return nil, err
		case len(items) == 0 && len(r.Route) > 0:
			return nil, withHint(fmt.Errorf("there is no event %s of %s in the inbox", id, strings.Join(r.Route, ", ")), "%s relay inbox show %s", programName, id)
		case len(items) == 0:
			return nil, withHint(fmt.Errorf("there is no event %s in the inbox", id), "%s relay inbox list", programName)
		}
		open := slices.ContainsFunc(items, func(i kit.Item) bool { return i.Status != kit.Done })
		if !open && !slices.Contains(r.Status, string(kit.Done)) {
			done = append(done, id)
		}
	}
	return done, nil
}
