package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/config"
)

func daemonCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "daemon", Short: "Run the manager without a screen (also: qmtui --daemon)", Args: takes(0, 0, ""),
		Long: `Runs engine, HTTP and socket until it is told to stop (SIGINT, SIGTERM). It logs
to stderr. Stopping it harms no job: what is in flight is found again at the
next start. It lets copies under way finish, for about fifteen seconds; a second
signal ends it at once.

SIGHUP makes it read the configuration again: log.level counts from then on, and
the log names what else was changed and waits for a restart. SIGUSR1 makes it
log everything, SIGUSR2 as much as log.level says again.

Under systemd (Type=notify) it says when it is ready, what it is at and that its
loop is alive.`,
		Example: "  qmtui daemon --config /etc/qmtui/qmtui.toml\n  qmtui daemon --log-format json --log-level debug",
		RunE:    func(c *cobra.Command, _ []string) error { return a.daemon(c.Context()) },
	}
	logFlags(c, a)
	return c
}

// logFlags adds the flags that are settings of the log.
func logFlags(c *cobra.Command, a *app) {
	c.Flags().Var(setting{a, "log.format"}, "log-format", "how the manager logs: text or json")
	c.Flags().Var(setting{a, "log.level"}, "log-level", "the least the manager logs: debug, info, warn or error")
}

// setting is a flag that stands for a key of the configuration.
type setting struct {
	a   *app
	key string
}

func (s setting) Set(v string) error {
	name := map[string]string{"log.format": "--log-format", "log.level": "--log-level"}[s.key]
	s.a.flags = append(s.a.flags, config.Flag{Name: name, Key: s.key, Value: v})
	return nil
}
func (s setting) String() string { return "" }
func (s setting) Type() string   { return "WORD" }

// daemon runs the manager until ctx ends.
func (a *app) daemon(ctx context.Context) error {
	cfg, src, err := a.config()
	if err != nil {
		return err
	}
	if err := src.Locate(cfg.Validate()); err != nil {
		return err
	}
	log, level, err := newLeveledLogger(a.stderr, cfg.Log)
	if err != nil {
		return err
	}
	defer obeySignals(&tuning{log: log, level: level, cfg: cfg, load: a.reload})()
	if err := makeHomeFolders(cfg, src); err != nil {
		return err
	}
	logAdvice(log, cfg, src)
	limitMemory(log, memlimit.FromCgroup, memlimit.FromSystem)
	return serve(ctx, cfg, log)
}

// logAdvice says once what is allowed but probably not meant.
func logAdvice(log *slog.Logger, cfg config.Config, src config.Source) {
	advice := append(append(config.Problems{}, src.Warnings...), cfg.Advice()...)
	_ = src.Locate(advice)
	for _, p := range advice {
		log.Warn(p.Message, "code", p.Code, "key", p.Key, "next", p.Hint)
	}
}

// makeHomeFolders makes the folders that a start without any configuration
// has under the state folder. Folders that somebody named are never made: one
// that is missing may be a mount that is away.
func makeHomeFolders(cfg config.Config, src config.Source) error {
	var errs []error
	for key, dir := range map[string]string{"share.outputs": cfg.Share.Outputs, "users.outputs": cfg.Users.Outputs} {
		if src.Of(key).Kind == config.FromHome {
			errs = append(errs, os.MkdirAll(dir, 0o755))
		}
	}
	return errors.Join(errs...)
}
