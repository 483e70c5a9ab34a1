package api

import (
	"bytes"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const ndjson = "application/x-ndjson"

// deadLetters is GET /v1/dead-letters: a page, the counts, or everything as NDJSON.
func (s *Server) deadLetters(x *exchange, r *http.Request, in *input) error {
	var q client.DeadLetterQuery
	if err := in.read(r, 0, reflect.ValueOf(&q).Elem()); err != nil {
		return err
	}
	ask := manage.DeadLetters{
		EndpointID: q.EndpointID, Type: q.Type, Class: delivery.Class(q.Class),
		From: q.From.Time, To: q.To.Time, Page: pageOf(q.PageQuery),
	}
	switch {
	case wants(r, ndjson):
		return s.exportDeadLetters(x, r, ask)
	case q.Group != "":
		return s.countDeadLetters(x, r, q.Group)
	}
	list, err := s.Manager.DeadLetters(r.Context(), x.caller, ask)
	if err != nil {
		return err
	}
	return answer(x, http.StatusOK, client.DeadLetters{Data: each(list.Rows, deliveryTo), NextCursor: cursorTo(list.Next)})
}

func (s *Server) countDeadLetters(x *exchange, r *http.Request, group string) error {
	counts, err := s.Manager.DeadLetterCounts(r.Context(), x.caller, 0)
	if err != nil {
		return err
	}
	return answer(x, http.StatusOK, client.DeadLetters{Data: []client.Delivery{}, Groups: grouped(counts, group)})
}

// grouped adds the counts up by endpoint or by cause, the largest first.
func grouped(counts []store.CauseCount, group string) []client.DeadLetterGroup {
	groups := []client.DeadLetterGroup{}
	for _, c := range counts {
		g := client.DeadLetterGroup{EndpointID: c.EndpointID}
		if group == "cause" {
			g = client.DeadLetterGroup{Cause: string(c.Class)}
		}
		at := slices.IndexFunc(groups, func(have client.DeadLetterGroup) bool {
			return have.EndpointID == g.EndpointID && have.Cause == g.Cause
		})
		if at < 0 {
			at, groups = len(groups), append(groups, g)
		}
		groups[at].Count += c.Count
	}
	slices.SortStableFunc(groups, func(a, b client.DeadLetterGroup) int { return b.Count - a.Count })
	return groups
}

// pageTime is how long reading one page of an export may take.
const pageTime = 30 * time.Second

// exportDeadLetters writes the whole queue, one delivery a line, page by page: what
// is held in memory is one page, however long the queue is. An error after the first page
// breaks the connection, so that half an export never looks whole.
func (s *Server) exportDeadLetters(x *exchange, r *http.Request, ask manage.DeadLetters) error {
	ask.Page = manage.Page{Limit: manage.MaxLimit}
	var lines bytes.Buffer
	for {
		extend(x, pageTime)
		list, err := s.Manager.DeadLetters(r.Context(), x.caller, ask)
		if err == nil {
			err = appendLines(&lines, list.Rows)
		}
		if err != nil {
			return broke(x, err)
		}
		x.Header().Set("Content-Type", ndjson)
		if r.Method == http.MethodHead {
			return nil
		}
		if err := pour(x, lines.Bytes()); err != nil {
			return broke(x, err)
		}
		if list.Next == "" {
			return nil
		}
		if err := http.NewResponseController(x).Flush(); err != nil {
			return broke(x, err)
		}
		lines.Reset()
		ask.Page.Cursor = list.Next
	}
}

func appendLines(lines *bytes.Buffer, rows []delivery.Delivery) error {
	for _, d := range rows {
		if err := encode(lines, deliveryTo(d)); err != nil {
			return err
		}
	}
	return nil
}

// broke ends an export that cannot go on: with an answer while there is none yet, else
// by breaking the connection.
func broke(x *exchange, err error) error {
	if x.status == 0 {
		return err
	}
	panic(http.ErrAbortHandler)
}

// wants reports whether a request asks for a media type by its name.
func wants(r *http.Request, kind string) bool {
	for _, part := range strings.Split(r.Header.Get("Accept"), ",") {
		if got, _, err := mime.ParseMediaType(part); err == nil && got == kind {
			return true
		}
	}
	return false
}
