package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// tendEvery bounds how often the rules for deployments are asked.
const tendEvery = time.Second

// keeper is the upkeep of the deployments. It belongs to the loop.
type keeper struct {
	kept     tended
	at       time.Time                 // of the last look
	verdicts map[string]upkeep.Verdict // by deployment
	holdings map[string]upkeep.Holding
	told     []string // of what the fleet was last told to hold; nil for never
	held     map[string]*job.Held
	vigils   map[string]*vigil
	seen     map[string]upkeep.Seen // by deployment, as of the last plan
	asked    map[string]*questions  // of deployments to which nothing is sent
}

// tended is what the rules have done that must survive a restart.
type tended struct {
	Chosen   time.Time                `json:"chosen,omitzero"` // when the active deployment was
	Handover *handover                `json:"handover,omitempty"`
	Warmed   map[string]upkeep.Warmed `json:"warmed,omitempty"`
	Capped   map[string]time.Time     `json:"capped,omitempty"` // since when a budget pauses a deployment
	Lifted   lifted                   `json:"lifted,omitzero"`
	Stopped  map[string]*upkeep.Stop  `json:"stopped,omitempty"` // deployments to which nothing is sent
}

// handover is the last one by a rule, until a person chooses a deployment.
type handover struct {
	upkeep.Handover
	At time.Time `json:"at"`
}

// lifted is the day for which a person let spending go on beyond the budgets.
type lifted struct {
	Day string    `json:"day"`
	By  string    `json:"by"`
	At  time.Time `json:"at"`
}

// byRule is whose deeds the rules' are in the audit log.
var byRule = job.Caller{Name: "qmtui", Via: "rule"}

// tend asks the rules and does what they say. Whatever costs money or sends
// jobs elsewhere is durable before it is done.
func (l *loop) tend(now time.Time) {
	if l.closing || l.fault != nil || now.Sub(l.keeper.at).Abs() < tendEvery {
		return
	}
	l.keeper.at = now
	s := l.situation(now)
	l.noticeHolds(s.Deployments)
	l.judge(s)
	if l.hold() == errNotLooked {
		return // at the start nobody knows yet whether jobs can be sent
	}
	if l.handOver(s) {
		s = l.situation(now)
	}
	l.warmUp(s)
	l.keepAwake(s)
	l.askStopped(now)
	l.tellHolds(s)
}

func (l *loop) situation(now time.Time) upkeep.Situation {
	return upkeep.Situation{Now: now, Active: l.active, Chosen: l.keeper.kept.Chosen, Deployments: l.workers(),
		Waiting: l.toSend(), Idle: l.idle(), Lifted: l.keeper.kept.Lifted.Day}
}

// toSend counts the jobs that are still to be sent; none while nothing is sent.
// One whose inputs cannot be brought to the workers now is none: no machine is
// to be paid for it, and neither is one that goes elsewhere.
func (l *loop) toSend() (n int) {
	if l.mode == job.ModePaused || l.hold() != nil {
		return 0
	}
	for _, j := range l.order {
		s := l.stagings[j.ID]
		stuck := s != nil && !s.done && s.err != nil
		if j.State() == job.Queued && j.Want != job.WantCancel && !stuck && !l.elsewhere(j) {
			n++
		}
	}
	return n
}

// idle is why no job is sent to anybody, for people; empty when jobs are sent.
func (l *loop) idle() string {
	switch e := l.hold(); {
	case l.mode == job.ModePaused:
		return "the queue is paused"
	case l.mode == job.ModeDraining:
		return "the queue is draining"
	case e != nil:
		return e.Message
	}
	return ""
}

