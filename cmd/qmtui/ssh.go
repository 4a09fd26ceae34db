package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
	"github.com/comfyume/qmtui/internal/sshd"
	"github.com/comfyume/qmtui/internal/ui"
)

// joinSSH opens the SSH server's door when the configuration asks for one.
func (m *manager) joinSSH(cfg config.Config) error {
	if cfg.SSH.Listen == "" {
		return nil
	}
	hostKey, keys, err := cfg.SSHPaths(nil)
	if err != nil {
		return err
	}
	dir, err := cfg.StateDir(nil)
	if err != nil {
		return err
	}
	s, err := sshd.New(sshd.Options{Listen: cfg.SSH.Listen, HostKey: hostKey, Keys: keys, ReadOnlyKeys: cfg.SSH.ReadOnlyKeys,
		Idle: time.Duration(cfg.SSH.IdleTimeout), MaxVisits: cfg.SSH.MaxSessions, Logger: m.log,
		Show: func(ctx context.Context, v sshd.Visit) error { return m.showTo(ctx, v, dir) }})
	if err != nil {
		return err
	}
	m.ssh = s
	return s.Listen()
}

// showTo shows the panel to a visitor by SSH: the ordinary one, attached to the
// API as its own caller. state is the folder for what it keeps between visits.
func (m *manager) showTo(ctx context.Context, v sshd.Visit, state string) error {
	flags, err := visitFlags(v.Args)
	if err != nil {
		return err
	}
	dial, leave := m.server.Admit(server.Guest{Name: v.Name, Proof: v.Fingerprint + " as " + v.Login, ReadOnly: v.ReadOnly || flags.readOnly})
	defer leave()
	defer m.metrics.Visited(v.ReadOnly)()
	c := api.Over("ssh", dial)
	defer c.Close()
	sum := sha256.Sum256([]byte(v.Fingerprint))
	return panelOptions{panelFlags: flags, client: c, in: v.In, out: v.Out,
		prefs:  filepath.Join(state, "ssh", hex.EncodeToString(sum[:8])+".json"),
		remote: &ui.Remote{Environ: v.Environ, Width: v.Size.Width, Height: v.Size.Height, Sizes: v.Sizes}}.show(ctx)
}

// visitFlags are the panel's flags in the command that came with an SSH login,
// with or without "qmtui" before them. Anything else is refused.
func visitFlags(args []string) (panelFlags, error) {
	var flags panelFlags
	if len(args) > 0 && filepath.Base(args[0]) == "qmtui" {
		args = args[1:]
	}
	c := &cobra.Command{Use: "qmtui", SilenceErrors: true, SilenceUsage: true}
	c.SetOut(io.Discard)
	flags.add(c)
	err := c.Flags().Parse(args)
	if err == nil && c.Flags().NArg() == 0 {
		err = flags.check(c)
		if err == nil {
			return flags, nil
		}
	}
	why := "there is the panel here, and no command " + printable(strings.Join(args, " "))
	if err != nil {
		why = "the panel does not take this: " + printable(err.Error())
	}
	return flags, &job.Error{Code: "only_the_panel", Class: job.Forbidden, Message: why,
		Hint: "log in without a command, or with the panel's flags: ssh -t HOST qmtui --read-only"}
}
