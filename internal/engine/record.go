package engine

import (
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// record makes facts durable and takes the results into the live state. A full
// disk is not the end: the facts are kept, in order, and tried again at the
// next turn, and nothing is planned before they are in.
func (l *loop) record(facts []job.Fact) error {
	facts = append(l.unrecorded, facts...)
	if len(facts) == 0 {
		return nil
	}
	verdicts, err := l.ledger.Record(facts...)
	if err != nil {
		return l.hoard(facts, err)
	}
	if l.fault != nil {
		l.log.Info("the ledger takes facts again", "facts", len(facts))
	}
	l.unrecorded, l.fault = nil, nil
	l.take(verdicts)
	return nil
}

// hoard keeps facts that the ledger does not take now. It is said once: the
// log may well stand on the same full disk.
func (l *loop) hoard(facts []job.Fact, err error) error {
	e := job.AsError(err)
	if e.Class != job.Unavailable {
		return err
	}
	if l.fault == nil || l.fault.Code != e.Code {
		l.log.Error("the ledger takes nothing", "code", e.Code, "error", e.Message, "waiting", len(facts))
	}
	l.unrecorded, l.fault = withoutRepeats(facts), e
	return nil
}

// saying is what makes one fact say the same as another, whenever it was said.
type saying struct {
	job      job.ID
	attempt  int
	kind     job.Kind
	evidence job.Evidence
	output   job.OutputID
	size     int64
	said     string
}

// withoutRepeats drops what an earlier fact says already: a poll tells the end
// of a run again and again until it is taken.
func withoutRepeats(facts []job.Fact) []job.Fact {
	known := make(map[saying]bool, len(facts))
	kept := facts[:0:0]
	for _, f := range facts {
		if t := sayingOf(f); !known[t] {
			known[t] = true
			kept = append(kept, f)
		}
	}
	return kept
}

func sayingOf(f job.Fact) saying {
	t := saying{job: f.Job, attempt: f.Attempt, kind: f.Kind, evidence: f.Evidence}
	if f.Output != nil {
		t.output, t.size = f.Output.ID, f.Output.Size
	}
	if f.Error != nil {
		t.said = f.Error.Code
	}
	if f.Warning != nil {
		t.said = f.Warning.Code + f.Warning.Message
	}
	return t
}

// recordNow records facts that somebody waits for: an error goes to them, and
// nothing is kept for later.
func (l *loop) recordNow(facts ...job.Fact) error {
	if l.fault != nil {
		return l.fault
	}
	verdicts, err := l.ledger.Record(facts...)
	if err != nil {
		if e := job.AsError(err); e.Class == job.Unavailable {
			l.refused = refusal{err: e, size: sizeOf(facts), tried: time.Now()}
		}
		return err
	}
	l.refused = refusal{}
	l.take(verdicts)
	return nil
}

// refusal is what the ledger last refused to somebody who waited for it.
type refusal struct {
	err   *job.Error // nil for nothing
	size  int        // of the bodies, in bytes
	tried time.Time
}

// probeEvery is the time between two tries whether the ledger takes as much
// again as it refused.
const probeEvery = 10 * time.Second

// probe tries that. Nothing else would: who is refused may not come again, and
// what the loop records by itself is small and may fit.
func (l *loop) probe(now time.Time) {
	if l.refused.err == nil || l.fault != nil || now.Sub(l.refused.tried) < probeEvery {
		return
	}
	l.refused.tried = now
	if err := l.ledger.SetSetting(settingProbe, make([]byte, l.refused.size*3/4)); err != nil { // as text it is longer by a third
		return
	}
	l.refused = refusal{}
	l.logError("empty the probe", l.ledger.SetSetting(settingProbe, nil))
}

// ledgerTrouble is why the ledger takes nothing, or not as much as a job needs; nil when it does.
func (l *loop) ledgerTrouble() *job.Error {
	if l.fault != nil {
		return l.fault
	}
	return l.refused.err
}

func sizeOf(facts []job.Fact) int {
	n := 0
	for _, f := range facts {
		for _, b := range f.Blobs {
			n += len(b.Data)
		}
	}
	return n
}
