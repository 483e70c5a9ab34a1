package client

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// Page is one page of a list.
type Page[T any] struct {
	Data       []T     `json:"data" doc:"The items of this page, newest first unless the call says otherwise."`
	NextCursor *string `json:"next_cursor" doc:"Give it as cursor to get the next page; null when this is the last. While there is one, a page may be short or empty: a filter that little matches is looked for a second at a time."`
}

// PageQuery says which page of a list to read.
type PageQuery struct {
	Limit  int    `query:"limit" doc:"How many items a page has at most." minimum:"1" maximum:"250" default:"50"`
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
}

// errSamePage means that list does not read the page that All asks for.
var errSamePage = errors.New("the list gave the same page again: it must use the cursor of the query that was given to All")

// All goes through a list page by page: list reads the page that page says, which
// All moves on, so that both must be of the same query. The loop ends after the last item or
// at the first error.
func All[T any](ctx context.Context, page *PageQuery, list func(context.Context) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			got, err := list(ctx)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range got.Data {
				if !yield(item, nil) {
					return
				}
			}
			if got.NextCursor == nil || *got.NextCursor == "" {
				return
			}
			if *got.NextCursor == page.Cursor {
				var none T
				yield(none, errSamePage)
				return
			}
			page.Cursor = *got.NextCursor
		}
	}
}

// queryOf encodes the fields of a struct that have a query tag. Zero values are
// left out, lists are joined by commas.
func queryOf(in any) url.Values {
	values := url.Values{}
	addQuery(values, reflect.ValueOf(in))
	return values
}

func addQuery(values url.Values, v reflect.Value) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous {
			addQuery(values, value)
			continue
		}
		if name := field.Tag.Get("query"); name != "" && !value.IsZero() {
			values.Set(name, queryText(value))
		}
	}
}

func queryText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Time:
		return x.String()
	case []string:
		return strings.Join(x, ",")
	}
	switch v.Kind() {
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	}
	return v.String()
}
