// Package compliancelayer_test holds the project against its own plan: who may
// import whom, who may open connections, what must be documented, and how long a
// file or a function may get. It reads the source and runs none of it.
//
// A failure says which rule was broken, where, and why the rule exists. If the
// plan itself should change, change the tables here in the same commit and write
// the reason beside the new line.
package compliancelayer_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/compliancelayer/compliancelayer/"

// Limits of rule (e). A file has one idea and a function fits on a screen; more
// is a sign of two things in one place.
const (
	maxFileLines     = 500
	maxFunctionLines = 80
)

// room is a package of this project and what it may import of the others, test
// files aside. A path that ends in "/..." is a package with all below it.
type room struct {
	path string
	may  []string
	why  string
}

// rooms reads from the ground up: a package may only import packages from lines
// above its own (TestTheTableItselfRunsOneWay), so there is no way round.
var rooms = []room{
	{"webhook", nil, "public: other people's programs import it, so it brings nothing along"},
	{"webhook/webhooktest", []string{"webhook"}, "public: signs test events for other people's receivers, no more"},
	{"client", []string{"webhook"}, "public: the wire types and the HTTP client, without the server"},

	{"internal/nearest", nil, "finds what somebody meant to write, among names that it is given"},
	{"internal/delivery", nil, "the rules are pure, so they can be tested over their whole domain"},
	{"internal/catalog", nil, "event types, schemas and samples are facts that depend on nothing"},
	{"internal/seal", nil, "encryption knows bytes and keys, not what they are for"},
	{"internal/egress", nil, "the one way out is easier to trust when it knows nobody"},
	{"internal/pgtest", nil, "a database server for tests knows nothing of what is stored in it"},
	{"internal/redistest", nil, "a Redis for tests knows nothing of what is kept in it"},
	{"internal/longlog", nil, "fills tables for tests of what is read from them; it knows the tables and no rule"},
	{"internal/evidence", nil, "what a test found out is numbers and words"},
	{"internal/failpoint", nil, "whoever takes a step at which the program may die names it here; in the released program nothing of it is left"},

	{"receiver/...", []string{"webhook", "receiver/...", "internal/egress", "internal/nearest"}, "public: runs in other people's programs; its calls to Slack and others leave through egress"},
	{"scan/...", []string{"internal/egress", "scan/..."}, "public: the scanner works without the server; its probes leave through egress"},

	{"internal/store", []string{"internal/delivery"}, "the contract of the store speaks of deliveries, not of SQL"},
	{"internal/feed", []string{"internal/delivery", "internal/store"}, "passes on what happens to whoever reads along; it knows neither the API nor the dashboard"},
	{"internal/metrics", []string{"internal/delivery", "internal/store"}, "counts outcomes and asks the store for depths"},
	{"internal/send", []string{"webhook", "internal/delivery", "internal/egress", "internal/seal", "internal/metrics", "internal/failpoint"}, "puts one attempt on the wire and decides nothing, so it knows no store"},
	{"internal/telemetry", []string{"internal/delivery", "internal/send"}, "puts a span around what makes attempts"},
	{"internal/mail", []string{"internal/delivery", "internal/egress", "internal/store"}, "puts the outbox into letters and hands them to the mail server, through egress; what is worth telling it does not decide"},
	{"internal/mail/mailtest", nil, "a mail server for tests knows nothing of what it is sent"},
	{"internal/auth", []string{"internal/delivery", "internal/store", "internal/seal"}, "who is calling; it knows accounts and keys, not HTTP"},

	{"internal/store/storetest", []string{"internal/delivery", "internal/store"}, "the same cases for any store, so it knows none of them"},
	{"internal/store/sqlstore", []string{"internal/delivery", "internal/catalog", "internal/store", "internal/failpoint"}, "the only SQL; it keeps rows and applies the rules of delivery; which events are operational, catalog says"},
	{"internal/publish", []string{"webhook", "internal/nearest", "internal/delivery", "internal/catalog", "internal/store", "internal/metrics", "internal/telemetry", "internal/failpoint"}, "accepts events through the store and sends nothing itself"},
	{"internal/dispatch", []string{"webhook", "internal/delivery", "internal/catalog", "internal/egress", "internal/store", "internal/seal", "internal/send", "internal/metrics", "internal/telemetry", "internal/failpoint"}, "the loop: claim, send, decide, record; it accepts nothing itself; which attempts are of operational events, catalog says"},

	{"internal/watch", []string{"internal/delivery", "internal/store"}, "the loop that judges endpoints by the rules; what it finds it leaves as alerts and notices, and tells nobody itself"},
	{"internal/notify", []string{"internal/delivery", "internal/catalog", "internal/egress", "internal/store", "internal/mail", "internal/publish", "internal/telemetry", "internal/failpoint"}, "tells people, by mail and by operational events"},
	{"internal/manage", []string{"webhook", "internal/nearest", "internal/delivery", "internal/catalog", "internal/egress", "internal/seal", "internal/store", "internal/mail", "internal/auth", "internal/send", "internal/publish", "internal/dispatch", "internal/metrics", "internal/telemetry"}, "every operation but publish, with its scope and its audit row, below the API and the dashboard alike"},
	{"internal/monitor", []string{"scan/...", "internal/delivery", "internal/catalog", "internal/store", "internal/publish"}, "domains, schedule and alert rules; what they find is published as any event"},

	{"internal/issuer", []string{"internal/seal"}, "who somebody is to an issuer of OpenID Connect; who they are here, it does not know"},

	{"internal/api", []string{"client", "webhook", "internal/nearest", "internal/delivery", "internal/catalog", "internal/store", "internal/auth", "internal/publish", "internal/manage", "internal/monitor", "internal/feed", "internal/metrics", "internal/telemetry", "internal/failpoint"}, "parses, calls manage or publish, renders; never imports web"},
	{"internal/web", []string{"webhook", "internal/delivery", "internal/catalog", "internal/store", "internal/auth", "internal/publish", "internal/manage", "internal/monitor", "internal/feed", "internal/issuer", "internal/metrics", "internal/telemetry"}, "parses, calls manage or publish, renders; never imports api"},

	{"internal/door", nil, "it knows HTTP and not what is called by it"},

	{"internal/app", []string{
		"internal/door",
		"webhook", "scan/...", "internal/delivery", "internal/catalog", "internal/seal", "internal/egress", "internal/telemetry",
		"internal/store", "internal/metrics", "internal/mail", "internal/send", "internal/auth", "internal/store/sqlstore", "internal/publish",
		"internal/failpoint", "internal/feed", "internal/dispatch", "internal/watch", "internal/notify", "internal/manage", "internal/monitor", "internal/issuer", "internal/api", "internal/web",
	}, "wires it all, and is the only one to choose a store"},

	{"internal/bench", []string{"webhook", "client", "receiver/...", "internal/delivery", "internal/egress", "internal/pgtest", "internal/app"}, "measures the program from outside"},
	{"internal/model", nil, "drives the engine beside a model in its tests, and has nothing else"},
	{"internal/crash", []string{"webhook", "client", "receiver/...", "internal/delivery", "internal/egress", "internal/pgtest", "internal/evidence", "internal/app", "internal/failpoint"}, "kills the program from outside and counts through its API"},
	{"internal/apifuzz", []string{"client", "internal/delivery", "internal/pgtest", "internal/evidence", "internal/app"}, "asks the program what nobody wrote, through its API"},
	{"cmd/compliancelayer", []string{"internal/nearest", "webhook", "client", "receiver/...", "scan/...", "internal/delivery", "internal/catalog", "internal/egress", "internal/telemetry", "internal/app"}, "parses the command line; what it does, app or client does"},
	{"scripts/...", nil, "tools of the build know nothing of the program"},
}

