package main

import (
	"fmt"
	"time"
	_ "time/tzdata" // calendar.timezone must work where the machine has no zones

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/engine/upkeep"
)

// rules are what is done for deployments without being asked each time. The
// error is for what Validate has passed over, so there should be none.
func rules(cfg config.Config) (upkeep.Rules, error) {
	days, err := cfg.Dates()
	if err != nil {
		return upkeep.Rules{}, fmt.Errorf("read the calendar: %w", err)
	}
	r := upkeep.Rules{Calendar: days, PerDay: cfg.Budget.PerDay, Deployments: map[string]upkeep.Care{}}
	for _, d := range cfg.Deployments {
		c, err := care(d, days)
		if err != nil {
			return upkeep.Rules{}, fmt.Errorf("read the rules of deployment %s: %w", d.Name, err)
		}
		r.Deployments[d.Name] = c
	}
	return r, nil
}

func care(d config.Deployment, days calendar.Calendar) (upkeep.Care, error) {
	busy, windows := d.Held()
	c := upkeep.Care{PerDay: d.BudgetPerDay, Hold: upkeep.Hold{WhileBusy: busy},
		Warm:     upkeep.Warm{For: time.Duration(d.WarmFor), Max: d.WarmMaxCost},
		Failover: upkeep.Failover{To: d.FailoverTo, Wait: time.Duration(d.FailoverWait), For: time.Duration(d.FailoverFor)}}
	for _, t := range d.FailoverOn {
		c.Failover.On = append(c.Failover.On, upkeep.Trouble(t))
	}
	for _, text := range d.HoldWindows {
		w, err := days.Window(text)
		if err != nil {
			return c, err
		}
		if windows {
			c.Hold.Windows = append(c.Hold.Windows, w)
		}
	}
	for _, text := range d.WarmAt {
		at, err := days.Time(text)
		if err != nil {
			return c, err
		}
		c.Warm.At = append(c.Warm.At, at)
	}
	return c, nil
}
