package send

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// A report is all that a hint is made of. A hint is for the owner of the
// endpoint: it names neither resolved addresses nor secrets, and whatever the
// receiver said in it is cut and cleaned.
type report struct {
	class   delivery.Class
	code    int
	err     error
	reached phase
	elapsed time.Duration
	host    string
	port    string
	header  http.Header // nil when no answer came
	body    []byte
}

// hint gives one or two plain sentences with the next step.
func (r report) hint() string {
	if r.header != nil {
		return r.statusHint()
	}
	switch r.class {
	case delivery.DNSNotFound, delivery.DNSFailure, delivery.ConnectRefused, delivery.ConnectTimeout, delivery.Unreachable:
		return r.networkHint()
	case delivery.TLSExpired, delivery.TLSUntrusted, delivery.TLSWrongHost, delivery.TLSFailure, delivery.TLSTimeout:
		return r.tlsHint()
	case delivery.SendTimeout, delivery.ResponseTimeout, delivery.Reset, delivery.Closed, delivery.ProtocolError:
		return r.exchangeHint()
	case delivery.BlockedAddress, delivery.InvalidTarget:
		return r.targetHint()
	}
	return r.ourHint()
}

func (r report) networkHint() string {
	switch r.class {
	case delivery.DNSNotFound:
		return fmt.Sprintf("The host name %s does not exist in DNS. Check its spelling in the URL, or add the DNS record.", r.host)
	case delivery.DNSFailure:
		return fmt.Sprintf("The DNS servers of %s gave no usable answer within %s. Check the DNS of that name; it is tried again.", r.host, spoken(r.elapsed))
	case delivery.ConnectRefused:
		return fmt.Sprintf("Nothing listens on port %s of %s. Start the receiver, or check host and port of the URL.", r.port, r.host)
	case delivery.ConnectTimeout:
		return fmt.Sprintf("No connection to port %s of %s within %s. Usually a firewall drops it: let this server in, or check host and port.", r.port, r.host, spoken(r.elapsed))
	}
	if noIPv6(r.err) {
		return fmt.Sprintf("%s only has an IPv6 address, and this server cannot reach it. Give the receiver an IPv4 address too.", r.host)
	}
	return fmt.Sprintf("There is no way through the network to %s. Check that the host is up and that its DNS record is current.", r.host)
}

func (r report) exchangeHint() string {
	switch r.class {
	case delivery.SendTimeout:
		return fmt.Sprintf("The receiver accepted the connection but did not read the whole request within %s. It is likely overloaded or stuck.", spoken(r.elapsed))
	case delivery.ResponseTimeout:
		return fmt.Sprintf("The receiver took the request but sent no complete answer within %s. Answer 2xx first and do the work after that.", spoken(r.elapsed))
	case delivery.Reset:
		return "The connection was cut off before an answer came. Look for a crash or restart of the receiver, or a proxy in front of it that gave up."
	case delivery.Closed:
		return "The receiver closed the connection without a complete answer. Look in its log for a crash at this time."
	}
	return fmt.Sprintf("What came back is not a valid HTTP answer, or its headers are too large. Check that port %s of %s is that of a web server, and whether it wants https://.", r.port, r.host)
}

func (r report) targetHint() string {
	var refusal *egress.Error
	switch {
	case r.class == delivery.BlockedAddress:
		return fmt.Sprintf("%s leads to an address that this server may not call. Use a public address, or ask the operator to open this one (serve --allow-targets).", r.host)
	case errors.As(r.err, &refusal):
		return refusal.Error()
	}
	return "A custom header of this endpoint cannot be sent. Remove it from the endpoint or correct it."
}

func (r report) ourHint() string {
	switch r.class {
	case delivery.Interrupted:
		return "This server was shutting down. The delivery is sent again by itself; there is nothing to do."
	case delivery.Unknown:
		return "This server stopped before it could note the answer. The delivery is sent again by itself, so the receiver may see it twice, with the same ids."
	case delivery.LocalNetwork:
		return "This server's own network failed, so nothing was sent and no attempt is used up. The operator finds the cause beside this attempt."
	}
	return "Something went wrong inside this server; no attempt is used up. The operator finds the cause beside this attempt."
}

