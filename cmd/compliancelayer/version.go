package main

import (
	"runtime"
	"runtime/debug"
)

// versionCmd prints what this program is.
type versionCmd struct{ output }

// build is what a binary knows of itself.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run prints the version.
func (v *versionCmd) Run(c *console) error {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	return printOne(c, v.JSON, b, func() {
		c.say("%s %s", programName, b.Version)
		c.details(field{"commit", b.Commit}, field{"go", b.Go}, field{"platform", b.Platform})
	})
}
