package vendortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// call answers one call of an API whose request was let in.
type call = func(r *http.Request, body []byte) (status int, answer any)

// rest answers calls by the patterns of [http.ServeMux], once admit lets a request in: it
// gives a status of 0. What is refused with a status of 4xx, 404 aside, is refused for
// its form, and so is a call that there is not.
func rest(local func() *Local, calls map[string]call, admit func(*http.Request) (int, any)) http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range calls {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // it was read whole before
			status, answer := admit(r)
			if status == 0 && r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
				status, answer = http.StatusUnsupportedMediaType, map[string]string{"error": "the body is to be JSON"}
			}
			if status == 0 {
				status, answer = do(r, body)
			}
			if status >= 400 && status != http.StatusNotFound {
				why, _ := json.Marshal(answer) // texts
				local().refuse(r, string(why))
			}
			say(w, status, answer)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		local().refuse(r, "there is no such call")
		http.NotFound(w, r)
	})
	return mux
}

// strict reads JSON that has no field that v does not know.
func strict(raw []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON")
	}
	return nil
}
