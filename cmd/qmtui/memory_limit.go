package main

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// How much of the memory the heap may have before it is collected harder: of
// what the service or container may use, the rest is for what is no heap;
// without such a bound of the machine, which others use too.
const (
	heapOfLimit   = 0.9
	heapOfMachine = 0.4
)

// limitMemory sets Go's soft memory limit (GOMEMLIMIT) from what this process
// may use, as its control group says, or else from the machine's size. Whoever
// sets $GOMEMLIMIT decides themselves.
func limitMemory(log *slog.Logger, mayUse, machine memlimit.Provider) {
	limit, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(1),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.ApplyRatio(mayUse, heapOfLimit), memlimit.ApplyRatio(machine, heapOfMachine))))
	if err != nil {
		log.Warn("the memory of the manager is not limited", "error", err)
		return
	}
	if limit > 0 {
		log.Debug("memory limit set", "bytes", limit)
	}
}
