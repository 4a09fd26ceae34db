package simulator

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Faults holds the probability, 0 to 1, of each thing that can go wrong. A
// prompt's dice are thrown from the seed, its content and how often that
// content came before, so two runs with one seed see the same kinds of
// faults. Faults that end an attempt, at most one for each, become half as
// likely each time the same job returns: the job that the prompt's metadata
// names under extra_pnginfo.qm.job. A probability of 1 never shrinks.
type Faults struct {
	SlowVisibility  float64
	HalfFile        float64
	WrongOrder      float64
	KilledReplica   float64
	BadGateway      float64
	Unavailable     float64
	TimeoutAccepted float64
	Duplicate       float64
	ExecutionError  float64
	DiskFull        float64
	ForeignFile     float64
	SymbolicLink    float64
	HardLink        float64
	Pipe            float64
	HostileName     float64
	PartialBatch    float64
	GatewayAccepted float64
	// Savers is the share of jobs that save with custom nodes. The fleet does
	// nothing about it: who submits does.
	Savers float64
}

// fault is one kind, as a bit of a plan.
type fault uint32

const (
	slowVisibility fault = 1 << iota
	halfFile
	wrongOrder
	killedReplica
	badGateway
	unavailable
	timeoutAccepted
	duplicate
	executionError
	diskFull
	foreignFile
	symbolicLink
	hardLink
	pipe
	hostileName
	partialBatch
	gatewayAccepted
)

// kind describes a fault: its name on the command line, its usual
// probability, and whether it ends the attempt (fades: halves with each
// return of the job; fatal: excludes the other fatal ones).
type kind struct {
	bit          fault
	name         string
	usual        float64
	fades, fatal bool
	about        string
	of           func(*Faults) *float64
}

var kinds = []kind{
	{slowVisibility, "slow-visibility", 0.10, false, false, "files appear in the share late", func(f *Faults) *float64 { return &f.SlowVisibility }},
	{halfFile, "half-file", 0.04, true, true, "the worker dies and leaves a truncated file under its final name", func(f *Faults) *float64 { return &f.HalfFile }},
	{wrongOrder, "wrong-order", 0.10, false, false, "output nodes and batch files are written last to first", func(f *Faults) *float64 { return &f.WrongOrder }},
	{killedReplica, "killed-replica", 0.04, true, true, "the replica dies in mid-render, its queue and history with it", func(f *Faults) *float64 { return &f.KilledReplica }},
	{badGateway, "bad-gateway", 0.04, true, false, "the balancer answers 502 and nothing is queued", func(f *Faults) *float64 { return &f.BadGateway }},
	{unavailable, "unavailable", 0.04, true, false, "the balancer answers 503 and nothing is queued", func(f *Faults) *float64 { return &f.Unavailable }},
	{timeoutAccepted, "timeout-accepted", 0.04, true, false, "the prompt is queued but the answer never comes", func(f *Faults) *float64 { return &f.TimeoutAccepted }},
	{duplicate, "duplicate", 0.04, false, false, "the same prompt runs on two replicas, unless its files have names of the user's own", func(f *Faults) *float64 { return &f.Duplicate }},
	{executionError, "execution-error", 0.03, true, true, "a node raises; history says so, no file comes", func(f *Faults) *float64 { return &f.ExecutionError }},
	{diskFull, "disk-full", 0.02, true, true, "ENOSPC: half a file, and an error in history", func(f *Faults) *float64 { return &f.DiskFull }},
	{foreignFile, "foreign-file", 0.03, false, false, "somebody else's files at the share's root and in a folder of nobody's", func(f *Faults) *float64 { return &f.ForeignFile }},
	{symbolicLink, "symbolic-link", 0.03, false, false, "a symbolic link in the attempt's folder to another job's file", func(f *Faults) *float64 { return &f.SymbolicLink }},
	{hardLink, "hard-link", 0.03, false, false, "a hard link in the attempt's folder to a stranger's file", func(f *Faults) *float64 { return &f.HardLink }},
	{pipe, "pipe", 0.03, false, false, "a FIFO in the attempt's folder; opening it plainly hangs", func(f *Faults) *float64 { return &f.Pipe }},
	{hostileName, "hostile-name", 0.04, false, false, "one more whole output, named with a newline, escape sequences or 240 letters", func(f *Faults) *float64 { return &f.HostileName }},
	{partialBatch, "partial-batch", 0.04, true, true, "the worker dies in a batch: the last file is missing, the one before it truncated", func(f *Faults) *float64 { return &f.PartialBatch }},
	{gatewayAccepted, "bad-gateway-accepted", 0.04, true, false, "the prompt is queued, and the balancer answers 502", func(f *Faults) *float64 { return &f.GatewayAccepted }},
	{0, "savers", 0.35, false, false, "users save with custom nodes, under names that others use as well", func(f *Faults) *float64 { return &f.Savers }},
}

