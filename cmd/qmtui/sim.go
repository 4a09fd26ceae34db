package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/internal/simulator"
)

// simOptions are the flags of sim.
type simOptions struct {
	listen, outputs, inputs, journal, key string
	deployments                           []string
	comfyui, gateway, astray, late        string
	scaleDown                             time.Duration
	fleet                                 fleetFlags
}

func simCommand(a *app) *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use: "sim --outputs DIR", Short: "Run the simulated fleet alone", Args: takes(0, 0, ""),
		Long: `Serves simulated ComfyUI deployments over HTTP, each under its name as on the
platform, and writes real files into --outputs. The addresses are printed, one
a line; a manager takes one as a deployment's url. Also there, for whoever
judges: /_sim/manifest, /_sim/executions and /_sim/status.`,
		Example: `  qmtui sim --outputs /tmp/share
  qmtui sim --outputs /tmp/share --listen 127.0.0.1:0 --faults half-file:0.5 --replicas 4
  curl http://127.0.0.1:8188/h200-spot/system_stats`,
	}
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8188", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.outputs, "outputs", "", "folder that all replicas write to; it must exist")
	f.StringVar(&o.inputs, "inputs", "", "folder that LoadImage reads (default: only example.png)")
	f.StringVar(&o.journal, "journal", "", "file to write what was written to, one JSON object a line")
	f.StringVar(&o.key, "key", "", "inference key that requests must carry; without it they get the platform's 404")
	f.StringArrayVar(&o.deployments, "deployment", []string{"h200-spot"}, "name of a deployment; may be given several times")
	f.StringVar(&o.comfyui, "comfyui", "0.8", "ComfyUI version that the replicas answer as: 0.8 or 0.33")
	f.StringVar(&o.gateway, "bad-gateway", "", "prompts that are answered 502, such as 2/3 for two of three; 2/3:accepted after they were queued")
	f.StringVar(&o.astray, "other-outputs", "", "output directory of every second replica instead of --outputs; it must exist")
	f.StringVar(&o.late, "late-class", "", "node class that each replica lacks in its first minute")
	f.DurationVar(&o.scaleDown, "scale-down", 300*time.Second, "time after the last request until all replicas go; 0 for never")
	o.fleet.add(c, fleetFlags{replicas: 1, coldStart: 2 * time.Second, faults: "none", balance: "random", seed: 1})
	_ = c.MarkFlagRequired("outputs")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.fleet.check(c); err != nil {
			return err
		}
		return a.sim(c.Context(), o)
	}
	return c
}

// sim serves the fleet until ctx ends.
func (a *app) sim(ctx context.Context, o simOptions) error {
	cfg, err := o.config()
	var fleet *simulator.Fleet
	if err == nil {
		fleet, err = simulator.New(cfg)
	}
	if err != nil {
		return failed("bad_fleet", err.Error(), "see \"qmtui sim --help\"")
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return failed("cannot_listen", err.Error(), "choose another --listen")
	}
	for _, d := range o.deployments {
		a.printf("http://%s/%s\n", l.Addr(), d)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return fleet.Run(gctx) })
	group.Go(func() error {
		return serveUntil(gctx, &http.Server{Handler: fleet.Handler(), ReadHeaderTimeout: 10 * time.Second}, l)
	})
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("run the simulated fleet: %w", err)
	}
	return nil
}

func (o simOptions) config() (simulator.Config, error) {
	faults, err := simulator.ParseFaults(o.fleet.faults)
	c := simulator.Config{Outputs: o.outputs, Inputs: o.inputs, Faults: faults, Seed: o.fleet.seed,
		Balance: simulator.Balance(o.fleet.balance), Journal: o.journal}
	if err != nil {
		return c, err
	}
	version, err := simulator.ParseVersion(o.comfyui)
	if err != nil {
		return c, err
	}
	gateway, err := simulator.ParseGateway(o.gateway)
	for _, name := range o.deployments {
		c.Deployments = append(c.Deployments, simulator.Deployment{Name: name, Replicas: o.fleet.replicas, ColdStart: o.fleet.coldStart,
			ScaleDown: o.scaleDown, Key: o.key, Version: version, Gateway: gateway, Astray: o.astray, Late: o.late})
	}
	return c, err
}