// importBan says that packages may not be imported.
type importBan struct {
	packages []string // with all packages below them
	in       []string // rooms it holds for, test files aside; empty means all, test files too
	except   []string // rooms it does not hold for
	why      string
}

var importBans = []importBan{
	{
		packages: []string{
			"github.com/jackc/pgx", "github.com/lib/pq", "github.com/mattn/go-sqlite3", "github.com/ncruces/go-sqlite3",
			"github.com/redis/go-redis", "modernc.org/sqlite", "zombiezen.com/go/sqlite",
		},
		except: []string{"internal/store/sqlstore", "internal/pgtest", "internal/redistest", "internal/longlog", "internal/bench", "receiver/..."},
		why:    "only sqlstore, the receiver's stores, pgtest and redistest know a database driver, and longlog and bench, which fill tables with millions of rows; everybody else speaks the store's verbs",
	},
	{
		packages: []string{"context", "crypto/rand", "database/sql", "io", "log", "math/rand", "net", "os"},
		in:       []string{"internal/delivery"},
		why:      "delivery is pure: no I/O, clock, chance or log, so that what it decides depends on its arguments alone",
	},
	{
		packages: []string{"."}, // every module that is not ours: see banned
		in:       []string{"webhook", "webhook/webhooktest"},
		why:      "webhook is public and uses the standard library only, so that it costs nobody a dependency",
	},
}

