package vendor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// Data is an event as integrations and templates see it. Whatever the event does not
// have, or has in a form that does not fit, is the zero value: a test event, an event
// of a type that nobody knew and one with a field too many are all told.
type Data struct {
	ID, Type              string
	CreatedAt, ReceivedAt time.Time
	Test                  bool
	Domain                string
	Score                 int // see HasScore
	HasScore              bool
	Grade                 string
	Severity              string // critical, high, medium, low, info
	AlertType             string
	Title, Message        string
	OldValue, NewValue    string
	// Data is all of the event's data. Whole numbers are int64, others float64.
	Data map[string]any
}

// DataOf reads an event.
func DataOf(e receiver.Event[json.RawMessage]) Data {
	d := Data{ID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt, ReceivedAt: e.ReceivedAt, Test: e.Test, Data: object(e.Raw)}
	d.Domain, d.Grade, d.Severity = d.Text("domain"), d.Text("grade"), d.Text("severity")
	d.AlertType, d.Title, d.Message = d.Text("alert_type"), d.Text("title"), d.Text("message")
	d.OldValue, d.NewValue = d.Text("old_value"), d.Text("new_value")
	d.Score, d.HasScore = d.Number("score")
	return d
}

func object(raw json.RawMessage) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var found map[string]any
	if decoder.Decode(&found) != nil || found == nil {
		return map[string]any{}
	}
	plain(found)
	return found
}

// plain makes numbers ones that templates can compare.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		float, err := v.Float64()
		if err != nil {
			return v.String() // larger than any float
		}
		if float == math.Trunc(float) && math.Abs(float) < 1<<53 {
			return int64(float)
		}
		return float
	}
	return value
}

// Text is a scalar of the event's data as a person would write it; "" when there is none.
func (d Data) Text(name string) string {
	switch v := d.Data[name].(type) {
	case nil, map[string]any, []any:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// Number is a whole number of the event's data, and whether there is one.
func (d Data) Number(name string) (int, bool) {
	n, ok := d.Data[name].(int64)
	return int(n), ok
}

// Resolved reports whether the event says that the condition of an alert has cleared:
// an alert.triggered whose data has "resolved": true or "status": "resolved", or an
// alert.resolved with the data of the alert.
func (d Data) Resolved() bool {
	switch d.Type {
	case "alert.resolved":
		return true
	case "alert.triggered":
		return d.Data["resolved"] == true || strings.EqualFold(d.Text("status"), "resolved")
	}
	return false
}
