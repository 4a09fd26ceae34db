package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/ui"
)

// panelFlags are the flags of the panel.
type panelFlags struct {
	readOnly, ascii, noSync bool
	theme, images           string
}

func (p *panelFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&p.readOnly, "read-only", false, "panel: look and change nothing; the manager refuses what would")
	f.BoolVar(&p.ascii, "ascii", false, "panel: only signs that every font has")
	f.BoolVar(&p.noSync, "no-sync", false, "panel: no synchronized output over SSH, for terminals that show it wrongly")
	f.StringVar(&p.theme, "theme", "auto", "panel: auto, dark or light")
	f.StringVar(&p.images, "images", "auto", "panel: pictures: auto, kitty (its graphics protocol), blocks (half blocks) or off")
}

func (p *panelFlags) check(c *cobra.Command) error {
	switch p.theme {
	case "auto", "dark", "light":
	default:
		return usage(c.CommandPath(), "--theme %q is not auto, dark or light", p.theme)
	}
	switch p.images {
	case "auto", ui.ImagesKitty, ui.ImagesBlocks, ui.ImagesOff:
		return nil
	}
	return usage(c.CommandPath(), "--images %q is not auto, kitty, blocks or off", p.images)
}

// panelOptions say what the panel attaches to and how it looks.
type panelOptions struct {
	panelFlags
	client *api.Client
	// start makes a manager in this process when nobody listens; nil to only attach.
	start func() (*manager, error)
	// daemon starts a manager that goes on after that one; nil when none can.
	daemon func() error
	// left is called when the person chose to leave a daemon behind; nil where
	// nobody is asked.
	left func()
	// embedded says that the manager runs in this process already.
	embedded bool
	in       io.Reader
	out      io.Writer
	// remote tells of a terminal that is not one of this machine, whose person's
	// comforts are kept in the file prefs; nil for one that is.
	remote *ui.Remote
	prefs  string
}

// errNoTerminal is what the panel says where it cannot be drawn.
var errNoTerminal = &job.Error{Code: "no_terminal", Class: job.Invalid, Message: "the panel needs a terminal",
	Hint: `use "qmtui queue status" or "qmtui jobs list", or "qmtui --daemon" for a manager without a screen`}

// probeTimeout bounds the question whether a manager is there.
const probeTimeout = 3 * time.Second

// runPanel shows the panel until the person leaves. With nobody on the socket
// it runs a manager in this process first, attaches to it like anybody else,
// and stops it at the end.
func runPanel(ctx context.Context, o panelOptions) error {
	if !isTerminal(o.out) || !isTerminal(o.in) {
		return errNoTerminal
	}
	probe, stop := context.WithTimeout(ctx, probeTimeout)
	_, err := o.client.QueueStatus(probe)
	stop()
	if errors.Is(err, api.ErrNoDaemon) && o.start != nil {
		return o.withManager(ctx)
	}
	if errors.Is(err, api.ErrNoDaemon) {
		return err
	}
	return o.show(ctx) // any other trouble shows on the screen, and may pass
}

// withManager runs a manager and the panel; when one ends, so does the other.
// A daemon takes over when the person wants that: only now are the lock, the
// socket and the addresses free.
func (o panelOptions) withManager(ctx context.Context) error {
	m, err := o.start()
	if err != nil {
		return err
	}
	o.embedded = true
	leave := false
	if o.daemon != nil {
		o.left = func() { leave = true }
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(inner)
	group.Go(func() error { return m.Run(gctx) })
	group.Go(func() error {
		defer stop()
		return o.show(gctx)
	})
	if err := group.Wait(); err != nil || !leave || ctx.Err() != nil {
		return err
	}
	return o.daemon()
}

func (o panelOptions) show(ctx context.Context) error {
	p := ui.Options{Manager: ui.Attach(o.client), Host: panelHost(o.client.Target()), Embedded: o.embedded, LeaveDaemon: o.left, Theme: ui.Theme(o.theme),
		ASCII: o.ascii, NoSync: o.noSync, Prefs: o.prefs, Remote: o.remote}
	environ := os.Environ()
	if o.remote == nil {
		p.Prefs = panelPrefs()
	} else {
		environ = o.remote.Environ
	}
	mode, tmux := ui.ChooseImages(o.images, environ)
	if p.Images = mode; mode == ui.ImagesKitty {
		p.Kitty = ui.NewKitty(tmux)
		defer func() { _, _ = io.WriteString(o.out, p.Kitty.Clear()) }()
	}
	if o.embedded {
		p.Attached = "in this process"
	}
	return ui.Run(ctx, p, o.in, o.out)
}

// panelHost is the manager's machine: the address's, or this one for a socket.
func panelHost(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return u.Host
	}
	host, _ := os.Hostname()
	return host
}

// panelPrefs is the file with what the panel keeps between starts; empty when
// there is no place for it.
func panelPrefs() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "qmtui", "panel.json")
}

// panel opens the panel on the manager of --server or of the configuration.
func (a *app) panel(ctx context.Context, f panelFlags) error {
	c, err := a.panelClient(f.readOnly)
	if err != nil {
		return err
	}
	defer c.Close()
	o := panelOptions{panelFlags: f, client: c, in: a.stdin, out: a.stdout.Writer}
	if a.local() && !f.readOnly {
		o.start = a.embedded
		o.daemon = func() error { return a.leaveDaemon(ctx, c, a.stdout) }
	}
	return runPanel(ctx, o)
}

// panelClient is the client for the panel. With readOnly the manager itself
// refuses to act: on its second socket, or as the client asks for by TCP.
func (a *app) panelClient(readOnly bool) (*api.Client, error) {
	c, err := a.client()
	if err != nil || !readOnly {
		return c, err
	}
	if !filepath.IsAbs(c.Target()) {
		return c.LookOnly(), nil
	}
	return api.Dial(readOnlySocket(c.Target()))
}

// embedded makes a manager in this process, which logs to a file: the screen
// belongs to the panel.
func (a *app) embedded() (*manager, error) {
	cfg, src, err := a.config()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(src.Locate(cfg.Validate()), makeHomeFolders(cfg, src)); err != nil {
		return nil, err
	}
	log, err := embeddedLog(cfg)
	if err != nil {
		return nil, err
	}
	logAdvice(log, cfg, src)
	return newManager(cfg, log)
}

// embeddedLog writes to openEmbeddedLog's file. The process's end closes it.
func embeddedLog(cfg config.Config) (*slog.Logger, error) {
	f, err := openEmbeddedLog(cfg)
	if err != nil {
		return nil, err
	}
	return newLogger(f, cfg.Log)
}

// openEmbeddedLog opens qmtui.log in the state folder to append to it.
func openEmbeddedLog(cfg config.Config) (*os.File, error) {
	dir, err := cfg.StateDir(nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(refuseForeignState(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, "qmtui.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
