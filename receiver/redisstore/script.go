package redisstore

import (
	_ "embed" // the scripts
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/compliancelayer/compliancelayer/receiver"
)

var (
	//go:embed common.lua
	common string
	//go:embed put.lua
	putText string
	//go:embed begin.lua
	beginText string
	//go:embed claim.lua
	claimText string
	//go:embed record.lua
	recordText string
	//go:embed list.lua
	listText string
	//go:embed rerun.lua
	rerunText string
	//go:embed purge.lua
	purgeText string
	//go:embed setback.lua
	setbackText string
	//go:embed depths.lua
	depthsText string
)

// The steps that nothing comes between.
var (
	put     = newScript(putText)
	begin   = newScript(beginText)
	claim   = newScript(claimText)
	record  = newScript(recordText)
	list    = newScript(listText)
	rerun   = newScript(rerunText)
	purge   = newScript(purgeText)
	setback = newScript(setbackText)
	depths  = newScript(depthsText)
)

// script is a program that the server runs. It knows those that it has run by a hash.
type script struct{ text, hash string }

func newScript(text string) *script {
	text = common + text
	return &script{text: text, hash: redis.NewScript(text).Hash()}
}

// reader reads a list that a script gave. The first thing that is not as it should be
// is kept as the error.
type reader struct {
	words []any
	err   error
}

func (r *reader) more() bool { return r.err == nil && len(r.words) > 0 }

// next gives the next of the list.
func (r *reader) next() any {
	if len(r.words) == 0 {
		r.fail("it ends too soon")
		return nil
	}
	word := r.words[0]
	r.words = r.words[1:]
	return word
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("an answer of Redis is not as it should be: %s", what)
	}
}

func (r *reader) text() string {
	text, ok := r.next().(string)
	if !ok {
		r.fail("a text is none")
	}
	return text
}

// number reads an integer, which Redis gives as one or as a text.
func (r *reader) number() int64 {
	switch word := r.next().(type) {
	case int64:
		return word
	case string:
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			r.fail("a number is none")
		}
		return n
	}
	r.fail("a number is none")
	return 0
}

func (r *reader) flag() bool { return r.number() != 0 }

// moment reads a time; 0 is none.
func (r *reader) moment() time.Time {
	millis := r.number()
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// item reads what the function out of the scripts gives.
func (r *reader) item() receiver.Item {
	words, ok := r.next().([]any)
	if !ok {
		r.fail("an item is none")
	}
	in := reader{words: words, err: r.err}
	item := receiver.Item{
		Lane: in.text(), ID: in.text(), Type: in.text(), DeliveryID: in.number(), ReceivedAt: in.moment(),
		Status: receiver.Status(in.text()), Tries: int(in.number()), Failures: int(in.number()), Lost: int(in.number()),
		Unsure: in.flag(), DueAt: in.moment(), EndedAt: in.moment(), Error: in.text(), Token: in.text(),
		Body: []byte(in.text()),
	}
	r.err = in.err
	return item
}

// items reads the rest of a list.
func (r *reader) items() []receiver.Item {
	var items []receiver.Item
	for r.more() {
		items = append(items, r.item())
	}
	return items
}

// flags reads a list of as many truth values as were asked for.
func flags(answer []any, want int) ([]bool, error) {
	if len(answer) != want {
		return nil, fmt.Errorf("an answer of Redis is not as it should be: it is for %d and not for %d", len(answer), want)
	}
	r := reader{words: answer}
	all := make([]bool, 0, want)
	for r.more() {
		all = append(all, r.flag())
	}
	return all, r.err
}

// words writes a list of arguments as the scripts read it.
func words[T ~string](list []T) []any {
	if list == nil {
		return []any{-1}
	}
	args := []any{len(list)}
	for _, word := range list {
		args = append(args, string(word))
	}
	return args
}
