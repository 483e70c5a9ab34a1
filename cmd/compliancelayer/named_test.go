package main

import (
	"bytes"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// top is the folder of the repository.
const top = "../.."

// A message named a flag that was no setting. Whatever texts and documents tell people to
// type must be there.
func TestWhatTextsNameExists(t *testing.T) {
	t.Parallel()
	g := newNames(t)
	for where, text := range texts(t) {
		for _, wrong := range g.unknown(text) {
			t.Errorf("%s names %s", where, wrong)
		}
	}
}

func TestNamesThatDoNotExistAreFound(t *testing.T) {
	t.Parallel()
	g := newNames(t)
	tests := []struct{ text, want string }{
		{"start it with --secret-file", "--secret-file"},
		{"set COMPLIANCELAYER_SECRETKEY", "COMPLIANCELAYER_SECRETKEY"},
		{"hint: compliancelayer endpoint list", "compliancelayer endpoint"},
		{"compliancelayer endpoints secret renew ID", "compliancelayer endpoints secret renew"},
		{"compliancelayer jobs list --wait", "compliancelayer jobs list --wait"},
		{"with `deliveries repeat 7`", "compliancelayer deliveries repeat"},
		{"compliancelayer endpoints secret rotate ep_1 --overlap 0s   (then --listen)", ""},
		{"`deliveries retry-all --no-wait`, COMPLIANCELAYER_LISTEN, compliancelayer <command> --help", ""},
	}
	for _, tt := range tests {
		got := strings.Join(g.unknown(tt.text), ", ")
		if got != tt.want {
			t.Errorf("unknown in %q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

// The table of settings left one out.
func TestTheReadmeHasEverySettingOfTheServer(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for f, command := range flags(parser(t, &bytes.Buffer{})) {
		if command != programName+" serve" && f.Name != "config" || f.Name == "help" {
			continue
		}
		row := regexp.MustCompile("(?m)^\\| `--" + f.Name + "` +\\| `" + strings.TrimPrefix(f.Envs[0], envPrefix+"_") + "` +\\|")
		if !row.Match(text) {
			t.Errorf("the README has no row for %s", f.Name)
		}
	}
}

// names are the words that a person can type.
type names struct {
	root             *kong.Node
	flags, variables map[string]bool
}

func newNames(t *testing.T) names {
	k := parser(t, &bytes.Buffer{})
	g := names{k.Model.Node, map[string]bool{}, map[string]bool{}}
	for f := range flags(k) {
		for _, name := range flagNames(f) {
			g.flags[name] = true
		}
		for _, name := range f.Envs {
			g.variables[name] = true
		}
	}
	g.variables[relayVariable] = true
	return g
}

// flagNames gives the ways to write a flag.
func flagNames(f *kong.Flag) []string {
	if f.Tag.Negatable != "" {
		return []string{"--" + f.Name, "--no-" + f.Name}
	}
	return []string{"--" + f.Name}
}

var (
	namedFlag     = regexp.MustCompile(`(?:^|[\s"'(` + "`" + `])(--[a-z][a-z0-9-]+)`)
	namedVariable = regexp.MustCompile(`\bCOMPLIANCELAYER_[A-Z0-9_]*[A-Z0-9]`)
	namedCommand  = regexp.MustCompile("(?:^|[\\s/\"'(`])compliancelayer ([^\\n`\"]+)")
	quotedCommand = regexp.MustCompile("`([a-z-]+ [^\\n`]+)`")
)

// noCommands are words after a command's name that are prose.
var noCommands = map[string]bool{
	"compliancelayer deliveries taken": true, // a line of the log
	"compliancelayer seal":             true, // what the sealed texts are bound to
}

// forCommands are the variables that the relay sets for the commands of its routes.
var forCommands = map[string]bool{
	"COMPLIANCELAYER_EVENT_ID": true, "COMPLIANCELAYER_EVENT_TYPE": true, "COMPLIANCELAYER_EVENT_TEST": true,
	"COMPLIANCELAYER_TRY": true, "COMPLIANCELAYER_UNSURE": true,
}

// unknown gives what a text names and the grammar does not know.
func (g names) unknown(text string) []string {
	var wrong []string
	for _, m := range namedCommand.FindAllStringSubmatch(text, -1) {
		wrong = append(wrong, g.walk(m[1])...)
	}
	for _, m := range quotedCommand.FindAllStringSubmatch(text, -1) {
		if first, _, _ := strings.Cut(m[1], " "); child(g.root, first) != nil {
			wrong = append(wrong, g.walk(m[1])...)
		}
	}
	for _, m := range namedFlag.FindAllStringSubmatch(text, -1) {
		if !g.flags[m[1]] {
			wrong = append(wrong, m[1])
		}
	}
	for _, name := range namedVariable.FindAllString(text, -1) {
		if !g.variables[name] && !forCommands[name] {
			wrong = append(wrong, name)
		}
	}
	return wrong
}

// walk follows a command line from its first word after the program's name, as far as it
// is one.
func (g names) walk(line string) []string {
	node, path := g.root, programName
	line, _, _ = strings.Cut(line, "   ") // what follows is a comment
	for _, word := range strings.Fields(line) {
		word = strings.TrimRight(word, ".,;:)'")
		if strings.ContainsAny(word, "<|&>#(%") || strings.HasSuffix(word, ".yaml") {
			return nil
		}
		flag, _, _ := strings.Cut(word, "=")
		next := child(node, word)
		switch {
		case strings.HasPrefix(word, "-"):
			if strings.HasPrefix(word, "--") && word != "--" && !hasFlag(node, flag) {
				return []string{path + " " + flag}
			}
			continue
		case next != nil:
			node, path = next, path+" "+word
		case noCommands[path+" "+word]:
			return nil
		case len(node.Children) > 0:
			return []string{path + " " + word}
		}
	}
	return nil
}

func child(node *kong.Node, word string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == word {
			return c
		}
	}
	return nil
}

func hasFlag(node *kong.Node, name string) bool {
	for _, group := range node.AllFlags(false) {
		for _, f := range group {
			for _, known := range flagNames(f) {
				if known == name {
					return true
				}
			}
		}
	}
	return false
}

// texts gives what the program can print and what the documents say, by where it stands.
func texts(t *testing.T) map[string]string {
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d documents, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = string(text)
		}
	}
	for _, folder := range []string{"cmd", "internal", "client", "webhook"} {
		err := filepath.WalkDir(filepath.Join(top, folder), func(path string, _ fs.DirEntry, err error) error {
			if folder := filepath.Base(path); folder == "bench" || folder == "crash" || folder == "pgtest" || folder == "redistest" {
				return filepath.SkipDir // no part of the program; they start others
			}
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				literals(t, path, all)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// literals adds the texts of a Go file. Where the program's name is put in, it is the first
// thing that is.
func literals(t *testing.T, path string, all map[string]string) {
	files := token.NewFileSet()
	file, err := goparser.ParseFile(files, path, nil, goparser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	named := map[ast.Node]func(string) string{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if isProgramName(n.X) {
				named[n.Y] = func(s string) string { return programName + s }
			}
		case *ast.CallExpr:
			for _, arg := range n.Args {
				if isProgramName(arg) {
					for _, format := range n.Args {
						named[format] = func(s string) string { return strings.Replace(s, "%s", programName, 1) }
					}
				}
			}
		case *ast.BasicLit:
			if n.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(n.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name := named[n]; name != nil {
				text = name(text)
			}
			all[files.Position(n.Pos()).String()] = text
		}
		return true
	})
}

func isProgramName(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "programName"
}
