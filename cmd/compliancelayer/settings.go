package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"

	"github.com/compliancelayer/compliancelayer/internal/nearest"
)

// settingsFile is the path of the settings file; its hook makes the file one more
// source of values.
type settingsFile string

// BeforeResolve reads the file before values are looked up.
func (f settingsFile) BeforeResolve(k *kong.Kong, ctx *kong.Context, trace *kong.Path) error {
	path, ok := ctx.FlagValue(trace.Flag).(settingsFile)
	if !ok || path == "" || forRelay(ctx) {
		return nil
	}
	s, err := readSettings(string(path), settingNames(k.Model.Node))
	if err != nil {
		return err
	}
	ctx.AddResolver(s)
	return nil
}

// forRelay reports whether the command is relay, whose --config is its own file.
func forRelay(ctx *kong.Context) bool {
	return slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool { return p.Command != nil && wordsOf(p.Command)[0] == "relay" })
}

// settings are the values of a file, by the name of the setting.
type settings struct {
	path   string
	values map[string]setting
}

// setting is one value, or a list of them.
type setting struct {
	line  int
	texts []string
	list  bool
}

// readSettings reads a file. A key that is not among known is refused.
func readSettings(path string, known []string) (*settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	s := &settings{path: filepath.Base(path), values: map[string]setting{}}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	if len(file.Content) == 0 {
		return s, nil // nothing but comments
	}
	root := file.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, s.at(root.Line, "write one setting a line, such as \"retention: 30d\"")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if err := s.add(root.Content[i], root.Content[i+1], known); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *settings) add(key, value *yaml.Node, known []string) error {
	name := strings.ReplaceAll(key.Value, "_", "-")
	if !slices.Contains(known, name) {
		bare := strings.TrimPrefix(strings.ToLower(name), strings.ToLower(envPrefix)+"-")
		if near := nearest.Name(bare, known); near != "" {
			return s.at(key.Line, "%q is not a setting; did you mean %s?", key.Value, near)
		}
		return s.at(key.Line, "%q is not a setting; settings are named as the variables in --help, in lower case and without %s_, such as retention", key.Value, envPrefix)
	}
	if _, twice := s.values[name]; twice {
		return s.at(key.Line, "%s is there twice", key.Value)
	}
	v := setting{line: key.Line}
	for value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	items := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		v.list, items = true, value.Content
	}
	for _, item := range items {
		if item.Kind != yaml.ScalarNode {
			return s.at(item.Line, "%s: write one value, or a list of values", key.Value)
		}
		v.texts = append(v.texts, item.Value)
	}
	if value.Tag != "!!null" { // a key without a value says nothing
		s.values[name] = v
	}
	return nil
}

// at is an error at a line of the file.
func (s *settings) at(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", s.path, line, fmt.Sprintf(format, args...))
}

// Validate is part of kong.Resolver; the file was checked when it was read.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve gives the file's value for a flag that was not on the command line. It
// stands back when the environment has one, which kong has taken already.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := s.values[settingName(flag)]
	if !ok {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	value := v.forFlag(flag)
	// Try it out here, where the line is known.
	trial := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), trial); err != nil {
		return nil, s.at(v.line, "%s", strings.TrimPrefix(err.Error(), flag.ShortSummary()+": ")) // the parser says it again
	}
	return value, nil
}

// forFlag gives the value as the flag's own parser reads it.
func (v setting) forFlag(flag *kong.Flag) any {
	if !v.list {
		return v.texts[0]
	}
	if flag.IsSlice() && flag.Tag.Sep == -1 { // its values may hold any character
		all := make([]any, len(v.texts))
		for i, t := range v.texts {
			all[i] = t
		}
		return all
	}
	return kong.JoinEscaped(v.texts, ',')
}

// settingNames lists the names of all settings, of all commands.
func settingNames(root *kong.Node) []string {
	names := map[string]bool{}
	_ = kong.Visit(root, func(v kong.Visitable, next kong.Next) error { // the visitor makes no errors
		if flag, ok := v.(*kong.Flag); ok && settingName(flag) != "" {
			names[settingName(flag)] = true
		}
		return next(nil)
	})
	return slices.Sorted(maps.Keys(names))
}

// noteMisspelt tells of variables that are no setting and look like one: nothing reads
// them. Others with the program's prefix are left alone, since an orchestrator may make
// them of a service's name.
func noteMisspelt(c *console, known []string) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		short, ours := strings.CutPrefix(name, envPrefix+"_")
		setting := strings.ToLower(strings.ReplaceAll(short, "_", "-"))
		if !ours || setting == "config" || name == relayVariable || slices.Contains(known, setting) {
			continue
		}
		if near := nearest.Name(setting, known); near != "" {
			c.note("warning: %s is not a setting; did you mean %s?", name, variableOf(near))
		}
	}
}

// nameVariables gives every flag its environment variable. A flag with the tag "setting" is
// the same thing in every command that has it, such as the server's address, and is set once
// for all of them. Whatever else a flag says is about the one thing that its command makes,
// changes or looks for: its variable begins with the command's words, so that no command
// takes what was set for another.
func nameVariables(k *kong.Kong) error {
	return kong.Visit(k.Model.Node, func(v kong.Visitable, next kong.Next) error {
		if n, ok := v.(*kong.Node); ok {
			for _, flag := range n.Flags {
				nameVariable(n, flag)
			}
		}
		return next(nil)
	})
}

func nameVariable(n *kong.Node, flag *kong.Flag) {
	name := flag.Name
	switch {
	case name == "help":
		return
	case !flag.Tag.Has("setting"):
		name = strings.Join(append(wordsOf(n), name), "-")
	}
	flag.Envs = []string{variableOf(name)}
	flag.Tag.Envs = flag.Envs
}

// wordsOf gives the words of a command, such as endpoints, secret, rotate.
func wordsOf(n *kong.Node) []string {
	if n.Parent == nil {
		return nil
	}
	return append(wordsOf(n.Parent), n.Name)
}

// variableOf gives the environment variable of a setting.
func variableOf(setting string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// settingName is a flag's name in the file: its variable's in small letters.
func settingName(flag *kong.Flag) string {
	if flag.Name == "config" || len(flag.Envs) == 0 {
		return "" // the file cannot name itself, and --help is no setting
	}
	name := strings.TrimPrefix(flag.Envs[0], envPrefix+"_")
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}
