package egress

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxURL is the longest target in bytes, as typed and as stored: what browsers
// and proxies have long been known to carry.
const maxURL = 2048

// Target is a URL that passed [Policy.ParseTarget]. The zero value is no target.
type Target struct {
	url  string
	host string
	addr netip.Addr // valid when the host is a literal address
	port uint16
}

// String returns the URL in the form to store: ASCII, lower-case scheme and
// host, no root dot, no default port, path and query as typed. It may hold a
// secret in its path or query: do not log it.
func (t Target) String() string { return t.url }

// Host returns the host as it is resolved and verified, without port and brackets.
func (t Target) Host() string { return t.host }

// Literal returns the address of a target that names one instead of a host.
// A blocked literal stays blocked; a blocked name may change its DNS.
func (t Target) Literal() (netip.AddrPort, bool) {
	return netip.AddrPortFrom(t.addr, t.port), t.addr.IsValid()
}

// ParseTarget checks the text of a target and returns its normal form. It asks
// no DNS: a target that passes may still be denied when it is dialed. Call it
// when an endpoint is saved and again before each send, since settings change.
// The error is an [*Error].
func (p *Policy) ParseTarget(raw string) (Target, error) {
	if err := checkText(raw); err != nil {
		return Target{}, err
	}
	scheme, authority, tail, err := split(raw)
	if err != nil {
		return Target{}, err
	}
	host, port, err := splitHostPort(authority, scheme)
	if err != nil {
		return Target{}, err
	}
	t := Target{port: port}
	if t.host, t.addr, err = p.parseHost(host); err != nil {
		return Target{}, err
	}
	if scheme == "http" && !p.opensHTTP(t) {
		return Target{}, schemeError()
	}
	if err := p.checkParsed(t); err != nil {
		return Target{}, err
	}
	t.url = scheme + "://" + t.hostPort(scheme) + tail
	if err := checkStored(t.url, tail); err != nil {
		return Target{}, err
	}
	return t, nil
}

// checkParsed applies the address and port rules with words that may name the
// address, because whoever typed it knows it.
func (p *Policy) checkParsed(t Target) error {
	ap, literal := t.Literal()
	if literal {
		if v := p.judge(ap); !v.ok() && !v.port {
			return &Error{Code: CodeBlocked, Problem: fmt.Sprintf("%v is %s.", t.addr, v.what), Hint: v.hint}
		}
	}
	if badPort(t.port) {
		return portError(t.port)
	}
	return nil
}

// opensHTTP reports whether development mode allows plain http:// for a target.
func (p *Policy) opensHTTP(t Target) bool {
	if !p.dev {
		return false
	}
	a := t.addr.Unmap()
	return t.host == localhost ||
		a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a == netip.IPv6Loopback() ||
		a.IsValid() && p.listed(a, t.port)
}

// checkText refuses what no part of a URL may contain.
func checkText(raw string) error {
	if raw == "" {
		return urlError("The URL is empty.", example)
	}
	if len(raw) > maxURL {
		return urlError(fmt.Sprintf("The URL is longer than %d bytes.", maxURL), "Use a shorter one; event data belongs in the body.")
	}
	if !utf8.ValidString(raw) {
		return urlError("The URL is not valid UTF-8 text.", "Type it again instead of pasting it.")
	}
	for _, r := range raw {
		switch {
		case r == ' ' || unicode.IsControl(r):
			return urlError("The URL contains a space or a control character.", "Remove it, or write a space in the path as %20.")
		case r == '\\':
			return urlError("The URL contains a backslash.", "Use / between the parts of the path.")
		case r == '#':
			return urlError("The URL contains a fragment (#...), which is never sent.", "Remove it, or write # in the path as %23.")
		}
	}
	return nil
}

// split cuts a URL into its scheme, its authority, and all that follows.
func split(raw string) (scheme, authority, tail string, err error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "", "", "", urlError("This is not a complete URL.", example)
	}
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" {
		return "", "", "", schemeError()
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail = rest[:end], rest[end:]
	if strings.Contains(authority, "@") {
		return "", "", "", &Error{
			Code:    CodeUserinfo,
			Problem: "The URL contains a user name or password before the host.",
			Hint:    "Remove everything up to the @. Requests are signed, so the receiver can check them without a password.",
		}
	}
	return scheme, authority, tail, nil
}

// splitHostPort cuts an authority; a bracketed host keeps its brackets.
func splitHostPort(authority, scheme string) (host string, port uint16, err error) {
	host, text, hasPort := strings.Cut(authority, ":")
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		host = authority[:end+1]
		text, hasPort = strings.CutPrefix(authority[end+1:], ":")
		if end < 0 || text != "" && !hasPort {
			return "", 0, hostError("The host is not a complete address in brackets.", "Write it like https://[2606:4700:4700::1111]/hooks.")
		}
	}
	if !hasPort {
		return host, defaultPort(scheme), nil
	}
	n, perr := strconv.ParseUint(text, 10, 16)
	if perr != nil || n == 0 {
		return "", 0, &Error{Code: CodePort, Problem: "The port is not a number from 1 to 65535.", Hint: "Leave out the colon and the port to use the usual one. An IPv6 address needs [brackets]."}
	}
	return host, uint16(n), nil
}

func defaultPort(scheme string) uint16 {
	if scheme == "http" {
		return 80
	}
	return 443
}

func (t Target) hostPort(scheme string) string {
	h := t.host
	if t.addr.Is6() {
		h = "[" + h + "]"
	}
	if t.port != defaultPort(scheme) {
		h += ":" + strconv.Itoa(int(t.port))
	}
	return h
}

// checkStored makes sure that net/http will send path and query exactly as
// they are stored, so that the log shows what the receiver got.
func checkStored(stored, tail string) error {
	if len(stored) > maxURL {
		return urlError(fmt.Sprintf("The URL is longer than %d bytes.", maxURL), "Use a shorter one.")
	}
	path, query, _ := strings.Cut(tail, "?")
	u, err := url.Parse(stored)
	if err != nil || u.EscapedPath() != path {
		return urlError("The path contains a character that cannot be sent as it is.", "Percent-encode it, for example ü as %C3%BC and { as %7B.")
	}
	// url.Parse lets anything pass in a query; these are the characters that
	// the URL standard percent-encodes there.
	if strings.ContainsFunc(query, func(r rune) bool { return r > unicode.MaxASCII || strings.ContainsRune("\"<>", r) }) {
		return urlError("The query contains a character that cannot be sent as it is.", "Percent-encode it, for example ü as %C3%BC and < as %3C.")
	}
	return nil
}

const example = "Write it like https://example.com/hooks."

func urlError(problem, hint string) *Error {
	return &Error{Code: CodeURL, Problem: problem, Hint: hint}
}

func schemeError() *Error {
	return &Error{
		Code:    CodeScheme,
		Problem: "The target does not use https://.",
		Hint:    "Use https://. http:// is only for localhost in development mode (serve --dev).",
	}
}
