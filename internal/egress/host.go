package egress

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// localhost is the one local name that development mode opens.
const localhost = "localhost"

// Limits of RFC 1035 section 2.3.4, in bytes without the root dot.
const (
	maxName  = 253
	maxLabel = 63
)

// localSuffixes are the names that never belong to a public host:
// RFC 6761, RFC 6762, RFC 7686, RFC 8375, ICANN's .internal, and those that
// hosts files and Kubernetes use.
var localSuffixes = []string{
	"localhost", "localdomain", "local", "internal", "home.arpa", "svc", "onion", "invalid",
}

// newIDNA maps international names as browsers do (UTS 46, nontransitional).
// Underscores and hyphens at unusual places occur in real host names, so the
// strict rules are off; checkLabels has our own.
func newIDNA() *idna.Profile {
	return idna.New(
		idna.MapForLookup(),
		idna.BidiRule(),
		idna.Transitional(false),
		idna.StrictDomainName(false),
		idna.CheckHyphens(false),
	)
}

// parseHost returns the normal form of a host, and its address if it is one.
func (p *Policy) parseHost(raw string) (string, netip.Addr, error) {
	if strings.Contains(raw, "%") {
		return "", netip.Addr{}, hostError("The host contains a % sign.", "Write names in plain letters and addresses without a zone.")
	}
	if strings.HasPrefix(raw, "[") {
		a, err := netip.ParseAddr(raw[1 : len(raw)-1])
		if err != nil || !a.Is6() {
			return "", netip.Addr{}, hostError("The brackets do not hold an IPv6 address.", "Brackets are only for IPv6 addresses, like https://[2606:4700:4700::1111]/hooks.")
		}
		return a.String(), a, nil
	}
	if a, err := netip.ParseAddr(raw); err == nil {
		return a.String(), a, nil
	}
	name, err := p.parseName(raw)
	return name, netip.Addr{}, err
}

func (p *Policy) parseName(raw string) (string, error) {
	name, err := p.toASCII(raw)
	if err != nil {
		return "", err
	}
	if endsInNumber(name) {
		return "", hostError("The host looks like an IP address in an unusual form.", "Write an IPv4 address as four decimal numbers, like 192.0.2.1.")
	}
	if name == localhost && p.dev {
		return name, nil
	}
	if isLocalName(name) {
		return "", &Error{
			Code:    CodeLocal,
			Problem: fmt.Sprintf("%q is a name of a local network.", name),
			Hint:    "Use the full public name of the host, like hooks.example.com. localhost is only for development mode (serve --dev).",
		}
	}
	return name, nil
}

// toASCII returns the lower-case ASCII form of a name, without the root dot.
func (p *Policy) toASCII(raw string) (string, error) {
	name, err := p.idna.ToASCII(raw)
	if err != nil {
		return "", badName()
	}
	name = strings.TrimSuffix(name, ".")
	if !checkLabels(name) {
		return "", badName()
	}
	// The stored form is mapped again at every send and must not change then.
	if again, err := p.idna.ToASCII(name); err != nil || again != name {
		return "", badName()
	}
	return name, nil
}

func checkLabels(name string) bool {
	if len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !isNameRune(r) }) {
			return false
		}
	}
	return true
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// endsInNumber is the check of the URL standard for hosts that some resolver
// would read as an IPv4 address: the last label is decimal, octal or 0x hex.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func isLocalName(name string) bool {
	if !strings.Contains(name, ".") {
		return true // one label: the search list of the machine would complete it
	}
	for _, s := range localSuffixes {
		if strings.HasSuffix(name, "."+s) || name == s {
			return true
		}
	}
	return false
}

func badName() *Error {
	return hostError("The host is not a valid domain name.", "Write it like hooks.example.com: letters, digits, - and _, separated by single dots.")
}

func hostError(problem, hint string) *Error {
	return &Error{Code: CodeHost, Problem: problem, Hint: hint}
}