// nameBan says that names of a package may not be used outside of test files.
type nameBan struct {
	names  map[string][]string // by import path
	in     []string            // rooms it holds for; empty means all
	except map[string]string   // rooms it does not hold for, each with its reason
	why    string
}

var nameBans = []nameBan{
	{
		names: waysOut,
		except: map[string]string{
			"internal/egress":     "it is the one way out",
			"client":              "it talks to the server itself, at the address its user gives, from the user's machine",
			"cmd/compliancelayer": "its commands talk to the server itself, as client does",
			"webhook/webhooktest": "it posts to the receiver under test in other people's programs, which have no egress",
			"internal/bench":      "it plays the publishers and is itself the bare client that the program is measured against",
			"internal/crash":      "it plays the publishers that talk to the server itself",
		},
		why: "every outgoing connection goes through internal/egress, which checks the address when it dials; anything else is a way into the network behind us",
	},
	{
		names: map[string][]string{"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}},
		in:    []string{"internal/delivery"},
		why:   "delivery reads no clock: time is a parameter",
	},
}

// pointerTypes may be mentioned as pointers: to take a ready-made client as a
// parameter is not to make one.
var pointerTypes = []string{"Client", "Transport", "Dialer"}

// The words that stand for unfinished work, put together here so that this file
// does not contain them.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b|\b[Nn]ot (yet )?imple` + `mented\b`)

// readable are the endings of the files that people write.
var readable = []string{".go", ".md", ".html", ".css", ".js", ".sql", ".sh", ".yml", ".yaml", ".txtar", ".json", "Makefile"}

// rules are all rules by name. A check returns one sentence for each place where
// its rule is broken.
var rules = []struct {
	name  string
	check func(tree) []string
}{
	{"imports run one way", checkEdges},
	{"banned imports", checkImportBans},
	{"banned names", checkNameBans},
	{"modules", checkModules},
	{"disguises", checkDisguises},
	{"package comments", checkPackageComments},
	{"doc comments", checkDocComments},
	{"nothing unfinished", checkUnfinished},
	{"sizes", checkSizes},
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	project := readTree(t, os.DirFS("."))
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for _, violation := range rule.check(project) {
				t.Error(violation)
			}
		})
	}
}

func TestTheTableItselfRunsOneWay(t *testing.T) {
	t.Parallel()
	for i, r := range rooms {
		if r.why == "" {
			t.Errorf("%s has no reason", r.path)
		}
		for _, target := range r.may {
			at := slices.IndexFunc(rooms, func(other room) bool { return other.path == target })
			if at < 0 || at > i || (at == i && !strings.HasSuffix(target, "/...")) {
				t.Errorf("%s may import %s, which is not on a line above it", r.path, target)
			}
		}
	}
}

// tree is the source of a project.
type tree struct {
	fset  *token.FileSet
	files []source          // Go files, in the order of their paths
	texts map[string]string // all readable files by path
}

type source struct {
	path, dir string
	test      bool // a _test.go file
	ast       *ast.File
}

