package compliancelayer_test

import (
	"fmt"
	"slices"
	"strings"
)

// waysOut are the names by which a program can reach another one, by import path. The
// empty path stands for methods of anything.
var waysOut = map[string][]string{
	"": {"ListenPacket"},
	"net": {
		"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer",
		"ListenUDP", "ListenPacket", "ListenIP", "ListenMulticastUDP", "FileConn", "FilePacketConn",
		// A question to DNS leaves the machine too.
		"Resolver", "DefaultResolver", "LookupHost", "LookupIP", "LookupAddr", "LookupCNAME", "LookupMX", "LookupNS", "LookupSRV", "LookupTXT",
		"ResolveTCPAddr", "ResolveUDPAddr", "ResolveIPAddr",
	},
	"net/http":   {"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm", "Client", "Transport"},
	"net/smtp":   {"Dial", "SendMail"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer", "Client"},
	"syscall": {
		"Socket", "Connect", "Sendto", "Sendmsg", "SendmsgN", "Syscall", "Syscall6", "RawSyscall", "RawSyscall6",
		"Exec", "ForkExec", "StartProcess",
	},
	"os": {"StartProcess"},
}

// detours are packages that reach out by themselves, or round every rule of this file.
var detours = []importBan{
	{
		packages: []string{"net/http/httputil", "net/http/cgi", "net/http/fcgi", "net/rpc", "log/syslog"},
		in:       []string{"..."},
		why:      "it connects by itself, past internal/egress",
	},
	{
		packages: []string{"os/exec"},
		in:       []string{"..."},
		except:   []string{"internal/pgtest", "internal/redistest", "internal/bench", "internal/crash", "scripts/...", "receiver/relay"},
		why:      "the program starts no other one: what that one connects to, nobody checks; but the one that an operator names in their own relay.yaml",
	},
	{
		packages: []string{"unsafe", "C", "plugin"},
		in:       []string{"..."},
		why:      "it reaches what the rules of this file cannot see",
	},
}

// foreign is a module, or a package of one, that is not ours.
type foreign struct {
	path string
	in   []string // nil means everywhere
	why  string
}

// modules of others that may be used outside of test files. Any other could bring a
// client of its own along; so a new one needs a line here, with what it is for. Packages
// of golang.org/x/net are named one by one, because some of them connect.
var modules = []foreign{
	{"github.com/alecthomas/kong", nil, "flags of the command line"},
	{"github.com/coreos/go-oidc/v3", []string{"internal/issuer"}, "OpenID Connect; it asks through the client that it is given, which is egress's"},
	{"github.com/gofrs/flock", nil, "one process a SQLite file"},
	{"github.com/google/go-cmp", []string{"internal/store/storetest"}, "the conformance suite compares"},
	{"github.com/google/uuid", nil, "ids of events"},
	{"github.com/jackc/pgx/v5", nil, "PostgreSQL; who may use it is in importBans"},
	{"github.com/jackc/puddle/v2", []string{"internal/store/sqlstore"}, "the errors of pgx's pool"},
	{"github.com/pressly/goose/v3", []string{"internal/store/sqlstore"}, "migrations"},
	{"github.com/prometheus/client_golang", []string{"internal/metrics", "receiver", "receiver/relay"}, "metrics, which are asked for and not sent"},
	{"github.com/santhosh-tekuri/jsonschema/v6", []string{"internal/catalog"}, "schemas; catalog keeps it from loading any by itself"},
	{"github.com/wneessen/go-mail", []string{"internal/mail"}, "speaks SMTP, over connections that egress makes"},
	{"github.com/redis/go-redis/v9", []string{"receiver/redisstore", "internal/redistest"}, "Redis; it connects by itself, to the operator's own server, as a database's driver does"},
	{"go.opentelemetry.io/otel", []string{"internal/telemetry"}, "spans"},
	{"go.opentelemetry.io/contrib/exporters/autoexport", []string{"internal/telemetry"}, "sends spans, to where the operator's environment says and nobody else can"},
	{"go.yaml.in/yaml/v4", nil, "the file of settings"},
	{"golang.org/x/net/http/httpguts", nil, "which headers can be sent"},
	{"golang.org/x/net/idna", nil, "international names"},
	{"golang.org/x/net/netutil", nil, "a bound of connections that come in"},
	{"golang.org/x/term", nil, "passwords on a terminal"},
	{"golang.org/x/crypto/argon2", []string{"internal/auth"}, "hashes of passwords"},
	{"golang.org/x/oauth2", []string{"internal/issuer"}, "the code flow below OpenID Connect, through the same client"},
	{"golang.org/x/time/rate", nil, "rates of endpoints"},
	{"modernc.org/sqlite", nil, "SQLite; who may use it is in importBans"},
}

func checkModules(tr tree) (violations []string) {
	for _, f := range tr.code() {
		for _, spec := range f.ast.Imports {
			target := importPath(spec)
			if !banned([]string{"."}, target) {
				continue
			}
			at := slices.IndexFunc(modules, func(m foreign) bool { return matches(m.path+"/...", target) })
			switch {
			case at < 0:
				violations = append(violations, fmt.Sprintf("%s: imports %s, which is not in the table of modules in arch_egress_test.go: it could bring a client of its own along; add a line that says what it is for", tr.at(spec.Pos()), target))
			case modules[at].in != nil && !matchesAny(modules[at].in, f.dir):
				violations = append(violations, fmt.Sprintf("%s: imports %s, which is only for %v: %s", tr.at(spec.Pos()), target, modules[at].in, modules[at].why))
			}
		}
	}
	return violations
}

// checkDisguises finds what would hide a use from the other rules.
func checkDisguises(tr tree) (violations []string) {
	for _, f := range tr.code() {
		for _, spec := range f.ast.Imports {
			if spec.Name != nil && spec.Name.Name == "." {
				violations = append(violations, fmt.Sprintf("%s: imports %s with a dot, so that nobody sees what is used of it", tr.at(spec.Pos()), importPath(spec)))
			}
		}
		for _, group := range f.ast.Comments {
			for _, comment := range group.List {
				if strings.HasPrefix(comment.Text, "//go:linkname") {
					violations = append(violations, fmt.Sprintf("%s: go:linkname uses what no rule can see", tr.at(comment.Pos())))
				}
			}
		}
	}
	return violations
}
