package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// output is the choice between text for people and JSON for programs.
type output struct {
	JSON bool `name:"json" setting:"" help:"Print JSON."`
}

// remote says which server a command talks to.
type remote struct {
	Server string `setting:"" help:"The server." default:"http://127.0.0.1:8080"`
	APIKey string `name:"api-key" setting:"" help:"API key. Set it in the environment or the settings file: a command line can be seen by others on this machine. - reads it from standard input." placeholder:"KEY"`
	output
}

// hintKey is what to do when a server does not know who asks.
const hintKey = "export COMPLIANCELAYER_API_KEY=cl_...   (a key of this server: one that serve was started with, or that the dashboard made under API keys)"

// key gives the API key. The server answers nobody without one, in the words of its API; these are those of the command line.
func (r *remote) key(c *console) (string, error) {
	key, err := c.secret(r.APIKey)
	if err == nil && key == "" {
		err = withHint(misuse("no API key is set, and the server at %s answers nobody without one", r.Server), hintKey)
	}
	return key, err
}

// dial makes the client; nothing is sent yet.
func (r *remote) dial(c *console) (*client.Client, error) {
	key, err := r.key(c)
	if err != nil {
		return nil, err
	}
	cl, err := client.New(client.Config{Server: r.Server, APIKey: key})
	if err != nil {
		return nil, misuse("--server %q: %w", r.Server, err)
	}
	return cl, nil
}

// ask makes one call and prints its answer as JSON, or with show.
func ask[T any](c *console, r *remote, call func(*client.Client) (T, error), show func(*console, T)) error {
	cl, err := r.dial(c)
	if err != nil {
		return err
	}
	answer, err := call(cl)
	if err != nil {
		return err
	}
	return printOne(c, r.JSON, answer, func() { show(c, answer) })
}

// askID is ask for a call that takes an id alone.
func askID[T any](ctx context.Context, c *console, r *remote, call func(*client.Client, context.Context, string) (T, error), id string, show func(*console, T)) error {
	return ask(c, r, func(cl *client.Client) (T, error) { return call(cl, ctx, id) }, show)
}

// end makes a call that ends what has this id, and prints the word for it.
func end(c *console, r *remote, word, id string, call func(*client.Client) error) error {
	return ask(c, r, func(cl *client.Client) (map[string]string, error) { return map[string]string{word: id}, call(cl) },
		func(c *console, _ map[string]string) { c.say("%s %s", word, id) })
}

// list reads the pages that were asked for and prints them.
func list[T any](
	ctx context.Context, c *console, r *remote, p paging, read func(*client.Client, context.Context, client.PageQuery) (client.Page[T], error),
	head []string, row func(T) []string,
) error {
	cl, err := r.dial(c)
	if err != nil {
		return err
	}
	page, err := pages(ctx, p, func(ctx context.Context, q client.PageQuery) (client.Page[T], error) { return read(cl, ctx, q) })
	if err != nil {
		return err
	}
	return printPage(c, r.JSON, page, head, row)
}

// paging says how much of a list to print.
type paging struct {
	Limit  int    `help:"How many to print." default:"50"`
	All    bool   `help:"Print all of them."`
	Cursor string `help:"Go on where an earlier list ended." placeholder:"TEXT"`
}

// maxPage is the most that the API gives at once.
const maxPage = 250

// pages reads as many pages as asked for and makes one of them.
func pages[T any](ctx context.Context, p paging, read func(context.Context, client.PageQuery) (client.Page[T], error)) (client.Page[T], error) {
	if p.Limit < 1 {
		return client.Page[T]{}, misuse("--limit: must be 1 or more")
	}
	all := client.Page[T]{Data: []T{}}
	cursor := p.Cursor
	for {
		size := maxPage
		if !p.All {
			size = min(maxPage, p.Limit-len(all.Data))
		}
		page, err := read(ctx, client.PageQuery{Limit: size, Cursor: cursor})
		if err != nil {
			return all, err
		}
		all.Data = append(all.Data, page.Data...)
		all.NextCursor = page.NextCursor
		if page.NextCursor == nil || (!p.All && len(all.Data) >= p.Limit) {
			return all, nil
		}
		cursor = *page.NextCursor
	}
}

// printPage prints a page as JSON or as a table.
func printPage[T any](c *console, asJSON bool, page client.Page[T], head []string, row func(T) []string) error {
	if asJSON {
		return c.json(page)
	}
	rows := make([][]string, len(page.Data))
	for i, item := range page.Data {
		rows[i] = row(item)
	}
	if len(rows) == 0 {
		c.note("(none)")
		return nil
	}
	c.table(head, rows)
	if page.NextCursor != nil {
		c.note("There are more: add --all, or --cursor %s", *page.NextCursor)
	}
	return nil
}

// printOne prints one thing as JSON, or in words.
func printOne(c *console, asJSON bool, value any, words func()) error {
	if asJSON {
		return c.json(value)
	}
	words()
	return nil
}

// when prints a time; "" for none.
func when(t *client.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime) + "Z"
}

// at prints a time that is always there.
func at(t client.Time) string { return when(&t) }

// percent prints a share, "-" when there is none.
func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return strconv.FormatFloat(*share*100, 'f', 1, 64) + " %"
}

// longestBound is the largest number of milliseconds that the server gives as a bound; it stands for what took longer, too.
const longestBound = 30_000

// millis prints an upper bound in milliseconds, "-" when there is none.
func millis(ms *float64) string {
	if ms == nil {
		return "-"
	}
	if *ms >= longestBound {
		return strconv.Itoa(longestBound) + " ms, or longer"
	}
	return strconv.FormatFloat(*ms, 'f', 0, 64) + " ms"
}

// words joins a list for printing.
func words(list []string) string { return strings.Join(list, ", ") }

// number prints a count, "" for 0 where that means nothing to say.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// deliveries writes a number of deliveries.
func deliveries(n int) string { return count(n, "delivery", "deliveries") }
