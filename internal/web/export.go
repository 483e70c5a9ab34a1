package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// exportTime is how long one page of an export may take to be read and sent.
const exportTime = 60 * time.Second

// exportColumns are those of the table that deliveries are exported as.
var exportColumns = []string{"delivery", "event", "type", "endpoint", "endpoint_name", "status", "attempts", "last_status", "last_error", "created_at", "updated_at", "next_attempt_at", "discarded_because"}

func (s *Server) exportDeliveries(v *visit) error {
	f := Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}
	return s.export(v, &f, f.deliveries(), "deliveries")
}

func (s *Server) exportDeadLetters(v *visit) error {
	f := Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}
	return s.export(v, &f, f.dead(), "dead-letters")
}

// export sends all deliveries that a filter finds as a table for spreadsheets, page by page: what is held in memory is one page,
// however many there are. An error after the first page breaks the connection, so that half an export never looks whole;
// so do the end of the session and of the program.
func (s *Server) export(v *visit, f *Form, filter store.DeliveryFilter, what string) error {
	if !f.right() {
		return &manage.Invalid{Fields: []manage.Field{{Name: "from, to", Message: "must be times such as 2026-11-26T22:15"}}}
	}
	if v.r.Method == http.MethodHead {
		return nil
	}
	names, err := s.names(v, &deliveriesView{})
	if err != nil {
		return err
	}
	ask := manage.ListDeliveries{Filter: filter, Page: manage.Page{Limit: manage.MaxLimit}}
	control := http.NewResponseController(v.w)
	for begun := false; ; begun = true {
		if begun && !s.holds(v) {
			panic(http.ErrAbortHandler)
		}
		_ = control.SetWriteDeadline(time.Now().Add(exportTime)) // only a recorder has none
		found, err := s.Manager.ListDeliveries(v.r.Context(), v.caller, ask)
		if err != nil && !begun {
			return err
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if !begun {
			v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			v.w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(what, v.session.Account, time.Now())))
		}
		_, err = v.w.Write(table(found.Rows, names, !begun))
		if err == nil {
			err = control.Flush() // the next page may find nothing for long
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if found.Next == "" {
			return nil
		}
		ask.Page.Cursor = found.Next
	}
}

// fileName tells exports of several accounts and days from each other. Of an account's name it has what every file system takes.
func fileName(what, account string, at time.Time) string {
	plain := strings.Join(strings.FieldsFunc(strings.ToLower(account), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "-")
	if plain != "" {
		what += "-" + plain
	}
	return what + "-" + at.UTC().Format(time.DateOnly) + ".csv"
}

// table writes deliveries as lines, the first time with the names of the columns.
func table(rows []delivery.Delivery, names map[string]string, first bool) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if first {
		_ = w.Write(exportColumns) // into memory
	}
	for _, d := range rows {
		_ = w.Write([]string{
			d.ID.String(), d.EventID, harmless(d.EventType), d.EndpointID, harmless(names[d.EndpointID]), string(d.Status), strconv.Itoa(d.Attempts), number(d.LastCode), string(d.LastClass),
			stampOf(d.CreatedAt), stampOf(d.UpdatedAt), stampOf(d.DueAt), harmless(d.Discard),
		})
	}
	w.Flush()
	return b.Bytes()
}

// harmless keeps spreadsheets from taking a text that somebody typed for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return machine(t)
}