func (r report) tlsHint() string {
	switch r.class {
	case delivery.TLSExpired:
		return expiredHint(r.err)
	case delivery.TLSUntrusted:
		return untrustedHint(r.err)
	case delivery.TLSWrongHost:
		return fmt.Sprintf("The certificate is for %s, not for %s. Install one that names this host, or correct the host in the URL.", certificateHosts(r.err), r.host)
	case delivery.TLSTimeout:
		return fmt.Sprintf("The TLS handshake with %s did not end within %s. Check that port %s speaks HTTPS and that the receiver is not overloaded.", r.host, spoken(r.elapsed), r.port)
	}
	return r.handshakeHint()
}

func expiredHint(err error) string {
	const day = "2006-01-02"
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Cert == nil {
		return "The certificate has expired. Renew it."
	}
	if cert := invalid.Cert; time.Now().Before(cert.NotBefore) {
		return fmt.Sprintf("The certificate is only valid from %s on. Install one that is valid now, or correct the clock that is wrong.", cert.NotBefore.UTC().Format(day))
	}
	return fmt.Sprintf("The certificate expired on %s. Renew it, and check that the receiver's server has loaded the new one.", invalid.Cert.NotAfter.UTC().Format(day))
}

func untrustedHint(err error) string {
	var v *tls.CertificateVerificationError
	if errors.As(err, &v) && len(v.UnverifiedCertificates) > 0 {
		if cert := v.UnverifiedCertificates[0]; string(cert.RawIssuer) == string(cert.RawSubject) {
			return "The certificate is self-signed. Use one from a public authority, such as Let's Encrypt."
		}
	}
	return "The certificate is not signed by an authority that this server knows. Usually the receiver's server does not send the intermediate certificate: install the full chain."
}

// certificateHosts lists the first names of a certificate that does not fit.
func certificateHosts(err error) string {
	const most = 3
	var wrong x509.HostnameError
	if !errors.As(err, &wrong) || wrong.Certificate == nil {
		return "another host"
	}
	names := wrong.Certificate.DNSNames
	for _, ip := range wrong.Certificate.IPAddresses {
		names = append(names[:len(names):len(names)], ip.String())
	}
	if len(names) == 0 {
		return "no host at all"
	}
	var shown []string
	for _, name := range names[:min(len(names), most)] {
		shown = append(shown, clean(name, 100))
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("%d more", more))
	}
	return strings.Join(shown, ", ")
}

// Alerts of TLS that have a plain meaning (RFC 8446 section 6).
const (
	noAlert                  = 256 // above all that there are
	alertHandshakeFailure    = 40
	alertBadCertificate      = 42
	alertCertificateUnknown  = 46
	alertUnknownCA           = 48
	alertAccessDenied        = 49
	alertProtocolVersion     = 70
	alertUnrecognizedName    = 112
	alertCertificateRequired = 116
)

func (r report) handshakeHint() string {
	var record tls.RecordHeaderError
	if errors.As(r.err, &record) {
		return fmt.Sprintf("Port %s of %s does not speak TLS, as https:// needs. Use the port of the receiver's HTTPS server.", r.port, r.host)
	}
	switch alertCode(r.err) {
	case alertProtocolVersion:
		return fmt.Sprintf("%s does not offer TLS 1.2 or newer. Turn it on in the receiver's server.", r.host)
	case alertHandshakeFailure:
		return fmt.Sprintf("%s found no TLS version and cipher in common. Turn on TLS 1.2 or 1.3 with current ciphers, or do not ask for a client certificate.", r.host)
	case alertBadCertificate, alertCertificateRequired:
		return fmt.Sprintf("%s asks for a client certificate, and this server has none. Turn that off for this URL: requests are signed instead.", r.host)
	case alertUnrecognizedName:
		return fmt.Sprintf("The server at this address does not know the name %s. Set the name up there, or correct the host in the URL.", r.host)
	}
	if errors.Is(r.err, io.EOF) || errors.Is(r.err, syscall.ECONNRESET) {
		return fmt.Sprintf("%s cut the connection off during the TLS handshake. Check its certificate set-up, and firewalls in between.", r.host)
	}
	return fmt.Sprintf("The TLS handshake with %s failed. Check the TLS set-up of the receiver's server: versions, ciphers and certificate.", r.host)
}

// spoken writes a time as people say it.
func spoken(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
}

// clean makes a foreign text fit to be shown: valid, printable, at most limit
// characters long.
func clean(s string, limit int) string {
	s = s[:min(len(s), (limit+1)*utf8.UTFMax)]
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit]) + "…"
	}
	return cmp.Or(s, "(nothing readable)")
}
