package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/calendar"
)

// The troubles of failover_on.
var troubles = []string{"spot_lost", "quota_reached", "failing", "wait_over"}

// Dates is the calendar that the texts of times and windows are read against.
// The error says which key is wrong; Validate reports it.
func (c Config) Dates() (calendar.Calendar, error) {
	return calendar.New(c.Calendar.Timezone, c.Calendar.WorkshopDays)
}

// Held says when a replica is held: while jobs are in flight, in windows.
func (d Deployment) Held() (busy, windows bool) {
	return d.Hold == "busy" || d.Hold == "both", d.Hold == "windows" || d.Hold == "both"
}

// upkeep judges what is done for deployments without being asked each time.
func (v *verdict) upkeep() {
	days := v.calendar()
	v.budget()
	for i, d := range v.cfg.Deployments {
		key := deploymentKey(i) + "."
		v.hold(key, d, days)
		v.warm(key, d, days)
		v.ownBudget(key, d)
		v.failover(key, d)
	}
}

func (v *verdict) calendar() calendar.Calendar {
	if _, err := calendar.New(v.cfg.Calendar.Timezone, nil); err != nil {
		v.add(CodeValue, "calendar.timezone", "calendar.timezone: "+err.Error(), "use a name such as Europe/Amsterdam, or leave it out for the machine's own")
	}
	days, err := calendar.New("", v.cfg.Calendar.WorkshopDays)
	if err != nil {
		v.add(CodeValue, "calendar.workshop_days", "calendar.workshop_days: "+err.Error(), `give days such as "2026-12-01", "2026-12-01..2026-12-05" or "mon-fri"`)
	}
	return days
}

func (v *verdict) hold(key string, d Deployment, days calendar.Calendar) {
	busy, windows := d.Held()
	for _, text := range d.HoldWindows {
		if _, err := days.Window(text); err != nil {
			v.add(CodeValue, key+"hold_windows", key+"hold_windows: "+err.Error(), `write it as "mon-fri 09:45-17:00" or "workshop 09:45-17:00"`)
		}
	}
	switch {
	case windows && len(d.HoldWindows) == 0:
		v.add(CodeRequired, key+"hold_windows", key+"hold is "+d.Hold+", but "+key+"hold_windows is empty", `say when, such as hold_windows = ["workshop 09:45-17:00"]`)
	case !windows && len(d.HoldWindows) > 0:
		v.add(CodeValue, key+"hold_windows", key+"hold_windows does nothing while "+key+"hold is "+quoteShort(d.Hold), `write hold = "windows" or "both", or take the windows out`)
	}
	if (busy || windows) && !v.asked(d) {
		v.add(CodeRequired, key+"hold", key+"hold needs the platform's control API", `set driver = "verda", verda.client_id and its secret`)
	}
}

// asked says that the platform can be asked about the deployment.
func (v *verdict) asked(d Deployment) bool { return d.Driver == "verda" && v.cfg.Verda.ClientID != "" }

func (v *verdict) warm(key string, d Deployment, days calendar.Calendar) {
	if len(d.WarmAt) == 0 {
		return
	}
	for _, text := range d.WarmAt {
		if _, err := days.Time(text); err != nil {
			v.add(CodeValue, key+"warm_at", key+"warm_at: "+err.Error(), `write it as "workshop 09:50" or "mon-fri 09:50"`)
		}
	}
	switch {
	case !d.ScaleToZero:
		v.add(CodeValue, key+"warm_at", key+"warm_at does nothing for a deployment that does not scale to zero", "take it out, or set scale_to_zero")
	case d.PricePerHour == 0:
		v.add(CodeRequired, key+"price_per_hour", key+"warm_at needs "+key+"price_per_hour, to know what it costs", "set the price of one replica for an hour")
	case d.WarmMaxCost == 0:
		v.add(CodeRequired, key+"warm_max_cost", key+"warm_at needs "+key+"warm_max_cost, or no warm-up would ever be done", "say what the warm-ups of one day may cost")
	}
}

// step is what one billing step of ten minutes costs (field.md).
func step(d Deployment) float64 { return d.PricePerHour / 6 }

func (v *verdict) budget() {
	if v.cfg.Budget.PerDay == 0 {
		return
	}
	for i, d := range v.cfg.Deployments {
		v.countable("budget.per_day", deploymentKey(i)+".", d)
		v.oneStep("budget.per_day", v.cfg.Budget.PerDay, d)
	}
}

func (v *verdict) ownBudget(key string, d Deployment) {
	if d.BudgetPerDay == 0 {
		return
	}
	if v.cfg.Budget.PerDay == 0 { // else it is said already
		v.countable(key+"budget_per_day", key, d)
	}
	v.oneStep(key+"budget_per_day", d.BudgetPerDay, d)
}

// countable reports a deployment of which a budget could not know the cost.
func (v *verdict) countable(what, key string, d Deployment) {
	switch {
	case d.PricePerHour == 0:
		v.add(CodeRequired, key+"price_per_hour", what+" needs "+key+"price_per_hour", "set the price of one replica for an hour")
	case !d.ScaleToZero && !v.asked(d):
		v.add(CodeValue, what, what+" cannot count "+d.Name+": it does not scale to zero, and no platform tells what runs there", `take its budget out, or set driver = "verda" with verda.client_id`)
	}
}

func (v *verdict) oneStep(key string, limit float64, d Deployment) {
	if limit < step(d) {
		v.add(CodeValue, key, fmt.Sprintf("%s is %g, less than one billing step of %s (%.2f): no job would ever be sent there", key, limit, d.Name, step(d)), "raise it, or pause the queue instead")
	}
}

func (v *verdict) failover(key string, d Deployment) {
	for _, name := range d.FailoverTo {
		known := slices.ContainsFunc(v.cfg.Deployments, func(o Deployment) bool { return o.Name == name })
		switch {
		case name == d.Name:
			v.add(CodeValue, key+"failover_to", key+"failover_to names itself", "name another deployment")
		case !known:
			v.add(CodeValue, key+"failover_to", key+"failover_to names "+quoteShort(name)+", which is no deployment", "use the name of one: "+strings.Join(v.deploymentNames(), ", "))
		}
	}
	v.failoverOn(key, d)
	v.shorter(key+"failover_wait", d.FailoverWait, "queue.accept_timeout", v.cfg.Queue.AcceptTimeout, false)
	if len(d.FailoverTo) == 0 && (len(d.FailoverOn) > 0 || d.FailoverWait > 0) {
		v.add(CodeRequired, key+"failover_to", key+"failover_on and failover_wait do nothing without "+key+"failover_to", "say which deployment takes over")
	}
}

func (v *verdict) failoverOn(key string, d Deployment) {
	for _, t := range d.FailoverOn {
		switch {
		case !slices.Contains(troubles, t):
			v.add(CodeValue, key+"failover_on", key+"failover_on has "+quoteShort(t), "use "+strings.Join(troubles, ", "))
		case (t == "spot_lost" || t == "quota_reached") && !v.asked(d):
			v.add(CodeRequired, key+"failover_on", key+"failover_on: only the platform's control API tells of "+t, `set driver = "verda", verda.client_id and its secret, or take it out`)
		case t == "wait_over" && d.FailoverWait == 0:
			v.add(CodeRequired, key+"failover_wait", key+"failover_on has wait_over, but "+key+"failover_wait is off", `say how long a prompt may wait, such as failover_wait = "10m"`)
		}
	}
}

// deploymentNames lists them as configured.
func (v *verdict) deploymentNames() []string {
	var out []string
	for _, d := range v.cfg.Deployments {
		out = append(out, d.Name)
	}
	return out
}
