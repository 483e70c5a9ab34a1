package delivery

// Class says in one word how an attempt ended. It is what the log, the metrics
// and the dead letter queue group by.
type Class string

// The classes of an attempt.
const (
	OK Class = "ok" // 2xx headers arrived in time

	// The receiver answered, but not with 2xx.
	Redirect    Class = "redirect"     // 3xx: never followed
	ClientError Class = "client_error" // 4xx but 429
	RateLimited Class = "rate_limited" // 429
	ServerError Class = "server_error" // 5xx
	BadStatus   Class = "bad_status"   // any other status code

	// The receiver could not be reached, or did not speak properly.
	DNSNotFound     Class = "dns_not_found"
	DNSFailure      Class = "dns_failure"
	ConnectRefused  Class = "connect_refused"
	ConnectTimeout  Class = "connect_timeout"
	Unreachable     Class = "unreachable"
	TLSExpired      Class = "tls_expired"
	TLSUntrusted    Class = "tls_untrusted"  // self-signed, or signed by an unknown authority
	TLSWrongHost    Class = "tls_wrong_host" // the certificate names another host
	TLSFailure      Class = "tls_failure"
	TLSTimeout      Class = "tls_timeout"
	SendTimeout     Class = "send_timeout"     // the request could not be written in time
	ResponseTimeout Class = "response_timeout" // no response headers in time
	Reset           Class = "connection_reset"
	Closed          Class = "connection_closed"
	ProtocolError   Class = "protocol_error"
	BlockedAddress  Class = "blocked_address"
	InvalidTarget   Class = "invalid_target" // the stored URL or headers cannot be sent

	// Our side. None of these uses up an attempt or counts against an endpoint.
	Interrupted  Class = "interrupted"   // this node was shutting down
	Unknown      Class = "unknown"       // the node that made the attempt died or lost its lease
	LocalNetwork Class = "local_network" // no route, no sockets, no resolver on this node
	LocalFault   Class = "local_fault"   // anything else that went wrong in this program
)

// Classes lists every class.
func Classes() []Class {
	return []Class{
		OK, Redirect, ClientError, RateLimited, ServerError, BadStatus,
		DNSNotFound, DNSFailure, ConnectRefused, ConnectTimeout, Unreachable,
		TLSExpired, TLSUntrusted, TLSWrongHost, TLSFailure, TLSTimeout,
		SendTimeout, ResponseTimeout, Reset, Closed, ProtocolError, BlockedAddress, InvalidTarget,
		Interrupted, Unknown, LocalNetwork, LocalFault,
	}
}

// Ours reports whether the failure is on our side: such an attempt uses up no
// step of the schedule and disables nobody (contract section 2).
func (c Class) Ours() bool {
	switch c {
	case Interrupted, Unknown, LocalNetwork, LocalFault:
		return true
	}
	return false
}

// MayHaveArrived reports whether the receiver may have got the request although
// the attempt does not say so. Only after such an attempt can a duplicate follow.
func (c Class) MayHaveArrived() bool {
	switch c {
	case SendTimeout, ResponseTimeout, Reset, Closed, ProtocolError, Interrupted, Unknown, LocalFault:
		return true
	}
	return false
}

// ClassOf gives the class of an HTTP status code that was answered in time.
func ClassOf(code int) Class {
	switch {
	case code >= 200 && code <= 299:
		return OK
	case code >= 300 && code <= 399:
		return Redirect
	case code == 429:
		return RateLimited
	case code >= 400 && code <= 499:
		return ClientError
	case code >= 500 && code <= 599:
		return ServerError
	}
	return BadStatus
}
