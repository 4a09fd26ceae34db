package engine

import (
	"fmt"
	"math"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// halfLife is how fast used GPU time stops counting against its user in the
// fair queue: what was used half an hour ago counts half.
const halfLife = 30 * time.Minute

// charges is what the fair queue holds against users, decaying. The zero
// value is usable. It belongs to the loop.
type charges struct {
	Users map[string]charge `json:"users"`
}

type charge struct {
	Seconds float64   `json:"seconds"`
	At      time.Time `json:"at"`
}

// at is the charge decayed to a later time.
func (c charge) at(now time.Time) float64 {
	age := max(0, now.Sub(c.At))
	return c.Seconds * math.Exp2(-age.Seconds()/halfLife.Seconds())
}

func (c *charges) add(user string, seconds float64, now time.Time) {
	if c.Users == nil {
		c.Users = map[string]charge{}
	}
	c.Users[user] = charge{Seconds: c.Users[user].at(now) + seconds, At: now}
}

func (c *charges) now(now time.Time) map[string]float64 {
	all := make(map[string]float64, len(c.Users))
	for u, x := range c.Users {
		all[u] = x.at(now)
	}
	return all
}

// Used is how long an attempt occupied a GPU, measured: from its first sign
// of life (or, without one, from its acceptance) to its end. An attempt nobody
// ever accepted has used nothing.
func Used(a job.Attempt, end time.Time, bound time.Duration) time.Duration {
	start := a.When(job.Started, job.Seen, job.Whole, job.Stored)
	if start.IsZero() {
		start = a.When(job.Acknowledged)
	}
	if start.IsZero() || end.Before(start) {
		return 0
	}
	return min(end.Sub(start), bound)
}

// charge counts the GPU time of an attempt that has just landed.
func (l *loop) charge(j *job.Job, a job.Attempt, end time.Time) {
	user := j.User
	if t := a.When(job.Finished); !t.IsZero() && t.Before(end) {
		end = t
	}
	used := Used(a, end, l.policy.RunTimeout)
	if used == 0 {
		return
	}
	if a.State == job.Rendered {
		l.fleet.Ran(a.Deployment, used)
		key := runKey(a.Deployment, kindOf(*j))
		l.delays.Runs = addDelay(l.delays.Runs, key, used)
	}
	now := time.Now().UTC()
	l.charges.add(user, used.Seconds(), now)
	l.usage.add(user, used.Seconds(), now)
	l.account = l.account.add(l.rules.Calendar.Day(now), a.Deployment, user, used.Seconds())
	l.logError("keep delays", l.ledger.SetSetting(settingDelays, l.delays))
	l.logError("keep charges", l.ledger.SetSetting(settingCharges, l.charges))
	l.logError("keep usage", l.ledger.SetSetting(settingUsage, l.usage))
	l.logError("keep the account", l.ledger.SetSetting(settingAccount, l.account))
}

// usage is the GPU time measured on one day (UTC), by user.
type usage struct {
	Day   string             `json:"day"`
	Users map[string]float64 `json:"users"` // seconds
}

func (u *usage) add(user string, seconds float64, now time.Time) {
	if day := now.Format(time.DateOnly); u.Day != day || u.Users == nil {
		*u = usage{Day: day, Users: map[string]float64{}}
	}
	u.Users[user] += seconds
}

// of is the user's seconds on the day of now.
func (u usage) of(user string, now time.Time) float64 {
	if u.Day != now.UTC().Format(time.DateOnly) {
		return 0
	}
	return u.Users[user]
}

// The keys under which the loop keeps what must survive a restart.
const (
	settingMode    = "queue/mode"
	settingProbe   = "queue/probe"
	settingActive  = "fleet/active"
	settingCharges = "fair/charges"
	settingUsage   = "fair/usage"
	settingAccount = "spend/account"
	settingUpkeep  = "fleet/upkeep"
	settingDelays  = "fleet/delays"
	settingLearned = "fleet/learned"
)

// loadSettings takes up where the last process ended.
func (l *loop) loadSettings() error {
	l.active = l.first
	for key, v := range map[string]any{settingMode: &l.mode, settingActive: &l.active, settingCharges: &l.charges, settingUsage: &l.usage,
		settingAccount: &l.account, settingUpkeep: &l.keeper.kept, settingDelays: &l.delays, settingLearned: &l.learned} {
		if _, err := l.ledger.Setting(key, v); err != nil {
			return fmt.Errorf("read setting %s: %w", key, err)
		}
	}
	for _, classes := range l.learned {
		for _, c := range l.policy.SaveNodes {
			delete(classes, c)
		}
	}
	l.active = knownOrFirst(l.active, l.fleet.Deployments(), l.none)
	return nil
}

// knownOrFirst keeps a deployment's name if it is configured, and takes the
// first one's otherwise, or with idle none.
func knownOrFirst(name string, all []job.Deployment, idle bool) string {
	for _, d := range all {
		if d.Name == name {
			return name
		}
	}
	if len(all) == 0 || idle {
		return ""
	}
	return all[0].Name
}
