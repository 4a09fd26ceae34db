package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/config"
)

func configCommand(a *app) *cobra.Command {
	return group("config", "Check, show or import the configuration",
		"  qmtui config check\n  qmtui config show\n  qmtui config import-env .env > qmtui.toml",
		configCheckCommand(a), configShowCommand(a), importCommand(a))
}

func configShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show every setting, what it means and where it came from", Args: takes(0, 0, ""),
		Long:    "Prints the whole configuration as TOML that can be used again. Secrets are stars.",
		Example: "  qmtui config show\n  qmtui config show --config /etc/qmtui/qmtui.toml",
		RunE: func(*cobra.Command, []string) error {
			cfg, src, err := a.config()
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(config.Effective(cfg, src))
			return err
		}}
}

func importCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "import-env FILE|-", Short: "Turn an .env of the site into a configuration file", Args: takes(1, 1, "the .env FILE"),
		Long:    "Prints a configuration file. Secrets are not copied: the file names the variables\nthat hold them.",
		Example: "  qmtui config import-env .env > qmtui.toml",
		RunE: func(_ *cobra.Command, args []string) error {
			in, err := a.open(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			file, warnings, err := config.ImportEnv(in)
			if err != nil {
				return err
			}
			for _, w := range warnings {
				a.note("warning: %s", printable(w))
			}
			_, err = a.stdout.Write(file)
			return err
		}}
}

// open opens a file, or standard input for "-".
func (a *app) open(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.stdin), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	return f, nil
}
