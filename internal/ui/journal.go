package ui

import (
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// entry is one line of the log: what the panel saw or did.
type entry struct {
	at    time.Time
	level logLevel
	about string // a job's short id, a deployment, or empty
	text  string // clean
	job   job.ID
}

// logLevel orders entries by how much they matter.
type logLevel int

const (
	levelStep logLevel = iota // a job moved on
	levelEnd                  // a job ended, an action was done
	levelWarn
	levelBad
)

var levelNames = []string{"step", "end", "warn", "bad"}

func (l logLevel) String() string { return levelNames[l] }

// journal keeps the newest entries.
type journal struct {
	entries []entry
	dropped int // entries that fell out, so that places stay steady
}

const journalLimit = 5000

func (g *journal) add(e entry) {
	g.entries = append(g.entries, e)
	if over := len(g.entries) - journalLimit; over > journalLimit/10 {
		g.entries = append([]entry(nil), g.entries[over:]...)
		g.dropped += over
	}
}

// note writes down what changed between two looks at a job.
func (w *world) note(old *row, now *api.Job) {
	was := job.State(-1)
	warnings := 0
	if old != nil {
		was, warnings = old.job.State, len(old.job.Warnings)
	}
	about := short(now.ID)
	for _, x := range now.Warnings[min(warnings, len(now.Warnings)):] {
		w.journal.add(entry{at: w.now, level: levelWarn, about: about, text: w.text(now.User + ": " + x.Message), job: now.ID})
	}
	if was == now.State {
		return
	}
	text, lvl := now.User+": "+now.State.String(), levelStep
	switch now.State {
	case job.Failed, job.Lost:
		lvl = levelBad
		if now.Error != nil {
			text += ": " + *now.Error
		}
	case job.Done:
		lvl, text = levelEnd, text+", "+count(len(now.Delivered()), "file")
	case job.Cancelled:
		lvl = levelEnd
	default:
		if now.Deployment != "" {
			text += " on " + now.Deployment
		}
	}
	w.journal.add(entry{at: w.now, level: lvl, about: about, text: w.text(text), job: now.ID})
}

// short is the end of a job's id, which differs where its beginning is time.
func short(id job.ID) string { return string(id[max(0, len(id)-8):]) }