// keep makes a change durable, then takes it into the live state; false when
// the ledger did not take it: then nothing may be done about it.
func (l *loop) keep(change func(*tended)) bool {
	next := l.keeper.kept
	next.Warmed, next.Capped, next.Stopped = maps.Clone(next.Warmed), maps.Clone(next.Capped), maps.Clone(next.Stopped)
	if next.Stopped == nil {
		next.Stopped = map[string]*upkeep.Stop{}
	}
	if next.Warmed == nil {
		next.Warmed = map[string]upkeep.Warmed{}
	}
	if next.Capped == nil {
		next.Capped = map[string]time.Time{}
	}
	change(&next)
	if err := l.ledger.SetSetting(settingUpkeep, next); err != nil {
		l.log.Error("keep what the rules do", "error", err)
		l.keeper.at = l.keeper.at.Add(time.Minute) // not every second
		return false
	}
	l.keeper.kept, l.standing = next, time.Time{}
	return true
}

// audit keeps a deed in the audit log. That it could not be kept does not undo it.
func (l *loop) audit(by job.Caller, verb, target, result string) {
	if l.deeds == nil {
		return
	}
	e := job.AuditEntry{At: time.Now(), Actor: by.Name, Via: by.Via, Proof: by.Proof, Verb: verb, Target: target, Result: result}
	l.logError("keep an audit entry", l.deeds(e))
}

// judge asks the budgets. A deployment that one pauses gets no job until the
// next day, or until a person lifts the budgets.
func (l *loop) judge(s upkeep.Situation) {
	l.keeper.verdicts = map[string]upkeep.Verdict{}
	for _, d := range s.Deployments {
		v := l.rules.Judge(s, d.Name)
		l.keeper.verdicts[d.Name] = v
		_, was := l.keeper.kept.Capped[d.Name]
		switch {
		case v.Pause && !was:
			if l.keep(func(t *tended) { t.Capped[d.Name] = s.Now }) {
				l.log.Warn("a budget pauses a deployment", "deployment", d.Name, "spent", v.Spent, "cap", v.Cap, "whole", v.Whole)
				l.audit(byRule, "budget pause", d.Name, "budget_reached")
			}
		case !v.Pause && was:
			if l.keep(func(t *tended) { delete(t.Capped, d.Name) }) {
				l.log.Info("no budget pauses the deployment any more", "deployment", d.Name, "spent", v.Spent, "cap", v.Cap)
				l.audit(byRule, "budget pause ends", d.Name, "ok")
			}
		}
	}
}

// handOver makes another deployment the active one where a rule says so. Jobs
// that are still queued go there; what was sent stays where it is.
func (l *loop) handOver(s upkeep.Situation) bool {
	h := l.rules.Handover(s)
	if h.To == "" {
		return false
	}
	if err := l.ledger.SetSetting(settingActive, h.To); err != nil {
		l.log.Error("hand over", "error", err)
		return false
	}
	l.active = h.To
	l.keep(func(t *tended) { t.Chosen, t.Handover = s.Now, &handover{h, s.Now} })
	l.log.Warn("handed over to another deployment", "from", h.From, "to", h.To, "trouble", string(h.Trouble), "because", h.Because)
	l.audit(byRule, "failover to "+h.To, h.From, string(h.Trouble))
	return true
}

// tellHolds tells the fleet of which deployments a replica is to be held.
func (l *loop) tellHolds(s upkeep.Situation) {
	l.keeper.holdings = l.rules.Holds(s)
	names := slices.Sorted(maps.Keys(l.keeper.holdings))
	if l.keeper.told != nil && slices.Equal(names, l.keeper.told) {
		return
	}
	l.keeper.told = append([]string{}, names...)
	for _, n := range names {
		l.log.Info("a replica is to be held", "deployment", n, "because", l.keeper.holdings[n].Because)
	}
	l.fleet.Hold(names)
}

// noticeHolds keeps in the audit log what the fleet has held and given back.
func (l *loop) noticeHolds(all []job.Deployment) {
	first := l.keeper.held == nil
	before := l.keeper.held
	l.keeper.held = map[string]*job.Held{}
	for _, d := range all {
		l.keeper.held[d.Name] = d.Held
		was := before[d.Name]
		switch {
		case first: // an earlier process has told of it
		case was == nil && d.Held != nil:
			l.audit(byRule, "hold a replica", d.Name, "ok")
		case was != nil && d.Held == nil:
			l.audit(byRule, "give the replica back", d.Name, "ok")
		}
	}
}
