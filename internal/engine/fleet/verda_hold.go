package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// heldLeast is the min_replica_count that holding sets.
const heldLeast = 1

func (s *site) holdKey() string { return "verda.hold." + s.spec.Name }

// Hold replaces the set of deployments of which one replica is to be kept
// through the platform's min_replica_count, which costs its price whether it
// renders or not; all others are given back. It is carried out by Run, tried
// again until it worked, and seen in Deployments. Holding changes what the
// site's infrastructure code says of the deployment until it is given back;
// that code is never run from here. Until the first call nothing is changed,
// also not what an earlier process held. A deployment without the control API
// cannot be held and stays as it is.
func (f *Fleet) Hold(names []string) {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	for _, s := range f.sites {
		s.wantHold(wanted[s.spec.Name])
	}
}

func (s *site) wantHold(want bool) {
	s.mu.Lock()
	s.over.wanted, s.over.told = want, true
	s.mu.Unlock()
	s.nudge()
}

// holdDue reports that what is held is not what is wanted.
func (s *site) holdDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over.told && s.over.wanted != (s.over.held != nil)
}

// recallHold takes what an earlier process held.
func (s *site) recallHold() {
	if s.opts.Settings == nil {
		return
	}
	var kept job.Held
	if _, err := s.opts.Settings.Setting(s.holdKey(), &kept); err != nil {
		s.opts.Logger.Warn("recall the held replica", "deployment", s.spec.Name, "error", err)
		return
	}
	if kept.Since.IsZero() {
		return
	}
	if s.spec.Driver != "verda" || s.opts.Control.ClientID == "" {
		s.opts.Logger.Error("a replica was held and cannot be given back without the control API; set min_replica_count back by hand",
			"deployment", s.spec.Name, "min_replica_count", kept.Was, "since", kept.Since)
	}
	s.over.held = &kept
}

// tendHold takes and gives back as is wanted; what an earlier process held and
// nobody wants any more is given back too.
func (s *site) tendHold(ctx context.Context, c *control) {
	if s.opts.Settings == nil || !s.holdDue() { // without memory a crash would keep it for ever
		return
	}
	s.mu.Lock()
	wants, held := s.over.wanted, s.over.held
	s.mu.Unlock()
	var err error
	switch {
	case wants:
		err = s.takeHold(ctx, c)
	default:
		err = s.giveBack(ctx, c, *held)
	}
	if err != nil && ctx.Err() == nil {
		s.opts.Logger.Warn("hold a replica", "deployment", s.spec.Name, "wanted", wants, "error", err)
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
	held := job.Held{Was: now.Least, Since: s.opts.Now()}
	if err := s.opts.Settings.SetSetting(s.holdKey(), held); err != nil {
		return fmt.Errorf("remember what was: %w", err)
	}
	s.mu.Lock()
	s.over.held = &held
	s.mu.Unlock()
	if err := c.setLeast(ctx, name, heldLeast); err != nil {
		return errors.Join(err, s.holdFailed(ctx, c, held))
	}
	s.opts.Logger.Warn("holds a replica, which costs money and drifts from the site's infrastructure code until it is given back",
		"deployment", s.spec.Name, "min_replica_count", heldLeast, "was", now.Least)
	return nil
}

// holdFailed undoes a hold whose call failed. It may have been heard all the
// same, so nothing is forgotten unless the platform says that it was not.
func (s *site) holdFailed(ctx context.Context, c *control, held job.Held) error {
	now, err := c.scaling(ctx, platformName(s.spec))
	if err != nil || now.Least != held.Was {
		return err
	}
	return s.forgetHold()
}

// giveBack restores what was, unless somebody has changed it meanwhile.
func (s *site) giveBack(ctx context.Context, c *control, held job.Held) error {
	name := platformName(s.spec)
	now, err := c.scaling(ctx, name)
	if err != nil {
		return err
	}
	if now.Least == heldLeast && held.Was != heldLeast {
		if err := c.setLeast(ctx, name, held.Was); err != nil {
			return err
		}
	}
	if err := s.forgetHold(); err != nil {
		return err
	}
	s.opts.Logger.Info("gave the held replica back", "deployment", s.spec.Name, "min_replica_count", held.Was)
	return nil
}

func (s *site) forgetHold() error {
	if err := s.opts.Settings.SetSetting(s.holdKey(), job.Held{}); err != nil {
		return fmt.Errorf("forget the held replica: %w", err)
	}
	s.mu.Lock()
	s.over.held = nil
	s.mu.Unlock()
	return nil
}

// releaseHold gives back at an orderly end.
func (s *site) releaseHold(ctx context.Context, c *control) {
	s.mu.Lock()
	held := s.over.held
	s.mu.Unlock()
	if held == nil || s.opts.Settings == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := s.giveBack(ctx, c, *held); err != nil {
		s.opts.Logger.Error("give the held replica back; the next start tries again", "deployment", s.spec.Name, "error", err)
	}
}
