package egress

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestStoredForm(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{Dev: true})
	tests := []struct{ name, raw, want string }{
		{"host is folded, path is not", "HTTPS://HOOKS.Example.COM/In", "https://hooks.example.com/In"},
		{"path is not cleaned", "https://hooks.example.com/a/../b//c", "https://hooks.example.com/a/../b//c"},
		{"query is kept", "https://hooks.example.com/in?x=1&y=%20&z={a}|b", "https://hooks.example.com/in?x=1&y=%20&z={a}|b"},
		{"escapes in the path are kept", "https://example.com/%2F%c3%BC", "https://example.com/%2F%c3%BC"},
		{"no path", "https://example.com", "https://example.com"},
		{"query without path", "https://example.com?a=b", "https://example.com?a=b"},
		{"empty query", "https://example.com/?", "https://example.com/?"},
		{"default port", "https://example.com:443/", "https://example.com/"},
		{"other port", "https://example.com:08443/", "https://example.com:8443/"},
		{"default port of http", "http://localhost:80/", "http://localhost/"},
		{"https port with http", "http://localhost:443/", "http://localhost:443/"},
		{"root dot", "https://example.com./", "https://example.com/"},
		{"international name", "https://b\u00fccher.example.com/", "https://xn--bcher-kva.example.com/"},
		{"upper-case international name", "https://B\u00dcCHER.example.com/", "https://xn--bcher-kva.example.com/"},
		{"sharp s stays itself", "https://stra\u00dfe.example.com/", "https://xn--strae-oqa.example.com/"},
		{"hyphens in a row", "https://r3---sn.example.com/", "https://r3---sn.example.com/"},
		{"full-width letters", "https://\uff45xample.com/", "https://example.com/"},
		{"IPv4", "https://8.8.8.8/", "https://8.8.8.8/"},
		{"IPv6 is shortened", "https://[2606:4700:4700:0:0:0:0:1111]:8443/", "https://[2606:4700:4700::1111]:8443/"},
		{"mapped IPv4", "https://[::ffff:808:808]/", "https://[::ffff:8.8.8.8]/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := parse(t, p, tt.raw)
			if got := target.String(); got != tt.want {
				t.Errorf("ParseTarget(%q) = %q, want %q", tt.raw, got, tt.want)
			}
			checkSentAsStored(t, target)
		})
	}
}

type refusal struct{ name, raw, code, words string }

// checkRefusals makes sure that a refusal says what is wrong and what to do.
func checkRefusals(t *testing.T, tests []refusal) {
	t.Helper()
	p := newPolicy(t, Config{OwnListeners: func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("8.8.4.4:443")}
	}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := p.ParseTarget(tt.raw)
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("ParseTarget(%.80q): %#v, want code %s and %q", tt.raw, err, tt.code, tt.words)
			}
		})
	}
}

func TestRefusedShapes(t *testing.T) {
	t.Parallel()
	checkRefusals(t, []refusal{
		{"http", "http://hooks.example.com/in", CodeScheme, "Use https://. http:// is only for localhost in development mode (serve --dev)."},
		{"no scheme", "example.com/in", CodeURL, "Write it like https://"},
		{"empty", "", CodeURL, "empty"},
		{"invalid UTF-8", "https://ex\xffample.com/", CodeURL, "UTF-8"},
		{"too long", "https://example.com/" + strings.Repeat("p", 2029), CodeURL, "2048"},
		{"too long before it is mapped", "https://" + strings.Repeat("\u00ad", 1020) + "example.com/", CodeURL, "2048"},
		{"control character", "https://example.com/a\nb", CodeURL, "control character"},
		{"too long once mapped", "https://\u00fc.example.com/" + strings.Repeat("p", 2024), CodeURL, "2048"},
		{"empty user name", "https://@example.com/", CodeUserinfo, "user name"},
		{"user name before an open address", "https://me@8.8.8.8/", CodeUserinfo, "Remove everything up to the @"},
		{"space", "https://example.com/a b", CodeURL, "%20"},
		{"fragment", "https://example.com/#a", CodeURL, "%23"},
		{"backslash", `https://example.com/a\b`, CodeURL, "backslash"},
		{"brace in the path", "https://example.com/{a}", CodeURL, "path"},
		{"umlaut in the path", "https://example.com/\u00fc", CodeURL, "%C3%BC"},
		{"broken escape in the path", "https://example.com/%zz", CodeURL, "path"},
		{"umlaut in the query", "https://example.com/?\u00fc", CodeURL, "query"},
		{"quote in the query", "https://example.com/?\"", CodeURL, "query"},
		{"colon without port", "https://example.com:/", CodePort, "1 to 65535"},
		{"signed port", "https://example.com:+443/", CodePort, "1 to 65535"},
		{"port 0", "https://example.com:0/", CodePort, "1 to 65535"},
		{"mail port", "https://example.com:25/", CodePort, "25"},
		{"mail port of an address", "https://8.8.8.8:25/", CodePort, "25"},
	})
}

