package engine

import (
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// vigil keeps a deployment awake for those who are expected.
type vigil struct {
	until, asked time.Time
	asking       bool
}

// vigilEvery is the time between two requests that keep a deployment awake; a
// platform scales down after five minutes without one (field.md).
const vigilEvery = time.Minute

// warmUp wakes what the schedule says, each time once: what is due is durable
// before it begins, so that a crash leaves a warm-up out and never doubles it.
func (l *loop) warmUp(s upkeep.Situation) {
	for _, w := range l.rules.Warmups(s, l.keeper.kept.Warmed) {
		kept := l.keep(func(t *tended) { t.Warmed[w.Deployment] = l.rules.After(w, t.Warmed[w.Deployment], s.Now) })
		switch {
		case !kept:
		case w.Skip != "":
			l.log.Warn("left a scheduled warm-up out", "deployment", w.Deployment, "due", w.Due, "because", w.Skip)
			l.audit(byRule, "leave a warm-up out", w.Deployment, "skipped")
		default:
			l.log.Info("warms up by schedule", "deployment", w.Deployment, "due", w.Due, "cost", w.Cost)
			l.wake(w)
		}
	}
}

// wake sends the request that wakes; its answer begins a vigil.
func (l *loop) wake(w upkeep.Warmup) {
	ctx := l.kill
	l.acts.Go(func() {
		_, err := l.fleet.Warm(ctx, w.Deployment)
		l.report(message{do: func(l *loop) func() {
			l.woken(w, err)
			return func() {}
		}})
	})
}

func (l *loop) woken(w upkeep.Warmup, err error) {
	if err != nil {
		e := job.AsError(err)
		l.log.Warn("a scheduled warm-up failed", "deployment", w.Deployment, "code", e.Code, "error", e.Message)
		l.audit(byRule, "warm by schedule", w.Deployment, e.Code)
		l.keep(func(t *tended) {
			x := t.Warmed[w.Deployment]
			x.Err = e.Message
			t.Warmed[w.Deployment] = x
		})
		return
	}
	now := time.Now().UTC()
	l.audit(byRule, "warm by schedule", w.Deployment, "ok")
	l.keeper.vigils[w.Deployment] = &vigil{until: now.Add(l.rules.Deployments[w.Deployment].Warm.For), asked: now}
}

// keepAwake asks a deployment that was warmed up now and then, until somebody
// works there (then the evidence polls do), its time is over, or it is of no
// use any more. It never asks one that may be asleep: that would wake it again.
func (l *loop) keepAwake(s upkeep.Situation) {
	for _, d := range s.Deployments {
		v := l.keeper.vigils[d.Name]
		if v == nil || v.asking {
			continue
		}
		if !s.Now.Before(v.until) || d.InFlight > 0 || d.Name != s.Active || s.Idle != "" || l.keeper.verdicts[d.Name].Pause || d.Stopped != nil || d.State != job.WarmthWarm {
			delete(l.keeper.vigils, d.Name)
			continue
		}
		if s.Now.Sub(v.asked) >= vigilEvery {
			l.keepVigil(d.Name, v)
		}
	}
}

func (l *loop) keepVigil(name string, v *vigil) {
	v.asking = true
	ctx := l.kill
	l.acts.Go(func() {
		_, err := l.fleet.Refresh(ctx, name)
		l.report(message{do: func(l *loop) func() {
			v.asking, v.asked = false, time.Now().UTC()
			return func() {
				if err != nil {
					l.log.Info("keep a deployment awake", "deployment", name, "error", err)
				}
			}
		}})
	})
}
