package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/simulator"
)

// fleetFlags are what demo and sim have in common: the simulated fleet.
type fleetFlags struct {
	replicas  int
	coldStart time.Duration
	faults    string
	balance   string
	seed      uint64
}

func (f *fleetFlags) add(c *cobra.Command, defaults fleetFlags) {
	flags := c.Flags()
	flags.IntVar(&f.replicas, "replicas", defaults.replicas, "replicas the simulated fleet scales out to")
	flags.DurationVar(&f.coldStart, "cold-start", defaults.coldStart, "time until a sleeping fleet answers")
	flags.StringVar(&f.faults, "faults", defaults.faults, "what goes wrong: none, all, or names with an optional probability, such as half-file,duplicate:0.5")
	flags.StringVar(&f.balance, "balance", defaults.balance, "which replica a request reaches: random, sticky (the right one) or never (never the right one)")
	flags.Uint64Var(&f.seed, "seed", defaults.seed, "number that decides pictures, times and faults")
	c.Long += "\n\nFaults:\n" + faultList()
}

func faultList() string {
	var b strings.Builder
	for _, f := range simulator.FaultNames() {
		fmt.Fprintf(&b, "  %-21s %s\n", f[0], f[1])
	}
	return strings.TrimRight(b.String(), "\n")
}

// check refuses what the simulator would refuse, as wrong usage.
func (f *fleetFlags) check(c *cobra.Command) error {
	if _, err := simulator.ParseFaults(f.faults); err != nil {
		return usage(c.CommandPath(), "--faults: %s", err)
	}
	switch b := simulator.Balance(f.balance); {
	case b != simulator.Random && b != simulator.Sticky && b != simulator.Never:
		return usage(c.CommandPath(), "--balance: %q is not random, sticky or never", f.balance)
	case f.replicas < 1 || f.replicas > 1000:
		return usage(c.CommandPath(), "--replicas must be from 1 to 1000")
	case f.coldStart < 0 || f.coldStart > time.Hour:
		return usage(c.CommandPath(), "--cold-start must be from 0 to 1h")
	}
	return nil
}