// readTree reads the readable files and parses the Go files among them. Hidden
// folders and other modules (tools) are not part of the project, and what lies
// in testdata is not its Go code.
func readTree(t *testing.T, project fs.FS) tree {
	t.Helper()
	result := tree{fset: token.NewFileSet(), texts: map[string]string{}}
	err := fs.WalkDir(project, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if foreign := slices.Contains([]string{"tools", "bin", "vendor", "examples"}, name); foreign || (name != "." && strings.HasPrefix(entry.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		// htmx is somebody else's file, embedded as it is.
		if !slices.ContainsFunc(readable, func(end string) bool { return strings.HasSuffix(name, end) }) || strings.HasPrefix(entry.Name(), "htmx") {
			return nil
		}
		content, err := fs.ReadFile(project, name)
		if err != nil {
			return err
		}
		result.texts[name] = string(content)
		if !strings.HasSuffix(name, ".go") || strings.Contains("/"+name, "/testdata/") {
			return nil
		}
		file, err := parser.ParseFile(result.fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		result.files = append(result.files, source{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), ast: file})
		return nil
	})
	if err != nil {
		t.Fatalf("read the source: %v", err)
	}
	return result
}

// code returns the Go files that end up in the program.
func (tr tree) code() []source {
	return slices.DeleteFunc(slices.Clone(tr.files), func(f source) bool { return f.test })
}

// at returns a position as file:line.
func (tr tree) at(pos token.Pos) string {
	p := tr.fset.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// matches reports whether the package pkg is meant by pattern; "..." means all of ours.
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	base, below := strings.CutSuffix(pattern, "/...")
	return pkg == base || (below && strings.HasPrefix(pkg, base+"/"))
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, pkg) })
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, `"`) }

func checkEdges(tr tree) (violations []string) {
	unknown := map[string]bool{}
	for _, f := range tr.code() {
		at := slices.IndexFunc(rooms, func(r room) bool { return matches(r.path, f.dir) })
		if at < 0 {
			if !unknown[f.dir] {
				unknown[f.dir] = true
				violations = append(violations, fmt.Sprintf("%s: the package %s is not in the table of rooms in arch_test.go: add a line that says what it may import and why", f.path, f.dir))
			}
			continue
		}
		r := rooms[at]
		for _, spec := range f.ast.Imports {
			target, ours := strings.CutPrefix(importPath(spec), module)
			if ours && !matchesAny(r.may, target) {
				violations = append(violations, fmt.Sprintf("%s: %s imports %s, but may import of ours only %v: %s", tr.at(spec.Pos()), f.dir, target, r.may, r.why))
			}
		}
	}
	return violations
}

func checkImportBans(tr tree) (violations []string) {
	for _, f := range tr.files {
		for _, ban := range slices.Concat(importBans, detours) {
			holds := ban.in == nil || (matchesAny(ban.in, f.dir) && !f.test)
			if !holds || matchesAny(ban.except, f.dir) {
				continue
			}
			for _, spec := range f.ast.Imports {
				if banned(ban.packages, importPath(spec)) {
					violations = append(violations, fmt.Sprintf("%s: imports %s: %s", tr.at(spec.Pos()), importPath(spec), ban.why))
				}
			}
		}
	}
	return violations
}

// banned reports whether the import target lies in one of packages. The entry
// "." stands for everything that is neither ours nor the standard library's.
func banned(packages []string, target string) bool {
	return slices.ContainsFunc(packages, func(pkg string) bool {
		if pkg == "." {
			host, _, _ := strings.Cut(target, "/")
			return strings.Contains(host, ".") && !strings.HasPrefix(target, module)
		}
		return matches(pkg+"/...", target)
	})
}

func checkNameBans(tr tree) (violations []string) {
	for _, f := range tr.code() {
		for _, ban := range nameBans {
			if _, excepted := ban.except[f.dir]; excepted || (ban.in != nil && !matchesAny(ban.in, f.dir)) {
				continue
			}
			for _, use := range bannedUses(f.ast, ban.names) {
				violations = append(violations, fmt.Sprintf("%s: uses %s.%s: %s", tr.at(use.Pos()), types.ExprString(use.X), use.Sel, ban.why))
			}
		}
	}
	return violations
}

// bannedUses finds the uses of the given names, by import path, in a file.
func bannedUses(file *ast.File, names map[string][]string) (uses []*ast.SelectorExpr) {
	local := map[string][]string{} // the names by what the file calls the package
	for _, spec := range file.Imports {
		called := path.Base(importPath(spec))
		if spec.Name != nil {
			called = spec.Name.Name
		}
		if list, ok := names[importPath(spec)]; ok {
			local[called] = list
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if star, ok := node.(*ast.StarExpr); ok {
			selector, ok := star.X.(*ast.SelectorExpr)
			return !ok || !slices.Contains(pointerTypes, selector.Sel.Name)
		}
		if selector, ok := node.(*ast.SelectorExpr); ok {
			x, isName := selector.X.(*ast.Ident)
			if slices.Contains(names[""], selector.Sel.Name) || isName && slices.Contains(local[x.Name], selector.Sel.Name) {
				uses = append(uses, selector)
			}
		}
		return true
	})
	return uses
}

