package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/doctor"
)

func configCheckCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "check", Short: "Check the configuration, and the folders that it names", Args: takes(0, 0, ""),
		Long: `Lists all unknown keys and wrong types, and when there are none, all wrong values;
then looks at the real folders and at the password file. Root looks with the rights
of the user who owns the state folder, as whom the manager runs; others with their
own. Problems make it fail; advice does not. It asks no deployment.`,
		Example: "  sudo qmtui config check\n  sudo qmtui config check --config /etc/qmtui/qmtui.toml --json"}
	asJSON := jsonFlag(c)
	c.RunE = func(*cobra.Command, []string) error { return a.checkConfig(*asJSON) }
	return c
}

func (a *app) checkConfig(asJSON bool) error {
	cfg, src, err := a.config()
	if config.ProblemsOf(err) == nil && err != nil {
		return err
	}
	who := doctor.ServiceUser("")
	if dir, dirErr := cfg.StateDir(nil); err == nil && dirErr == nil {
		who = doctor.ServiceUser(dir)
	}
	var problems, advice config.Problems
	if who.State && src.File != "" { // the same file, which that user might not find
		if path, err := filepath.Abs(src.File); err == nil {
			a.configPath = path
		}
	}
	look := func() {
		// Once more with that user's rights: what root reads need not be open to it.
		if cfg, src, err = a.loadConfig(); err != nil {
			problems = config.ProblemsOf(err)
			return
		}
		problems, advice = judge(cfg, src, who.UID)
	}
	if !doctor.AsUser(who, look) {
		return failed("no_rights", fmt.Sprintf("root may not take on the rights of %s here", who), "run it as that user, with sudo -u")
	}
	if who.State && len(problems) > 0 {
		a.note("looked with the rights of %s", who)
	}
	if asJSON {
		return a.checkDocument(src, problems, advice)
	}
	for _, p := range advice {
		a.note("advice: %s", printable(p.Error()))
	}
	if len(problems) > 0 {
		return problems
	}
	a.printf("the configuration is good: %s\n", printable(origin(src)))
	return nil
}

// judge lists what is wrong with values and folders, and what is only odd. The
// folders are looked at when the values are good: bad paths lead nowhere.
func judge(cfg config.Config, src config.Source, uid int) (problems, advice config.Problems) {
	problems = config.ProblemsOf(src.Locate(cfg.Validate()))
	advice = append(append(advice, src.Warnings...), cfg.Advice()...)
	if len(problems) == 0 {
		broken, odd := checkFolders(cfg, src, uid)
		problems, advice = broken, append(advice, odd...)
	}
	_, _ = src.Locate(problems), src.Locate(advice)
	return problems, advice
}

func (a *app) checkDocument(src config.Source, problems, advice config.Problems) error {
	doc := map[string]any{"file": src.File, "good": len(problems) == 0, "problems": findings(problems), "advice": findings(advice)}
	if err := writeJSON(a.stdout, doc); err != nil || len(problems) == 0 {
		return err
	}
	return problems
}

// finding is a problem as --json has it.
type finding struct {
	Code    string `json:"code"`
	Key     string `json:"key,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func findings(ps config.Problems) []finding {
	out := []finding{}
	for _, p := range ps {
		out = append(out, finding{p.Code, p.Key, p.File, p.Line, p.Message, p.Hint})
	}
	return out
}

// origin says where the configuration came from.
func origin(src config.Source) string {
	switch {
	case src.File != "":
		return src.File
	case src.Site:
		return "no file, environment names of the site"
	}
	return "no file, defaults"
}
