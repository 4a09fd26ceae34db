package main

import (
	"context"
	"errors"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

// glance is qmtui without a command: the queue and the deployments at a
// glance, when a manager runs.
func (a *app) glance(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.QueueStatus(ctx)
	if errors.Is(err, api.ErrNoDaemon) {
		none := *api.ErrNoDaemon
		none.Message = "no manager listens on " + c.Target()
		none.Hint = `start one with "qmtui --daemon", or see everything at work with "qmtui demo"`
		return &none
	}
	if err != nil {
		return err
	}
	workers, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	a.showQueue(s, now)
	for _, w := range workers {
		a.printf("worker    %s\n", printable(w.Name+", "+workerState(w, now)))
	}
	return nil
}
