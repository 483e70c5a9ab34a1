package main

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// parser makes the program's parser, which does not end the process.
func parser(t *testing.T, out *bytes.Buffer) *kong.Kong {
	t.Helper()
	c, _, _ := quiet()
	k, err := newParser(c, out)
	if err != nil {
		t.Fatal(err)
	}
	k.Exit = func(int) {}
	return k
}

// flags gives all flags with the path of their command.
func flags(k *kong.Kong) map[*kong.Flag]string {
	all := map[*kong.Flag]string{}
	_ = kong.Visit(k.Model.Node, func(v kong.Visitable, next kong.Next) error { // the visitor makes no errors
		if n, ok := v.(*kong.Node); ok {
			for _, f := range n.Flags {
				all[f] = strings.Join(wordsOf(n), " ")
			}
		}
		return next(nil)
	})
	return all
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	leaves := parser(t, &bytes.Buffer{}).Model.Leaves(false)
	if len(leaves) < 50 {
		t.Fatalf("there are only %d commands", len(leaves))
	}
	for _, leaf := range leaves {
		args := []string{"--help"}
		for n := leaf; n.Parent != nil; n = n.Parent {
			args = append([]string{n.Name}, args...)
		}
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			_, _ = parser(t, &out).Parse(args) // it goes on after the help, and misses arguments
			if leaf.Help == "" || !strings.HasPrefix(out.String(), "Usage: compliancelayer "+strings.Join(args[:len(args)-1], " ")) {
				t.Errorf("%q prints %q", args, out.String())
			}
			for _, p := range leaf.Positional {
				if p.Help == "" {
					t.Errorf("argument %s has no help", p.Name)
				}
			}
		})
	}
}

func TestEveryFlagHasHelpAVariableAndASetting(t *testing.T) {
	t.Parallel()
	k := parser(t, &bytes.Buffer{})
	known := map[string]bool{}
	for _, name := range settingNames(k.Model.Node) {
		known[name] = true
	}
	for f, command := range flags(k) {
		if f.Name == "help" {
			continue
		}
		if f.Help == "" || len(f.Envs) != 1 || !strings.HasPrefix(f.Envs[0], "COMPLIANCELAYER_") {
			t.Errorf("%s --%s: help %q, variables %q", command, f.Name, f.Help, f.Envs)
		}
		if f.Name != "config" && !known[settingName(f)] {
			t.Errorf("%s --%s: the settings file does not know %q", command, f.Name, settingName(f))
		}
	}
}

// COMPLIANCELAYER_CONCURRENCY, of serve, was also read by "endpoints update", where it
// changed the endpoint; COMPLIANCELAYER_EVENTS changed its subscriptions.
func TestNoVariableMeansTwoThings(t *testing.T) {
	t.Parallel()
	// These are said in other words for each command that has them, and are the same thing.
	same := []string{"COMPLIANCELAYER_API_KEY", "COMPLIANCELAYER_DATABASE", "COMPLIANCELAYER_SECRET", "COMPLIANCELAYER_SECRET_KEY_FILE"}
	read := map[string]*kong.Flag{}
	for f, command := range flags(parser(t, &bytes.Buffer{})) {
		if f.Name == "help" {
			continue
		}
		before, again := read[f.Envs[0]]
		if !again {
			read[f.Envs[0]] = f
			continue
		}
		if before.Help != f.Help && !slices.Contains(same, f.Envs[0]) {
			t.Errorf("%s is %q, and for %s %q", f.Envs[0], before.Help, command, f.Help)
		}
		if kindOf(before) != kindOf(f) {
			t.Errorf("%s is %s, and for %s %s", f.Envs[0], kindOf(before), command, kindOf(f))
		}
		if !f.Tag.Has("setting") {
			t.Errorf("%s is read by several commands, and %s --%s is not a setting", f.Envs[0], command, f.Name)
		}
	}
}

// kindOf gives the type of a flag's value, or of one of its values.
func kindOf(f *kong.Flag) reflect.Type {
	kind := f.Target.Type()
	if kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
		return kind.Elem()
	}
	return kind
}

// Only what is the same wherever it is used is set once for all commands.
func TestAFlagThatIsNoSettingHasTheVariableOfItsCommand(t *testing.T) {
	t.Parallel()
	for f, command := range flags(parser(t, &bytes.Buffer{})) {
		if f.Name == "help" {
			continue
		}
		words := append(strings.Fields(command), f.Name)
		if f.Tag.Has("setting") {
			words = []string{f.Name}
		}
		if want := variableOf(strings.Join(words, "-")); f.Envs[0] != want {
			t.Errorf("%s --%s is set by %s, want %s", command, f.Name, f.Envs[0], want)
		}
	}
}

// README's table had NAT64_DECODE, and the program read NAT_64_DECODE.
func TestTheSettingsOfTheReadmeAreThoseOfServe(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var told, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `--([a-z0-9-]+)` +\\| `([A-Z0-9_]+)` +\\|").FindAllStringSubmatch(string(readme), -1) {
		told = append(told, row[1]+" "+row[2])
	}
	for f, command := range flags(parser(t, &bytes.Buffer{})) {
		if f.Name == "config" || f.Name != "help" && command == "serve" {
			want = append(want, f.Name+" "+strings.TrimPrefix(f.Envs[0], envPrefix+"_"))
		}
	}
	slices.Sort(told)
	slices.Sort(want)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("README's table of settings (+) is not that of serve (-):\n%s", diff)
	}
}

// What is set for a real server must not lead the demonstration to its database.
func TestTheDemonstrationHasVariablesOfItsOwn(t *testing.T) {
	t.Parallel()
	for f, command := range flags(parser(t, &bytes.Buffer{})) {
		if command == "demo" && f.Name != "help" && !strings.HasPrefix(f.Envs[0], "COMPLIANCELAYER_DEMO_") {
			t.Errorf("demo --%s is set by %s", f.Name, f.Envs[0])
		}
	}
}

func TestNoFlagHasASecretAsItsDefault(t *testing.T) {
	t.Parallel()
	for f, command := range flags(parser(t, &bytes.Buffer{})) {
		secret := strings.Contains(f.Name, "secret") || strings.Contains(f.Name, "key")
		if secret && (f.HasDefault || f.Required) && !f.IsBool() {
			t.Errorf("%s --%s has a default or must be on the command line", command, f.Name)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	root := parser(t, &bytes.Buffer{}).Model.Node
	tests := []struct {
		typed []string
		want  string
	}{
		{nil, "demo serve migrate backup doctor endpoints events event-types deliveries dead-letters jobs stats alerts keys accounts trigger listen relay receive sign verify completion version"},
		{[]string{"ev"}, "events event-types"},
		{[]string{"endpoints", "secret", ""}, "prepare promote rotate check"},
		{[]string{"deliveries", "retry-all", "--dr"}, "--dry-run"},
		{[]string{"nonsense"}, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(candidates(root, tt.typed), " "); got != tt.want {
			t.Errorf("candidates(%q) = %q, want %q", tt.typed, got, tt.want)
		}
	}
}
