package engine

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// account is the GPU time measured: by day (in the calendar's zone), deployment
// and user, in seconds. It is never changed, only replaced.
type account map[string]map[string]map[string]float64

// accountDays is for how many days it is kept.
const accountDays = 32

// add is the account with more on it.
func (a account) add(day, deployment, user string, seconds float64) account {
	out := maps.Clone(a)
	if out == nil {
		out = account{}
	}
	of := maps.Clone(out[day])
	if of == nil {
		of = map[string]map[string]float64{}
	}
	users := maps.Clone(of[deployment])
	if users == nil {
		users = map[string]float64{}
	}
	users[user] += seconds
	of[deployment], out[day] = users, of
	days := slices.Sorted(maps.Keys(out))
	for _, old := range days[:max(0, len(days)-accountDays)] {
		delete(out, old)
	}
	return out
}

// Spend is what the last days cost, today first, as an estimate. days below 1
// means today alone.
func (e *Engine) Spend(days int) []job.SpendDay {
	spent := map[string][]job.Spent{}
	var names []string
	for _, d := range e.fleet.Deployments() {
		names = append(names, d.Name)
		spent[d.Name] = e.fleet.Spending(d.Name)
	}
	return spendDays(names, spent, e.board.Load().account, e.rules, time.Now(), max(1, days))
}

// spendDays joins bills and measured times for so many days back from now.
func spendDays(names []string, spent map[string][]job.Spent, used account, rules upkeep.Rules, now time.Time, days int) []job.SpendDay {
	var out []job.SpendDay
	for back := range days {
		day := rules.Calendar.Day(now.AddDate(0, 0, -back))
		d := job.SpendDay{Day: day, Cap: rules.PerDay, Deployments: []job.DeploymentSpend{}, Users: []job.UserSpend{}}
		total := map[string]job.UserSpend{}
		for _, name := range names {
			x, ok := spendOn(day, spent[name], used[day][name])
			if !ok {
				continue
			}
			x.Name, x.Cap = name, rules.Deployments[name].PerDay
			d.Amount = cents(d.Amount + x.Amount)
			d.Deployments = append(d.Deployments, x)
			for _, u := range x.Users {
				t := total[u.User]
				total[u.User] = job.UserSpend{User: u.User, GPUSeconds: t.GPUSeconds + u.GPUSeconds, Amount: cents(t.Amount + u.Amount)}
			}
		}
		d.Users = dearest(total)
		if back == 0 || len(d.Deployments) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// spendOn is one deployment's day, divided among its users by measured time.
func spendOn(day string, spent []job.Spent, used map[string]float64) (job.DeploymentSpend, bool) {
	x := job.DeploymentSpend{Spent: job.Spent{Day: day}}
	i := slices.IndexFunc(spent, func(s job.Spent) bool { return s.Day == day })
	if i >= 0 {
		x.Spent = spent[i]
	}
	total := 0.0
	for _, s := range used {
		total += s
	}
	users := map[string]job.UserSpend{}
	for u, s := range used {
		users[u] = job.UserSpend{User: u, GPUSeconds: s, Amount: cents(x.Amount * s / total)}
	}
	x.Users = dearest(users)
	return x, i >= 0 || len(used) > 0
}

// cents rounds to a hundredth of a cent.
func cents(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func dearest(users map[string]job.UserSpend) []job.UserSpend {
	return slices.SortedFunc(maps.Values(users), func(a, b job.UserSpend) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), cmp.Compare(b.GPUSeconds, a.GPUSeconds), cmp.Compare(a.User, b.User))
	})
}

// LiftBudget lets spending go on beyond the budgets until midnight, for all
// deployments. What happens then: jobs are sent again, the warning stays and
// names who lifted them, and from midnight the budgets hold again. It is an
// error when no budget is reached.
func (e *Engine) LiftBudget(ctx context.Context, by job.Caller) error {
	return e.ask(ctx, func(l *loop) error {
		if !slices.ContainsFunc(slices.Collect(maps.Values(l.keeper.verdicts)), func(v upkeep.Verdict) bool { return v.Pause }) {
			return &job.Error{Code: "no_budget_reached", Class: job.Conflict, Message: "no budget is reached, so there is none to lift",
				Hint: `see "qmtui spend"; to end a pause: "qmtui queue resume"`}
		}
		now := time.Now().UTC()
		next := lifted{Day: l.rules.Calendar.Day(now), By: by.Name, At: now}
		if !l.keep(func(t *tended) { t.Lifted = next }) {
			return &job.Error{Code: "not_recorded", Class: job.Unavailable, Transient: true, Message: "the ledger took nothing, so nothing was lifted",
				Hint: "make room on the disk of the state folder"}
		}
		l.log.Warn("the budgets were lifted until midnight", "by", by.Name)
		l.keeper.at = time.Time{} // ask the rules at once
		return nil
	})
}
