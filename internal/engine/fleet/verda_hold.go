package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Hold is when one replica is kept through the platform's min_replica_count,
// which costs its price whether it renders or not. Holding changes what the
// site's infrastructure code says of the deployment until it is given back;
// that code is never run from here. The zero value holds nothing.
type Hold struct {
	WhileBusy bool // while attempts are in flight
	Windows   []Window
}

// Window is a time of the week.
type Window struct {
	Days     []time.Weekday // on which it begins; none means every day
	From, To time.Duration  // since midnight; To up to From means the next day
	Zone     *time.Location // nil means local time
}

// Contains says whether t lies in the window, its end excluded.
func (w Window) Contains(t time.Time) bool {
	zone := w.Zone
	if zone == nil {
		zone = time.Local
	}
	t = t.In(zone)
	for back := range 2 { // it may have begun yesterday
		day := time.Date(t.Year(), t.Month(), t.Day()-back, 0, 0, 0, 0, zone)
		if len(w.Days) > 0 && !slices.Contains(w.Days, day.Weekday()) {
			continue
		}
		begin, end := onDay(day, w.From), onDay(day, w.To)
		if w.To <= w.From {
			end = onDay(day, w.To+24*time.Hour)
		}
		if !t.Before(begin) && t.Before(end) {
			return true
		}
	}
	return false
}

// onDay is a time on the clock of that day, also when clocks change.
func onDay(day time.Time, since time.Duration) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, int(since), day.Location())
}

func (h Hold) off() bool { return !h.WhileBusy && len(h.Windows) == 0 }

// wants decides whether a replica is to be held now.
func (h Hold) wants(now time.Time, busy bool) bool {
	return h.WhileBusy && busy || slices.ContainsFunc(h.Windows, func(w Window) bool { return w.Contains(now) })
}

func (h Hold) check(s Spec, o Options) error {
	switch {
	case h.off():
		return nil
	case s.Driver != "verda" || o.Control.ClientID == "":
		return fmt.Errorf("deployment %s: holding a replica needs driver \"verda\" and an account with the control API", s.Name)
	case o.Settings == nil:
		return fmt.Errorf("deployment %s: holding a replica needs a place to remember it, so that it is given back after a crash", s.Name)
	}
	return nil
}

// heldReplica is what is remembered while a replica is held. The zero value: none is.
type heldReplica struct {
	Was   int       `json:"was"` // min_replica_count before
	Since time.Time `json:"since,omitzero"`
}

// heldLeast is the min_replica_count that holding sets.
const heldLeast = 1

func (s *site) holdKey() string { return "verda.hold." + s.spec.Name }

// tendHold takes and gives back as the rules say; what an earlier process
// held and nobody wants any more is given back too.
func (s *site) tendHold(ctx context.Context, c *control) {
	if s.opts.Settings == nil {
		return
	}
	var kept heldReplica
	_, err := s.opts.Settings.Setting(s.holdKey(), &kept)
	wants, held := s.spec.Hold.wants(s.opts.Now(), s.inFlight()), !kept.Since.IsZero()
	s.mu.Lock()
	s.over.held = held
	s.mu.Unlock()
	switch {
	case err != nil:
	case wants && !held:
		err = s.takeHold(ctx, c)
	case held && !wants:
		err = s.giveBack(ctx, c, kept)
	}
	if err != nil && ctx.Err() == nil {
		s.opts.Logger.Warn("hold a replica", "deployment", s.spec.Name, "error", err)
	}
}

// takeHold remembers what was before it changes anything: after a crash at
// any point the next start gives it back.
func (s *site) takeHold(ctx context.Context, c *control) error {
	name := platformName(s.spec)
	now, err := c.scaling(ctx, name)
	if err != nil || now.Least >= heldLeast { // somebody else holds one already
		return err
	}
	if err := s.opts.Settings.SetSetting(s.holdKey(), heldReplica{now.Least, s.opts.Now()}); err != nil {
		return fmt.Errorf("remember what was: %w", err)
	}
	s.mu.Lock()
	s.over.held = true
	s.mu.Unlock()
	if err := c.setLeast(ctx, name, heldLeast); err != nil {
		return err
	}
	s.opts.Logger.Warn("holds a replica, which costs money and drifts from the site's infrastructure code until it is given back",
		"deployment", s.spec.Name, "min_replica_count", heldLeast, "was", now.Least)
	return nil
}

// giveBack restores what was, unless somebody has changed it meanwhile.
func (s *site) giveBack(ctx context.Context, c *control, kept heldReplica) error {
	name := platformName(s.spec)
	now, err := c.scaling(ctx, name)
	if err != nil {
		return err
	}
	if now.Least == heldLeast && kept.Was != heldLeast {
		if err := c.setLeast(ctx, name, kept.Was); err != nil {
			return err
		}
	}
	if err := s.opts.Settings.SetSetting(s.holdKey(), heldReplica{}); err != nil {
		return fmt.Errorf("forget the held replica: %w", err)
	}
	s.mu.Lock()
	s.over.held = false
	s.mu.Unlock()
	s.opts.Logger.Info("gave the held replica back", "deployment", s.spec.Name, "min_replica_count", kept.Was)
	return nil
}

// releaseHold gives back at an orderly end.
func (s *site) releaseHold(ctx context.Context, c *control) {
	if s.opts.Settings == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var kept heldReplica
	ok, err := s.opts.Settings.Setting(s.holdKey(), &kept)
	if ok && !kept.Since.IsZero() {
		err = errors.Join(err, s.giveBack(ctx, c, kept))
	}
	if err != nil {
		s.opts.Logger.Error("give the held replica back; the next start tries again", "deployment", s.spec.Name, "error", err)
	}
}
