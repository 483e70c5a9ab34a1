package send

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"syscall"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// errOutOfTime is the cause with which the clock of an attempt ends it.
var errOutOfTime = errors.New("the time for the attempt is over")

// classify gives the class of an exchange that ended without an answer. It goes
// by the types of errors and by how far the exchange had come. An interruption
// by the caller is not its business.
func classify(err error, reached phase) delivery.Class {
	var refusal *egress.Error
	if errors.As(err, &refusal) {
		return refusalClass(refusal)
	}
	if timedOut(err) {
		return timeoutClass(reached)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dnsClass(dns)
	}
	if class, ok := tlsClass(err, reached); ok {
		return class
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && reached != handshaking {
		return errnoClass(errno, err, reached)
	}
	return phaseClass(err, reached)
}

func refusalClass(e *egress.Error) delivery.Class {
	if e.Code == egress.CodeBlocked || e.Code == egress.CodeLocal {
		return delivery.BlockedAddress
	}
	return delivery.InvalidTarget
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, errOutOfTime) || errors.As(err, &timeout) && timeout.Timeout() // as context.DeadlineExceeded is
}

func timeoutClass(reached phase) delivery.Class {
	switch reached {
	case starting:
		return delivery.LocalFault // nothing was even tried: this node has no time left over
	case resolving:
		return delivery.DNSFailure
	case connecting:
		return delivery.ConnectTimeout
	case handshaking:
		return delivery.TLSTimeout
	case sending:
		return delivery.SendTimeout
	}
	return delivery.ResponseTimeout
}

// servfail is how Go's resolver words an answer that is a failure of the name's
// own servers. It sets IsTemporary on it and on failures to reach our resolver,
// and keeps the cause of neither; so here a text has to decide.
const servfail = "server misbehaving"

func dnsClass(e *net.DNSError) delivery.Class {
	switch {
	case e.IsNotFound:
		return delivery.DNSNotFound
	case e.IsTemporary && e.Err != servfail:
		return delivery.LocalNetwork // the resolver of this node could not be asked
	}
	return delivery.DNSFailure
}

func tlsClass(err error, reached phase) (delivery.Class, bool) {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var roots x509.SystemRootsError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired: // also: not yet valid
		return delivery.TLSExpired, true
	case errors.As(err, &authority):
		return delivery.TLSUntrusted, true
	case errors.As(err, &host):
		return delivery.TLSWrongHost, true
	case errors.As(err, &roots):
		return delivery.LocalFault, true // this node has no list of authorities
	}
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	alert := errors.As(err, &op) && (op.Op == remoteAlert || op.Op == localAlert)
	switch {
	case !alert && !errors.As(err, &verification) && !errors.As(err, &record):
		return "", false
	case reached < sending:
		return delivery.TLSFailure, true
	}
	return brokenTLS(err, reached), true
}

// brokenTLS gives the class of TLS that broke down after the handshake, when the
// request may have arrived. It has not when the receiver wants a certificate of ours:
// over TLS 1.3 it says so after the handshake, and before it reads anything.
func brokenTLS(err error, reached phase) delivery.Class {
	switch alertCode(err) {
	case noAlert:
		return delivery.ProtocolError // it was us who could not read what came
	case alertBadCertificate, alertCertificateUnknown, alertUnknownCA, alertAccessDenied, alertCertificateRequired:
		if reached < answering {
			return delivery.TLSFailure
		}
	}
	return delivery.Reset
}

// How crypto/tls names an alert in a net.OpError: one that came, or one it sent.
const (
	remoteAlert = "remote error"
	localAlert  = "local error"
)

// alertCode gives the number of the TLS alert that the receiver sent (RFC 8446
// section 6), or noAlert. Its type is private to crypto/tls, but it is a plain number.
func alertCode(err error) uint64 {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != remoteAlert {
		return noAlert
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return v.Uint()
	}
	return noAlert
}

func errnoClass(errno syscall.Errno, err error, reached phase) delivery.Class {
	if reached >= sending {
		return delivery.Reset // however the connection was lost, the request may have arrived
	}
	switch errno {
	case syscall.ECONNREFUSED:
		return delivery.ConnectRefused
	case syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED:
		return delivery.Reset
	}
	if saidByNetwork(errno) || noIPv6(err) {
		return delivery.Unreachable
	}
	// No route, no sockets or ports left, no memory, a local firewall ...
	return delivery.LocalNetwork
}

// noIPv6 reports whether a connection failed because this machine has no IPv6, as
// many have none. A receiver that has nothing else will never be reached from
// here; to retry it for ever helps nobody.
func noIPv6(err error) bool {
	missing := errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
	return missing && overIPv6(err)
}

func overIPv6(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) {
		return false
	}
	addr, ok := op.Addr.(*net.TCPAddr)
	return ok && addr.IP.To4() == nil
}

// phaseClass is for errors that say nothing by their type.
func phaseClass(err error, reached phase) delivery.Class {
	switch reached {
	case starting:
		return delivery.LocalFault
	case resolving:
		return delivery.DNSFailure
	case connecting:
		return delivery.Unreachable
	case handshaking:
		return delivery.TLSFailure
	}
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	var stream streamError
	isStream := errors.As(err, &stream)
	switch {
	case reached == answering && !ended, badFrames(err), isStream && !stream.byReceiver():
		return delivery.ProtocolError // what came could not be read as an answer
	case isStream:
		return delivery.Reset
	}
	return delivery.Closed
}

// streamError has the shape of the error that net/http gives when one stream of
// an HTTP/2 connection was reset: its own type is private, and it converts
// itself to any type with these fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "stream error" }

// byReceiver reports whether the receiver has reset the stream. Otherwise it was us, over
// what it sent.
func (e streamError) byReceiver() bool {
	return e.Cause != nil && e.Cause.Error() == "received from peer"
}

// badFrames reports whether an HTTP/2 connection broke down over what the
// receiver sent. net/http keeps these types private too, so their texts decide.
func badFrames(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "connection error: ") || strings.HasPrefix(text, "http2: failed reading the frame") ||
		text == "http2: frame too large"
}

// notProcessed reports whether an HTTP/2 receiver said that it did not process the
// request: it refused the stream, or went away and named an earlier stream as its last
// (RFC 9113, sections 8.7 and 6.8). net/http says so by words alone, because it would
// repeat the request itself if the body could be rewound; so they must fit exactly. It
// would also repeat one that was reset for a protocol error, which proves nothing.
func notProcessed(err error) bool {
	cause, isRetry := strings.CutPrefix(err.Error(), "http2: Transport: cannot retry err [")
	cause, isWhole := strings.CutSuffix(cause, "] after Request.Body was written; define Request.GetBody to avoid this error")
	refused := strings.HasPrefix(cause, "stream error: stream ID ") && strings.HasSuffix(cause, "; REFUSED_STREAM; received from peer")
	return isRetry && isWhole && (refused || cause == "http2: Transport received Server's graceful shutdown GOAWAY")
}