// FaultNames lists what ParseFaults understands, with a sentence for each.
func FaultNames() [][2]string {
	names := make([][2]string, len(kinds))
	for i, k := range kinds {
		names[i] = [2]string{k.name, k.about}
	}
	return names
}

// ParseFaults reads "none" (also ""), "all", or a list such as
// "half-file,duplicate:0.5": names with their usual probability or one given.
// "all" and names may be mixed; what comes later wins.
func ParseFaults(list string) (Faults, error) {
	var f Faults
	for _, word := range strings.Split(list, ",") {
		name, chance, given := strings.Cut(strings.TrimSpace(word), ":")
		p := -1.0
		if given {
			n, err := strconv.ParseFloat(chance, 64)
			if err != nil || !(n >= 0 && n <= 1) {
				return Faults{}, fmt.Errorf("fault %q: the probability must be a number from 0 to 1", word)
			}
			p = n
		}
		if err := f.set(name, p); err != nil {
			return Faults{}, err
		}
	}
	return f, nil
}

// set gives a fault probability p, or its usual one when p is negative.
func (f *Faults) set(name string, p float64) error {
	if name == "" {
		return nil
	}
	if name == "none" {
		*f = Faults{}
		return nil
	}
	found := false
	var known []string
	for _, k := range kinds {
		known = append(known, k.name)
		if name != k.name && name != "all" {
			continue
		}
		found = true
		*k.of(f) = p
		if p < 0 {
			*k.of(f) = k.usual
		}
	}
	if !found {
		sort.Strings(known)
		return fmt.Errorf("unknown fault %q; known: all, none, %s", name, strings.Join(known, ", "))
	}
	return nil
}

func (f fault) has(bit fault) bool { return f&bit != 0 }

// faultNames lists the names of a plan's faults, in alphabetical order.
func faultNames(plan fault) []string {
	names := []string{}
	for _, k := range kinds {
		if plan.has(k.bit) {
			names = append(names, k.name)
		}
	}
	sort.Strings(names)
	return names
}

// plan throws the dice of a prompt whose content came occurrence times before
// and whose job came back returns times.
func (f Faults) plan(seed uint64, content string, occurrence, returns int) fault {
	var plan fault
	fatal := false
	for _, k := range kinds {
		p := *k.of(&f)
		if k.fades && p < 1 {
			p /= float64(uint64(1) << min(returns, 20))
		}
		if k.fatal && fatal || roll(seed, k.name, content, occurrence) >= p {
			continue
		}
		plan |= k.bit
		fatal = fatal || k.fatal
	}
	return plan
}

// roll is a number from 0 up to 1 that depends on nothing but its arguments.
func roll(seed uint64, what, content string, occurrence int) float64 {
	h := xxhash.New()
	fmt.Fprintf(h, "%d\x00%s\x00%s\x00%d", seed, what, content, occurrence)
	return float64(h.Sum64()>>11) / (1 << 53)
}
