package egress

// Codes of an [Error]. They are stable: callers store and compare them.
const (
	CodeURL      = "bad_url"         // the text is not a URL that can be sent as it is saved
	CodeScheme   = "bad_scheme"      // neither https nor an http target that development mode opens
	CodeUserinfo = "userinfo"        // a user name or password before the host
	CodeHost     = "bad_host"        // the host is neither a domain name nor an address in its plain form
	CodeLocal    = "local_name"      // a name that only means something on a local network
	CodePort     = "bad_port"        // port 0, no number, or the port of another protocol
	CodeBlocked  = "blocked_address" // an address that the policy denies
)

// Error is a refusal by the policy. Everything but Detail is written for the
// owner of the endpoint and is safe to show to anybody.
type Error struct {
	Code    string // one of the Code constants
	Problem string // one sentence that names the problem
	Hint    string // one or two sentences that say what to do
	// Detail is for operators only: the resolved addresses and the rules that
	// deny them. A tenant who could read it would learn about the operator's
	// network, so it is not part of the message. It may be empty.
	Detail string
}

// Error returns Problem and Hint, never Detail.
func (e *Error) Error() string {
	return e.Problem + " " + e.Hint
}