func checkPackageComments(tr tree) (violations []string) {
	shipped := map[string]bool{} // packages with files other than tests
	for _, f := range tr.code() {
		shipped[f.dir] = true
	}
	commented := map[string]bool{}
	for _, f := range tr.files {
		explains := f.ast.Doc != nil && strings.TrimSpace(f.ast.Doc.Text()) != "" && (!f.test || !shipped[f.dir])
		commented[f.dir] = commented[f.dir] || explains
	}
	for _, f := range tr.files {
		if !commented[f.dir] {
			commented[f.dir] = true // one complaint a package
			violations = append(violations, fmt.Sprintf("%s: no file of this package has a package comment: it says what the package is for, what it never does and where it sits in the flow", f.dir))
		}
	}
	return violations
}

func checkDocComments(tr tree) (violations []string) {
	for _, f := range tr.code() {
		if f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, name := range undocumented(decl) {
				violations = append(violations, fmt.Sprintf("%s: %s has no doc comment: what is exported says its meaning, units, limits and errors", tr.at(name.Pos()), name))
			}
		}
	}
	return violations
}

// undocumented returns the exported names that decl declares without a word.
func undocumented(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiverType(d))) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec: // one comment may explain a group of values
				if d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, slices.DeleteFunc(slices.Clone(s.Names), func(n *ast.Ident) bool { return !n.IsExported() })...)
				}
			}
		}
	}
	return names
}

