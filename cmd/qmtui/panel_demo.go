package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/demo"
)

// demoPanel plays the demo with the panel open until the person leaves. The
// judge speaks when the demo had come to its end by then.
func demoPanel(ctx context.Context, o demoOptions, f panelFlags, in io.Reader, out io.Writer) error {
	if !isTerminal(in) || !isTerminal(out) {
		return errNoTerminal
	}
	dir, clean, err := demoFolder(o.dir)
	if err != nil {
		return err
	}
	defer clean()
	s, err := newStage(o, dir)
	if err != nil {
		return err
	}
	result, ended, err := s.playWith(ctx, o, func(ctx context.Context, c *api.Client) error {
		return panelOptions{panelFlags: f, client: c, embedded: true, in: in, out: out}.show(ctx)
	})
	if err != nil {
		return err
	}
	if !ended {
		_, err := fmt.Fprintln(out, "left before the end; \"qmtui demo --headless\" plays to the end and judges")
		return err
	}
	if err = demoSummary(out, o, result); err == nil && !result.Verdict.Clean() {
		err = errUnclean
	}
	return err
}

// playWith runs fleet, manager and users behind a panel, until the panel is
// left. ended says that the judge has spoken.
func (s *stage) playWith(ctx context.Context, o demoOptions, panel func(context.Context, *api.Client) error) (result demo.Result, ended bool, err error) {
	defer func() { _ = s.log.Close() }()
	c, err := api.Dial(filepath.Join(s.scene.State(), "qmtui.sock"))
	if err != nil {
		return result, false, err
	}
	defer c.Close()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(inner)
	group.Go(func() error { return s.fleet.Run(gctx) })
	group.Go(func() error { return serveUntil(gctx, s.http, s.listener) })
	group.Go(func() error { return s.manager.Run(gctx) })
	group.Go(func() error {
		var err error
		result, err = s.proof(o, &demoProgress{}).Do(gctx)
		ended = err == nil
		if gctx.Err() != nil || errors.Is(err, context.Canceled) {
			return nil // the person left first
		}
		return err
	})
	group.Go(func() error {
		defer stop()
		return panel(gctx, c)
	})
	err = group.Wait()
	return result, ended, err
}
