package send

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// statusHint is the hint for an answer.
func (r report) statusHint() string {
	switch r.class {
	case delivery.OK:
		if r.isHTML() && hasPasswordField(r.body) {
			return "The receiver answered with what looks like a login page, so the event was probably not processed. Let the URL in without a login: requests are signed."
		}
		return ""
	case delivery.Redirect:
		return r.redirectHint()
	case delivery.BadStatus:
		return fmt.Sprintf("The receiver answered with status %d, which says nothing about the event. Answer 2xx once it is safely received.", r.code)
	}
	text := r.clientHint()
	if r.class == delivery.ServerError {
		text = r.serverHint()
	}
	if r.isHTML() {
		text += " The answer is an HTML page, so it may come from a proxy, a firewall or a login in front of the receiver."
	}
	return text
}

func (r report) redirectHint() string {
	text := fmt.Sprintf("The receiver answered with a redirect (%d), which is never followed.", r.code)
	if place := redirectPlace(r.header.Get("Location")); place != "" {
		return fmt.Sprintf("%s Update the URL to %s", text, clean(place, 200))
	}
	return text + " Use the URL that answers by itself."
}

// redirectPlace gives scheme, host and path of a Location. Its other parts may hold
// secrets, and a hint is also read by those who get operational events; the whole
// value is among the response headers. What is not plainly one of both forms gives
// nothing, because a password may be anywhere in it.
func redirectPlace(location string) string {
	u, err := url.Parse(clean(location, len(location)))
	if err != nil {
		return ""
	}
	absolute := (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Opaque == ""
	relative := u.Scheme == "" && u.Host == "" && len(u.Path) > 1 && u.Path[0] == '/' && !strings.ContainsAny(u.Path[1:2], `/\`)
	if !absolute && !relative {
		return ""
	}
	place := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return place.String()
}

func (r report) clientHint() string {
	switch r.code {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fmt.Sprintf("The receiver could not read the request or found it invalid (%d). Its answer usually says why; the body is JSON in UTF-8, as in the documentation of the event type.", r.code)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("The receiver refused the request (%d), most likely because its signature check failed. It must use this endpoint's secret and the raw body as received; the endpoint's secret check tells which of them is wrong.", r.code)
	case http.StatusNotFound:
		return "The receiver has nothing at this path (404). Check the path of the URL, and that the receiver's route is deployed."
	case http.StatusMethodNotAllowed:
		return "The receiver does not take POST at this path (405). Make its route accept POST, or correct the path of the URL."
	case http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return fmt.Sprintf("The receiver does not take this kind of content (%d). It must accept application/json and ask for nothing special in return.", r.code)
	case http.StatusRequestTimeout:
		return "The receiver gave up waiting for the request (408). It is likely overloaded, or a proxy in front of it has a very short limit."
	case http.StatusConflict:
		return "The receiver reports a conflict (409). If that means it already has the event, it should answer 2xx, so that nothing is sent again."
	case http.StatusGone:
		return "The receiver says that this URL is gone for good (410). Update the URL, or delete the endpoint."
	case http.StatusRequestEntityTooLarge:
		return "The receiver, or a proxy in front of it, finds the body too large (413). Raise its limit to at least 512 KiB."
	case http.StatusRequestHeaderFieldsTooLarge:
		return "The receiver finds the headers too large (431). Remove custom headers from the endpoint, or raise its limit."
	case http.StatusTooManyRequests:
		return "The receiver asks to slow down (429). Set rate_limit or a lower concurrency on the endpoint; a Retry-After in the answer is kept to."
	}
	return fmt.Sprintf("The receiver rejected the request (%d). Its answer and its own log say why.", r.code)
}

func (r report) serverHint() string {
	switch r.code {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return fmt.Sprintf("The receiver's server cannot handle this kind of request (%d). It must accept POST over HTTP/1.1 or HTTP/2.", r.code)
	case http.StatusServiceUnavailable:
		return "The receiver, or something in front of it, says that it takes no requests at this moment (503). It may be restarting, overloaded or under maintenance, or a proxy may not reach it; its own log says which."
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return fmt.Sprintf("A proxy in front of the receiver could not get an answer from it (%d). Check that the receiver is running and not overloaded.", r.code)
	}
	return fmt.Sprintf("The receiver failed while it handled the event (%d). Its own log says why; look there for the delivery's number or webhook-id.", r.code)
}

func (r report) isHTML() bool {
	kind := strings.ToLower(strings.TrimSpace(r.header.Get("Content-Type")))
	if kind != "" {
		return strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "application/xhtml")
	}
	return strings.HasPrefix(http.DetectContentType(r.body), "text/html")
}

func hasPasswordField(body []byte) bool {
	lower := bytes.ToLower(body)
	for _, field := range []string{`type="password"`, `type='password'`, `type=password`} {
		if bytes.Contains(lower, []byte(field)) {
			return true
		}
	}
	return false
}
