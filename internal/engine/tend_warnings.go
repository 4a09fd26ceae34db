package engine

import (
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// upkeepWarnings say what the rules have done and what stands because of it,
// each since when and what a person can do.
func (l *loop) upkeepWarnings(now time.Time, workers []job.Deployment, since map[string]time.Time) []job.Warning {
	var ws []job.Warning
	if h := l.keeper.kept.Handover; h != nil && h.To == l.active {
		ws = append(ws, job.Warning{Code: "failed_over", At: h.At,
			Message: fmt.Sprintf("jobs go to %s instead of %s, because %s", h.To, h.From, h.Because),
			Hint:    fmt.Sprintf(`what was accepted there stays there; when it is well again: "qmtui workers use %s"`, h.From)})
	}
	for _, d := range workers {
		if s := d.Stopped; s != nil {
			ws = append(ws, job.Warning{Code: s.Code, At: s.Since, Message: s.Message + "; " + count(s.Waiting, "job") + map[bool]string{true: " waits", false: " wait"}[s.Waiting == 1], Hint: s.Hint})
		}
		if !l.keeper.verdicts[d.Name].Whole || d.Active { // the cap over all is told once
			ws = append(ws, l.budgetWarnings(d.Name, since)...)
		}
		if d.Held != nil {
			ws = append(ws, l.heldWarning(d))
		}
		ws = append(ws, l.warmWarnings(now, d)...)
	}
	return ws
}

func (l *loop) budgetWarnings(name string, since map[string]time.Time) []job.Warning {
	v := l.keeper.verdicts[name]
	w := job.Warning{Message: v.Sentence(name)}
	switch {
	case v.Pause:
		w.Code, w.At = "budget_reached", l.keeper.kept.Capped[name]
		w.Hint = `they wait until midnight and what is in flight goes on; to spend more today: "qmtui queue resume --over-budget"`
	case v.Lifted:
		w.Code, w.At = "budget_lifted", l.keeper.kept.Lifted.At
		w.Message += "; " + l.keeper.kept.Lifted.By + " lifted it"
		w.Hint = `it holds again from midnight; to stop now: "qmtui queue pause"`
	case v.Warn:
		key := "budget_near/" + name
		w.Code, w.At = "budget_near", l.since(key)
		since[key] = w.At
		w.Hint = `when it is reached, jobs wait until midnight; see "qmtui spend"`
	default:
		return nil
	}
	return []job.Warning{w}
}

func (l *loop) heldWarning(d job.Deployment) job.Warning {
	w := job.Warning{Code: "replica_held", At: d.Held.Since,
		Message: fmt.Sprintf("one replica of %s is held (min_replica_count was %d)", d.Name, d.Held.Was),
		Hint:    `a "tofu plan" shows a difference until then, and an apply takes the replica away`}
	if d.PricePerHour > 0 {
		w.Message += fmt.Sprintf(", which costs %.2f an hour", d.PricePerHour)
	}
	switch h, wanted := l.keeper.holdings[d.Name]; {
	case !wanted:
		w.Message += "; it is being given back"
	case h.Until.IsZero():
		w.Message += ", because " + h.Because + "; it is given back when none is"
	default:
		w.Message += ", because of " + h.Because + "; it is given back at " + h.Until.Format("15:04")
	}
	w.Message += ". It drifts from the site's infrastructure code"
	return w
}

// warmWarnings tell of today's last warm-up when it did not come about, while
// the deployment is not warm by other means.
func (l *loop) warmWarnings(now time.Time, d job.Deployment) []job.Warning {
	name, x := d.Name, l.keeper.kept.Warmed[d.Name]
	if x.Day != l.rules.Calendar.Day(now) || d.State == job.WarmthWarm {
		return nil
	}
	switch {
	case x.Skip != "":
		return []job.Warning{{Code: "warmup_skipped", At: x.Due, Message: name + " was not warmed up by schedule: " + x.Skip,
			Hint: fmt.Sprintf(`to do it all the same: "qmtui workers warm %s"`, name)}}
	case x.Err != "":
		return []job.Warning{{Code: "warmup_failed", At: x.Due, Message: name + " could not be warmed up by schedule: " + x.Err,
			Hint: fmt.Sprintf(`look at it with "qmtui workers list"; to try again: "qmtui workers warm %s"`, name)}}
	}
	return nil
}
