package doctor

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

func (v Visit) settingsStage(k known) stage {
	return stage{name: "configuration", checks: []*Check{settingsGood, settingsAdvice, settingsFiles, settingsFair, settingsTags, settingsEvidence, settingsWaits},
		run: func(context.Context) []Result { return judgeSettings(v.seeSettings(k)) }}
}

func (v Visit) seeSettings(k known) SettingsSeen {
	o := SettingsSeen{Config: v.Config, Manager: k.answers(), Cold: map[string]time.Duration{}, Render: map[string]time.Duration{}}
	o.Problems = config.ProblemsOf(v.Config.Validate())
	o.Advice = append(append(o.Advice, v.Source.Warnings...), v.Config.Advice()...)
	_, _ = v.Source.Locate(o.Problems), v.Source.Locate(o.Advice)
	o.Who, o.Unreadable = k.who, map[string]string{}
	files := v.Config.OwnFiles()
	delete(files, "auth.htpasswd") // which login-file looks at
	if v.Source.File != "" {
		files["--config"] = v.Source.File
	}
	for key, path := range files {
		if err := readableBy(path, k.who); err != nil && !errors.Is(err, fs.ErrNotExist) {
			o.Unreadable[key] = path
		}
	}
	for name, w := range k.workers {
		o.Cold[name], o.Render[name] = longestOf(w.Cold), longestOf(w.Warm)
	}
	return o
}

// longestOf is the longest that is remembered of a measured time.
func longestOf(t job.Timing) time.Duration {
	top := max(t.P90, t.Last)
	for _, s := range t.Recent {
		top = max(top, s)
	}
	return time.Duration(top * float64(time.Second))
}
