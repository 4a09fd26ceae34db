package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
)

// release is set by the linker: -ldflags "-X main.release=v1.2.3".
var release string

// build is what is known of this binary.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source; "+changed" when the tree was not clean
	Built    string `json:"source_time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Protocol int    `json:"protocol"`
}

// version is the release, else what the module system knows, else "dev".
func version() string { return thisBuild().Version }

func thisBuild() build {
	b := build{Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Protocol: api.Protocol}
	info, ok := debug.ReadBuildInfo()
	if ok {
		b.source(info.Settings)
		if v := info.Main.Version; b.Version == "" && v != "(devel)" {
			b.Version = v
		}
	}
	if b.Version == "" {
		b.Version = "dev"
	}
	return b
}

// source takes over what the version control said at build time.
func (b *build) source(settings []debug.BuildSetting) {
	changed := ""
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Built = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+changed"
			}
		}
	}
	if b.Revision != "" {
		b.Revision += changed
	}
}

func versionCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: takes(0, 0, ""),
		Example: "  qmtui version\n  qmtui version --json",
	}
	asJSON := jsonFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		b := thisBuild()
		if *asJSON {
			return writeJSON(a.stdout, b)
		}
		fmt.Fprintf(a.stdout, "qmtui %s (protocol %d, %s, %s)\n", b.Version, b.Protocol, b.Go, b.Platform)
		if b.Revision != "" {
			fmt.Fprintf(a.stdout, "source %s of %s\n", b.Revision, b.Built)
		}
		return nil
	}
	return c
}
