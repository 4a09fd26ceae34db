package main

import (
	"context"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/doctor"
)

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	canary, wake, yes, json, all, there bool
	tofu                                string
	deployments                         []string // that get a canary; none means each
	timeout                             time.Duration
}

func doctorCommand(a *app) *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{
		Use: "doctor", Short: "Look whether everything stands as it must", Args: takes(0, 0, ""),
		Long: `Looks at the configuration, the manager, its database, the share, the users'
folders, the login and the deployments, and says for each what was found and the
next step, the gravest first. Of what is good it tells the names; --all tells
what each found. It ends with 1 when something fails, with 0 when it only warns.
docs/doctor.md lists every check.

Run it as the manager's user or as root. It asks nothing of a deployment that
may be asleep, and says what the manager knows of it: --wake asks. --canary
sends a small prompt without models the whole way, from the manager to the
user's folder, to each deployment or to those that --deployment names. Both say first what that may cost, and ask. --tf reads OpenTofu
files and never runs anything. --by-manager tells what the manager itself sees,
which is another thing where it runs in a container, or elsewhere.`,
		Example: `  qmtui doctor
  sudo qmtui doctor --config /etc/qmtui/qmtui.toml --tf /srv/site/infra
  qmtui doctor --canary --yes --json
  qmtui doctor --canary --deployment h200-spot
  qmtui doctor --by-manager --server https://film.example.org/qmtui`,
	}
	f := c.Flags()
	f.BoolVar(&o.canary, "canary", false, "send a small prompt the whole way, which wakes each deployment")
	f.StringArrayVar(&o.deployments, "deployment", nil, "with --canary: only to that one; may be given several times")
	f.BoolVar(&o.wake, "wake", false, "ask deployments that may be asleep, which wakes them")
	f.BoolVar(&o.yes, "yes", false, "do not ask before spending money")
	f.StringVar(&o.tofu, "tf", "", "folder with OpenTofu files to read")
	f.BoolVar(&o.all, "all", false, "tell what every check found, good ones too")
	f.BoolVar(&o.there, "by-manager", false, "let the manager look, in its own process and mount namespace")
	f.DurationVar(&o.timeout, "timeout", 30*time.Minute, "take each canary back after that long; with --by-manager: stop waiting, and end with 4")
	f.BoolVar(&o.json, "json", false, "print exactly one JSON document")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case o.timeout <= 0:
			return usage(c.CommandPath(), "--timeout is %s; give more than 0", o.timeout)
		case len(o.deployments) > 0 && !o.canary:
			return usage(c.CommandPath(), "--deployment goes with --canary")
		case o.there && (o.wake || o.tofu != ""):
			return usage(c.CommandPath(), "--by-manager goes with neither --wake nor --tf")
		case o.there:
			return a.doctorThere(c.Context(), o)
		}
		return a.doctor(c.Context(), o)
	}
	return c
}

func (a *app) doctor(ctx context.Context, o doctorOptions) error {
	v, broken, err := a.visit(o)
	if err != nil {
		return err
	}
	began, results := time.Now(), broken
	if broken == nil {
		if results, err = a.examine(ctx, v, o); err != nil {
			return err
		}
	}
	r := doctor.Report(results)
	r.At, r.Took, r.Version = api.Time{Time: time.Now()}, time.Since(began).Seconds(), version()
	if err := a.tellOrPrint(r, o); err != nil {
		return err
	}
	return ctx.Err()
}

// tellOrPrint tells a report. That something failed is its error.
func (a *app) tellOrPrint(r api.DoctorReport, o doctorOptions) error {
	if o.json {
		if err := writeJSON(a.stdout, r); err != nil {
			return err
		}
	} else {
		a.tellReport(r, o.all)
	}
	if n := r.Counts[doctor.Fail]; n > 0 {
		return failed("doctor_found", plural(n, "check")+" failed", "take the next steps that they name")
	}
	return nil
}

// visit prepares a run. A configuration that cannot be read is a finding of
// its own, and ends it.
func (a *app) visit(o doctorOptions) (doctor.Visit, []doctor.Result, error) {
	cfg, src, err := a.config()
	if problems := config.ProblemsOf(err); problems != nil {
		return doctor.Visit{}, doctor.Broken(problems), nil
	}
	if err != nil {
		return doctor.Visit{}, nil, err
	}
	v := doctor.Visit{Config: cfg, Source: src, Wake: o.wake, TF: o.tofu, Prompts: examplePrompts()}
	client, err := a.client()
	if problems := config.ProblemsOf(err); problems != nil {
		return v, doctor.Broken(problems), nil
	}
	if err != nil {
		return v, nil, err
	}
	v.Manager = client
	return v, nil, nil
}

// examine looks at everything, and then sends the canary.
func (a *app) examine(ctx context.Context, v doctor.Visit, o doctorOptions) ([]doctor.Result, error) {
	if v.Wake && !o.yes {
		if err := a.agreeToWake(ctx, v); err != nil {
			return nil, err
		}
	}
	results := a.examineTold(ctx, v)
	if o.canary && ctx.Err() == nil {
		results = append(results, a.flyCanary(ctx, v, o)...)
	}
	return results, nil
}

// agreeToWake says what asking sleeping deployments may cost, and asks.
func (a *app) agreeToWake(ctx context.Context, v doctor.Visit) error {
	known := map[string]api.Worker{}
	if workers, err := v.Manager.Workers(ctx); err == nil {
		for _, w := range workers {
			known[w.Name] = w
		}
	}
	costs := false
	for _, d := range v.Config.Deployments {
		w, ok := known[d.Name]
		if !ok {
			w = api.Worker{Name: d.Name, State: "unknown", PricePerHour: d.PricePerHour}
		}
		if may, _ := doctor.MayAsk(d, w); !may {
			a.note("%s", printable(costSentence(w)))
			costs = true
		}
	}
	if !costs {
		return nil
	}
	return a.agreeOrRefuse("nothing was woken")
}

// agreeOrRefuse asks; where nobody can be asked, the answer is no.
func (a *app) agreeOrRefuse(refusal string) error {
	if !isTerminal(a.stdin) {
		return failed("not_agreed", refusal+", because nobody could be asked", "give --yes")
	}
	if !a.agreed("go on?") {
		return failed("not_agreed", refusal, "answer y, or give --yes")
	}
	return nil
}

// examplePrompts are the built-in prompts that can be run.
func examplePrompts() map[string][]byte {
	out := map[string][]byte{}
	_ = fs.WalkDir(assets.Prompts, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(p), "preview-only") {
			return err
		}
		raw, err := assets.Prompts.ReadFile(p)
		out[path.Base(p)] = raw
		return err
	})
	return out
}
