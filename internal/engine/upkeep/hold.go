package upkeep

import (
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/job"
)

// Hold is when one replica is kept, which costs its price whether it renders
// or not. The zero value holds nothing.
type Hold struct {
	WhileBusy bool // while attempts are in flight, and between them while jobs wait
	Windows   []calendar.Window
}

// Holding is why a replica is to be held, and until when.
type Holding struct {
	Because string
	Until   time.Time // zero: until nothing is in flight
}

// Holds decides of which deployments a replica is to be held now. A window
// holds only where jobs go and may go: not a deployment that is not active, not
// beyond a budget, not while the queue stands. What renders is held even then:
// to lose it costs more.
func (r Rules) Holds(s Situation) map[string]Holding {
	out := map[string]Holding{}
	for _, d := range s.Deployments {
		if h, ok := r.holding(d, s); ok {
			out[d.Name] = h
		}
	}
	return out
}

func (r Rules) holding(d job.Deployment, s Situation) (Holding, bool) {
	hold := r.Deployments[d.Name].Hold
	i := slices.IndexFunc(hold.Windows, func(w calendar.Window) bool { return w.Contains(s.Now) })
	takes := d.Name == s.Active && d.Stopped == nil && !r.Judge(s, d.Name).Pause
	switch {
	case i >= 0 && takes && s.Idle == "":
		until, _ := hold.Windows[i].Until(s.Now)
		return Holding{"the window " + hold.Windows[i].String(), until}, true
	case hold.WhileBusy && d.InFlight > 0:
		return Holding{Because: "jobs are in flight"}, true
	case hold.WhileBusy && s.Waiting > 0 && takes: // else it would be given back between two jobs, and taken again
		return Holding{Because: "jobs wait to be sent"}, true
	}
	return Holding{}, false
}
