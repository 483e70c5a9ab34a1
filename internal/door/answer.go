package door

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is the http.ResponseWriter. It holds the answer back until it is whole: those
// of the call that is answered here are short.
type answer struct {
	header http.Header
	status int
	body   []byte
	out    []byte
	names  []string
	date   []byte // the header of that name, as of second
	second int64
}

func (a *answer) reset() {
	if a.header == nil {
		a.header = make(http.Header, 8)
	}
	clear(a.header)
	a.status, a.body = 0, a.body[:0]
}

// Header gives the headers of the answer.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sets the status. Only the first one counts, and those that announce another do not.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write adds to the body. It never fails.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

func (a *answer) wantsClose() bool { return strings.EqualFold(a.header.Get("Connection"), "close") }

// bytes gives the whole answer as it goes over the wire.
func (a *answer) bytes(now time.Time, last bool) []byte {
	a.WriteHeader(http.StatusOK)
	b := append(a.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\n"...)
	if len(a.body) > 0 && a.header["Content-Type"] == nil {
		a.header.Set("Content-Type", http.DetectContentType(a.body))
	}
	b = a.appendHeaders(b)
	b = append(b, a.dated(now)...)
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.body)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, a.body...)
	a.out = b
	return b
}

// oneLine keeps a value from beginning another line, as net/http does.
var oneLine = strings.NewReplacer("\n", " ", "\r", " ")

// appendHeaders writes the handler's headers by name, but for those that bytes writes itself.
func (a *answer) appendHeaders(b []byte) []byte {
	a.names = a.names[:0]
	for name := range a.header {
		a.names = append(a.names, name)
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		switch name {
		case "Connection", "Content-Length", "Date", "Transfer-Encoding":
			continue
		}
		for _, value := range a.header[name] {
			b = append(b, name...)
			b = append(b, ": "...)
			if strings.ContainsAny(value, "\r\n") {
				value = oneLine.Replace(value)
			}
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return b
}

func (a *answer) dated(now time.Time) []byte {
	if now.Unix() != a.second {
		a.second = now.Unix()
		a.date = append(a.date[:0], "Date: "...)
		a.date = now.UTC().AppendFormat(a.date, http.TimeFormat)
		a.date = append(a.date, "\r\n"...)
	}
	return a.date
}
