package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd prints a script for a shell. The script asks this program, so that
// it never has to be made again.
type completionCmd struct {
	Shell string `arg:"" help:"The shell: bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Help says where to put it.
func (s *completionCmd) Help() string {
	return `Put it where the shell finds it:

    eval "$(compliancelayer completion bash)"     (in ~/.bashrc; likewise for zsh)
    compliancelayer completion fish > ~/.config/fish/completions/compliancelayer.fish`
}

// Run prints the script.
func (s *completionCmd) Run(c *console) error {
	c.say("%s", painted(map[string]string{
		"bash": `_compliancelayer() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$(compliancelayer __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}")" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _compliancelayer compliancelayer`,
		"zsh": `_compliancelayer() {
  local -a found
  found=(${(f)"$(compliancelayer __complete -- "${(@)words[2,CURRENT]}")"})
  compadd -a found || _files
}
compdef _compliancelayer compliancelayer`,
		"fish": `complete -c compliancelayer -a '(compliancelayer __complete -- (commandline -opc)[2..-1] (commandline -ct))'`,
	}[s.Shell]))
	return nil
}

// completeCmd answers the scripts.
type completeCmd struct {
	Words []string `arg:"" optional:"" help:"The words so far, the last one unfinished."`
}

// Run prints what the last word may become, one a line.
func (w *completeCmd) Run(c *console, k *kong.Kong) error {
	for _, candidate := range candidates(k.Model.Node, w.Words) {
		c.say("%s", candidate)
	}
	return nil
}

// candidates gives the commands or flags that may stand at the end of a command line.
func candidates(root *kong.Node, typed []string) []string {
	last := ""
	if len(typed) > 0 {
		last = typed[len(typed)-1]
		typed = typed[:len(typed)-1]
	}
	node := root
	for _, word := range typed {
		if i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word }); i >= 0 {
			node = node.Children[i]
		}
	}
	var found []string
	for _, child := range node.Children {
		if !child.Hidden {
			found = append(found, child.Name)
		}
	}
	if strings.HasPrefix(last, "-") {
		found = nil
		for _, group := range node.AllFlags(true) {
			for _, flag := range group {
				found = append(found, "--"+flag.Name)
			}
		}
	}
	return slices.DeleteFunc(found, func(s string) bool { return !strings.HasPrefix(s, last) })
}