func TestRefusedHosts(t *testing.T) {
	t.Parallel()
	checkRefusals(t, []refusal{
		{"zone", "https://[fe80::1%25eth0]/", CodeHost, "zone"},
		{"no host", "https:///x", CodeHost, "domain name"},
		{"only a dot", "https://./", CodeHost, "domain name"},
		{"two root dots", "https://example.com../", CodeHost, "domain name"},
		{"hyphen before", "https://-a.example.com/", CodeHost, "domain name"},
		{"hyphen after", "https://a-.example.com/", CodeHost, "domain name"},
		{"left and right mixed", "https://\u05d0a.example.com/", CodeHost, "domain name"},
		{"public IPv4 in brackets", "https://[8.8.8.8]/", CodeHost, "brackets"},
		{"mapped to what cannot be mapped again", "https://\u2135a.example.com/", CodeHost, "domain name"},
		{"exclamation mark", "https://ex!mple.com/", CodeHost, "domain name"},
		{"text after brackets", "https://[2606:4700:4700::1111]x/", CodeHost, "brackets"},
		{"short address", "https://127.1/", CodeHost, "four decimal numbers"},
		{"single label", "https://intranet/", CodeLocal, `"intranet"`},
		{"localhost", "https://localhost/", CodeLocal, "--dev"},
		{"bare suffix", "https://home.arpa/", CodeLocal, `"home.arpa"`},
		{"private", "https://10.0.0.1/", CodeBlocked, "10.0.0.1 is a private address."},
		{"unique local", "https://[fd00::1]/", CodeBlocked, "fd00::1 is a private address."},
		{"link-local", "https://[fe80::1]/", CodeBlocked, "fe80::1 is a link-local address."},
		{"unallocated", "https://[4000::1]/", CodeBlocked, "not a public IPv6 address"},
		{"two opening brackets", "https://[[2606:4700:4700::1111]/", CodeHost, "brackets"},
		{"own", "https://8.8.4.4/", CodeBlocked, "itself listens on"},
		{"loopback", "https://[::1]/", CodeBlocked, "--dev"},
		{"metadata", "https://169.254.169.254/", CodeBlocked, "no setting opens"},
		{"NAT64", "https://[64:ff9b::808:808]/", CodeBlocked, "--nat64-decode"},
	})
}

func TestLiteralOfTarget(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{})
	if ap, ok := parse(t, p, "https://[2606:4700:4700::1111]:8443/").Literal(); !ok || ap.String() != "[2606:4700:4700::1111]:8443" {
		t.Errorf("Literal() = %v, %v", ap, ok)
	}
	if ap, ok := parse(t, p, "https://example.com/").Literal(); ok {
		t.Errorf("Literal() = %v for a name", ap)
	}
}

// checkSentAsStored makes sure that the bytes on the wire are those of the stored URL.
func checkSentAsStored(t *testing.T, target Target) {
	t.Helper()
	req, err := NewRequest(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	scheme, rest, _ := strings.Cut(target.String(), "://")
	host, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, tail = rest[:i], rest[i:]
	}
	if !strings.HasPrefix(tail, "/") {
		tail = "/" + tail // the one thing HTTP adds
	}
	if req.URL.Scheme != scheme || req.Host != host || req.URL.RequestURI() != tail || req.Method != http.MethodPost {
		t.Errorf("%q is sent as %s %q to %q", target, req.Method, req.URL.RequestURI(), req.Host)
	}
}

func FuzzParseTarget(f *testing.F) {
	for line := range strings.SplitSeq(vectorFile, "\n") {
		if v, err := parseVector(line); err == nil {
			f.Add(v.url)
		}
	}
	f.Add("http://localhost:3000/hook")
	f.Add("https://10.1.2.3:8443/a?b")
	rule, err := ParseAllow("10.1.2.0/24:8000-8999")
	if err != nil {
		f.Fatal(err)
	}
	strict := newPolicy(f, Config{})
	open := newPolicy(f, Config{Dev: true, NAT64Decode: true, Allow: []AllowRule{rule}})
	f.Fuzz(func(t *testing.T, raw string) {
		for _, p := range []*Policy{strict, open} {
			fuzzOne(t, p, raw)
		}
		if _, err := strict.ParseTarget(raw); err == nil {
			if _, err := open.ParseTarget(raw); err != nil {
				t.Errorf("%q passes the strict policy, not the open one: %v", raw, err)
			}
		}
	})
}

func fuzzOne(t *testing.T, p *Policy, raw string) {
	target, err := p.ParseTarget(raw)
	if err != nil {
		return
	}
	again, err := p.ParseTarget(target.String())
	if err != nil || again != target {
		t.Errorf("%q is stored as %+v, which reads as %+v, %v", raw, target, again, err)
	}
	if ap, ok := target.Literal(); ok {
		if err := p.CheckAddr(ap); err != nil {
			t.Errorf("%q is accepted, its address is not: %v", raw, err)
		}
	}
	checkSentAsStored(t, target)
}
