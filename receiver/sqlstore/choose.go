package sqlstore

import (
	"slices"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// conditions are those of a statement, and its parameters.
type conditions struct {
	text string
	args []any
}

// parameter adds a parameter, and gives what stands for it.
func (c *conditions) parameter(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

// in demands one of some values; nil is any.
func (c *conditions) in(column string, values []string) {
	if values == nil {
		return
	}
	marks := make([]string, len(values))
	for i, value := range values {
		marks[i] = c.parameter(value)
	}
	c.oneOf(column, marks)
}

// statuses demands one of some; nil is any. They stand in the text, not in parameters:
// an index of some rows is only used by a statement that says it wants no others.
func (c *conditions) statuses(wanted []receiver.Status) {
	if wanted == nil {
		return
	}
	var texts []string
	for _, status := range allStatuses {
		if slices.Contains(wanted, status) {
			texts = append(texts, "'"+string(status)+"'")
		}
	}
	c.oneOf("status", texts)
}

func (c *conditions) oneOf(column string, texts []string) {
	if len(texts) == 0 {
		c.text += " and false"
		return
	}
	c.text += " and " + column + " in (" + strings.Join(texts, ", ") + ")"
}

var allStatuses = []receiver.Status{receiver.Waiting, receiver.Working, receiver.Done, receiver.Failed}

// chosen selects the numbers of the first items behind a place, of those that a filter
// chooses, in the order in which they came, and gives the parameters. It never reads what
// is done unless that is asked for:
//
//   - items that are named are found by receiver_inbox's unique index, which begins with the id;
//   - what waits or is worked on by receiver_inbox_due, what failed by receiver_inbox_failed,
//     both of which hold all that is needed;
//   - only a list of what is done, or of everything, walks the table, from that place.
//
// "seq + 0" keeps a planner from walking the table in the hope that it meets enough of
// what is asked for soon.
func chosen(f receiver.Filter, after int64, most int) (text string, args []any) {
	const seqs = "select seq from receiver_inbox where "
	var c conditions
	place, limit := c.parameter(after), c.parameter(most)
	part := func(begin string, statuses []receiver.Status) {
		c.text += begin
		c.in("lane", f.Lanes)
		c.in("id", f.IDs)
		c.statuses(statuses)
	}
	switch live := only(f.Statuses, receiver.Waiting, receiver.Working); {
	case f.IDs != nil:
		part(seqs+"seq + 0 > "+place, f.Statuses)
	case f.Statuses == nil || slices.Contains(f.Statuses, receiver.Done):
		part(seqs+"seq > "+place, f.Statuses)
		return c.text + " order by seq limit " + limit, c.args
	case !slices.Contains(f.Statuses, receiver.Failed):
		part(seqs+"due_at is not null and seq + 0 > "+place, live)
	default:
		part(seqs+"status = 'failed' and seq + 0 > "+place, nil)
		if len(live) > 0 {
			part(" union all "+seqs+"due_at is not null and seq + 0 > "+place, live)
		}
	}
	return "select seq from (" + c.text + ") as found order by seq + 0 limit " + limit, c.args
}

// only gives those of some statuses that are among others.
func only(statuses []receiver.Status, among ...receiver.Status) []receiver.Status {
	kept := []receiver.Status{}
	for _, status := range among {
		if slices.Contains(statuses, status) {
			kept = append(kept, status)
		}
	}
	return kept
}
