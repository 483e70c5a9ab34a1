package door

import (
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

var headEnd = []byte("\r\n\r\n")

// parse gives the request that b begins with and its size. If it is not whole, req is nil and
// size is how much there should be room for; or it is [foreign].
func (s *Server) parse(b []byte, remote string) (req *http.Request, size int) {
	if n := min(len(b), len(s.call)); !bytes.Equal(b[:n], s.call[:n]) {
		return nil, foreign
	}
	end := bytes.Index(b, headEnd)
	switch {
	case end < 0 && len(b) >= longestHead:
		return nil, foreign
	case end < 0:
		return nil, min(2*len(b), longestHead)
	case end < len(s.call): // no header at all
		return nil, foreign
	}
	h, ok := readHead(string(b[len(s.call) : end+2]))
	begin := end + len(headEnd)
	size = begin + h.length
	switch {
	case !ok || size > longestHere:
		return nil, foreign
	case len(b) < size:
		return nil, size
	}
	return s.request(&h, b[begin:size:size], remote), size
}

func (s *Server) request(h *head, body []byte, remote string) *http.Request {
	return &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: s.path}, RequestURI: s.path,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header, Host: h.host, ContentLength: int64(h.length),
		Body: io.NopCloser(bytes.NewReader(body)), RemoteAddr: remote,
	}
}

type head struct {
	header http.Header
	host   string
	length int
}

// mostLines is how many headers a request may have that is answered here.
const mostLines = 32

// readHead reads header lines, each with its line end. It reports whether they are of the
// plain kind that door is for.
func readHead(text string) (h head, ok bool) {
	lines := strings.Count(text, "\r\n")
	if lines > mostLines {
		return h, false
	}
	h.header = make(http.Header, lines)
	values := make([]string, 0, lines)
	for text != "" {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		name, value, isField := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !isField || !plainName(name) || !plainValue(value) {
			return h, false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if _, twice := h.header[name]; twice || name == "Host" && h.host != "" || !h.take(name, value) {
			return h, false
		}
		if name != "Host" {
			values = append(values, value)
			h.header[name] = values[len(values)-1:]
		}
	}
	return h, h.host != "" && h.length > 0
}

// take looks at what a header means for the reading of the request; false = that is not for door.
func (h *head) take(name, value string) (ok bool) {
	switch name {
	case "Host":
		h.host = value
		return plainHost(value)
	case "Content-Length":
		h.length, ok = number(value)
		return ok
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Te", "Trailer", "Expect", "Upgrade", "Http2-Settings", "Keep-Alive", "Pragma":
		return false
	}
	return true
}

// number reads a length of one to six digits that is not 0.
func number(text string) (n int, ok bool) {
	if text == "" || len(text) > 6 {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int(text[i]-'0')
	}
	return n, n > 0
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !isLetterOrDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}

func plainValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func plainHost(host string) bool {
	for i := range len(host) {
		c := host[i]
		if !isLetterOrDigit(c) && c != '-' && c != '.' && c != ':' && c != '[' && c != ']' && c != '_' {
			return false
		}
	}
	return host != ""
}

func isLetterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
