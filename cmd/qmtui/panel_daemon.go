package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// daemonStart is how long a daemon that is left behind has until it answers.
const daemonStart = 30 * time.Second

// leaveDaemon starts a manager that outlives this process and its terminal,
// with the same configuration and the same log, and waits until it answers on
// the socket. The manager of this process must have ended.
func (a *app) leaveDaemon(ctx context.Context, c *api.Client, out io.Writer) error {
	cfg, _, err := a.config()
	if err != nil {
		return err
	}
	log, err := openEmbeddedLog(cfg)
	if err != nil {
		return err
	}
	defer log.Close()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program of this process: %w", err)
	}
	d := exec.Command(binary, a.daemonArgs()...)
	d.Stdout, d.Stderr = log, log
	d.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.Start(); err != nil {
		return fmt.Errorf("start a daemon: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Wait() }()
	if err := answers(ctx, c, ended); err != nil {
		return &job.Error{Code: "daemon_not_started", Class: job.Unavailable, Message: "the daemon does not answer: " + strings.ReplaceAll(err.Error(), "\n", ": "),
			Hint: "read " + log.Name() + `, then start one with "qmtui --daemon"; no job is lost`}
	}
	again := "qmtui"
	if a.configPath != "" {
		again += " --config " + a.configPath
	}
	_, err = fmt.Fprintf(out, "a daemon goes on as process %d and logs to %s\nattach again: %s\nstop it: kill %d\n", d.Process.Pid, log.Name(), again, d.Process.Pid)
	return err
}

// daemonArgs is the command line of a daemon with this process's configuration.
func (a *app) daemonArgs() []string {
	args := []string{"daemon"}
	if a.configPath != "" {
		args = append(args, "--config", a.configPath)
	}
	for _, f := range a.flags {
		args = append(args, f.Name, f.Value)
	}
	return args
}

// answers waits until a manager answers, or has ended.
func answers(ctx context.Context, c *api.Client, ended <-chan error) error {
	ctx, stop := context.WithTimeout(ctx, daemonStart)
	defer stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := c.QueueStatus(ctx); err == nil || !errors.Is(err, api.ErrNoDaemon) && ctx.Err() == nil {
			return nil
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("it ended"), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}