// receiverType returns the name of the type that a method belongs to.
func receiverType(method *ast.FuncDecl) (name string) {
	ast.Inspect(method.Recv.List[0].Type, func(node ast.Node) bool {
		if id, ok := node.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}

func checkUnfinished(tr tree) (violations []string) {
	for name, text := range tr.texts {
		for i, line := range strings.Split(text, "\n") {
			if word := unfinished.FindString(line); word != "" {
				violations = append(violations, fmt.Sprintf("%s:%d: says %q: finish it, or leave it out and write down what is missing where users look", name, i+1, word))
			}
		}
	}
	slices.Sort(violations)
	return violations
}

func checkSizes(tr tree) (violations []string) {
	for _, f := range tr.code() {
		if ast.IsGenerated(f.ast) {
			continue
		}
		if lines := strings.Count(tr.texts[f.path], "\n"); lines > maxFileLines {
			violations = append(violations, fmt.Sprintf("%s: %d lines, at most %d: a file is one idea, so this one can be split", f.path, lines, maxFileLines))
		}
		for _, decl := range f.ast.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := tr.fset.Position(function.End()).Line - tr.fset.Position(function.Pos()).Line + 1; lines > maxFunctionLines {
				violations = append(violations, fmt.Sprintf("%s: %s has %d lines, at most %d: make it a list of named steps", tr.at(function.Name.Pos()), function.Name, lines, maxFunctionLines))
			}
		}
	}
	return violations
}

// TestTheRulesBite breaks every rule once and each rule's exceptions not at all.
func TestTheRulesBite(t *testing.T) {
	t.Parallel()
	const doc = "// Package p is for this test.\n"
	tests := []struct {
		name string
		file string
		text string
		want map[string]string // rule → part of its sentence; other rules are silent
	}{
		{"a leaf imports ours", "internal/delivery/a.go", doc + "package delivery\nimport _ \"" + module + "internal/store\"", map[string]string{"imports run one way": "internal/delivery/a.go:3: internal/delivery imports internal/store"}},
		{"api imports web", "internal/api/a.go", doc + "package api\nimport _ \"" + module + "internal/web\"", map[string]string{"imports run one way": "never imports web"}},
		{"cmd imports sqlstore", "cmd/compliancelayer/a.go", doc + "package main\nimport _ \"" + module + "internal/store/sqlstore\"", map[string]string{"imports run one way": "internal/store/sqlstore"}},
		{"app imports sqlstore", "internal/app/a.go", doc + "package app\nimport _ \"" + module + "internal/store/sqlstore\"", nil},
		{"a part of the receiver kit imports the kit", "receiver/slack/a.go", doc + "package slack\nimport _ \"" + module + "receiver\"", nil},
		{"a package nobody planned", "internal/util/a.go", doc + "package util", map[string]string{"imports run one way": "not in the table"}},
		{"a test imports what its package may not", "internal/send/a_test.go", doc + "package send\nimport _ \"" + module + "internal/app\"", nil},
		{"a driver in the wrong place", "internal/api/a.go", doc + "package api\nimport _ \"github.com/jackc/pgx/v5\"", map[string]string{"banned imports": "database driver"}},
		{"a driver in the wrong test", "internal/api/a_test.go", doc + "package api\nimport _ \"modernc.org/sqlite\"", map[string]string{"banned imports": "database driver"}},
		{"a driver of the receiver's store", "receiver/inbox/a.go", doc + "package inbox\nimport _ \"modernc.org/sqlite\"", nil},
		{"delivery logs", "internal/delivery/a.go", doc + "package delivery\nimport _ \"log/slog\"", map[string]string{"banned imports": "delivery is pure"}},
		{"a test of delivery logs", "internal/delivery/a_test.go", doc + "package delivery\nimport _ \"log/slog\"", nil},
		{"delivery reads the clock", "internal/delivery/a.go", doc + "package delivery\nimport \"time\"\nvar now = time.Now()", map[string]string{"banned names": "a.go:4: uses time.Now"}},
		{"webhook needs a module", "webhook/a.go", doc + "package webhook\nimport _ \"github.com/google/uuid\"", map[string]string{"banned imports": "standard library only"}},
		{"a client of one's own", "internal/send/a.go", doc + "package send\nimport \"net/http\"\nvar c = &http.Client{}", map[string]string{"banned names": "internal/send/a.go:4: uses http.Client: every outgoing connection"}},
		{"a client by value", "internal/send/a.go", doc + "package send\nimport \"net/http\"\nvar c http.Client", map[string]string{"banned names": "http.Client"}},
		{"the default client under another name", "internal/send/a.go", doc + "package send\nimport h \"net/http\"\nvar c = h.DefaultClient", map[string]string{"banned names": "h.DefaultClient"}},
		{"a dial", "scan/a.go", doc + "package scan\nimport \"net\"\nvar dial = net.DialTimeout", map[string]string{"banned names": "net.DialTimeout"}},
		{"a socket that can send to anyone", "internal/send/a.go", doc + "package send\nimport \"net\"\nvar c, _ = net.ListenUDP(\"udp\", nil)", map[string]string{"banned names": "net.ListenUDP"}},
		{"a socket that can send to anyone, by a method", "internal/send/a.go", doc + "package send\nimport \"net\"\nvar lc net.ListenConfig\nvar c, _ = lc.ListenPacket(nil, \"udp\", \"\")", map[string]string{"banned names": "lc.ListenPacket"}},
		{"a question to DNS", "internal/manage/a.go", doc + "package manage\nimport \"net\"\nvar look = net.LookupHost", map[string]string{"banned names": "net.LookupHost"}},
		{"a connect of the kernel", "internal/app/a.go", doc + "package app\nimport \"syscall\"\nvar connect = syscall.Connect", map[string]string{"banned names": "syscall.Connect"}},
		{"a call of the kernel by number", "internal/app/a.go", doc + "package app\nimport \"syscall\"\nfunc f() { syscall.RawSyscall(42, 0, 0, 0) }", map[string]string{"banned names": "syscall.RawSyscall"}},
		{"TLS over a connection of one's own", "internal/notify/a.go", doc + "package notify\nimport \"crypto/tls\"\nvar over = tls.Client", map[string]string{"banned names": "tls.Client"}},
		{"a connection made of a file", "internal/notify/a.go", doc + "package notify\nimport \"net\"\nvar conn = net.FileConn", map[string]string{"banned names": "net.FileConn"}},
		{"a client made new", "internal/notify/a.go", doc + "package notify\nimport \"net/http\"\nvar c = new(http.Client)", map[string]string{"banned names": "http.Client"}},
		{"a client of another module", "internal/notify/a.go", doc + "package notify\nimport \"github.com/valyala/fasthttp\"\nvar c fasthttp.Client", map[string]string{"modules": "fasthttp, which is not in the table"}},
		{"the client of a module that is known by another part", "internal/notify/a.go", doc + "package notify\nimport _ \"golang.org/x/net/http2\"", map[string]string{"modules": "golang.org/x/net/http2, which is not in the table"}},
		{"a module in the wrong place", "internal/api/a.go", doc + "package api\nimport _ \"go.opentelemetry.io/contrib/exporters/autoexport\"", map[string]string{"modules": "only for [internal/telemetry]"}},
		{"a proxy", "internal/api/a.go", doc + "package api\nimport _ \"net/http/httputil\"", map[string]string{"banned imports": "connects by itself"}},
		{"curl", "internal/monitor/a.go", doc + "package monitor\nimport \"os/exec\"\nvar curl = exec.Command(\"curl\")", map[string]string{"banned imports": "starts no other one"}},
		{"curl by another door", "internal/monitor/a.go", doc + "package monitor\nimport \"os\"\nvar start = os.StartProcess", map[string]string{"banned names": "os.StartProcess"}},
		{"a database server for tests is started", "internal/pgtest/a.go", doc + "package pgtest\nimport _ \"os/exec\"", nil},
		{"a dial behind a dot", "internal/api/a.go", doc + "package api\nimport . \"net\"\nvar dial = Dial", map[string]string{"disguises": "imports net with a dot"}},
		{"a dial by its link name", "internal/api/a.go", doc + "package api\nimport _ \"unsafe\"\n//go:linkname dial net.Dial\nfunc dial()", map[string]string{"disguises": "go:linkname", "banned imports": "cannot see"}},
		{"a client that is handed in", "internal/send/a.go", doc + "package send\nimport \"net/http\"\nfunc f(c *http.Client) {}", nil},
		{"the command line talks to the server", "cmd/compliancelayer/a.go", doc + "package main\nimport \"net/http\"\nvar c = &http.Client{}", nil},
		{"a test dials", "internal/send/a_test.go", doc + "package send\nimport \"net\"\nvar dial = net.Dial", nil},
		{"no package comment", "internal/seal/a.go", "package seal", map[string]string{"package comments": "internal/seal"}},
		{"no package comment on a command", "cmd/compliancelayer/a.go", "package main", map[string]string{"package comments": "cmd/compliancelayer"}},
		{"a bare function", "internal/seal/a.go", doc + "package seal\nfunc Open() {}", map[string]string{"doc comments": "a.go:3: Open"}},
		{"a bare method", "internal/seal/a.go", doc + "package seal\n// Box is one.\ntype Box[T any] struct{}\nfunc (b *Box[T]) Open() {}", map[string]string{"doc comments": "Open"}},
		{"a bare type in a group", "internal/seal/a.go", doc + "package seal\n// Types.\ntype (\nBox int\n)", map[string]string{"doc comments": "Box"}},
		{"a bare constant", "internal/seal/a.go", doc + "package seal\nconst Size = 1", map[string]string{"doc comments": "Size"}},
		{"what needs no comment", "internal/seal/a.go", doc + "package seal\n// Sizes in bytes.\nconst (\nSmall = 1\nBig = 2\n)\ntype box int\nfunc (box) Open() {}\nfunc f() {}", nil},
		{"unfinished work", "docs/a.md", "one\ntwo TO" + "DO three", map[string]string{"nothing unfinished": "docs/a.md:2"}},
		{"unfinished code", "internal/seal/a.go", doc + "package seal\nvar s = \"not imple" + "mented\"", map[string]string{"nothing unfinished": "a.go:3"}},
		{"a long file", "internal/seal/a.go", doc + "package seal\n" + strings.Repeat("\n", maxFileLines), map[string]string{"sizes": "502 lines, at most 500"}},
		{"a long function", "internal/seal/a.go", doc + "package seal\nfunc f() {\n" + strings.Repeat("\n", maxFunctionLines) + "}", map[string]string{"sizes": "f has 82 lines, at most 80"}},
		{"a long test", "internal/seal/a_test.go", doc + "package seal\nfunc f() {\n" + strings.Repeat("\n", maxFileLines) + "}", nil},
		{"a long generated file", "internal/seal/a.go", "// Code generated by a program. DO NOT EDIT.\n\n" + doc + "package seal\n" + strings.Repeat("\n", maxFileLines), nil},
		{"other modules and test data", "tools/a.go", "package tools", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			project := readTree(t, fstest.MapFS{tt.file: {Data: []byte(tt.text)}})
			for _, rule := range rules {
				got := strings.Join(rule.check(project), "\n")
				if want := tt.want[rule.name]; (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("rule %q says %q, want %q in it (empty: nothing at all)", rule.name, got, want)
				}
			}
		})
	}
}
