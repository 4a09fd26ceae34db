package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/comfyume/qmtui/internal/demo"
)

// demoSummary tells people how the demo came out.
func demoSummary(w io.Writer, o demoOptions, r demo.Result) error {
	var b strings.Builder
	v := r.Verdict
	fmt.Fprintf(&b, "%d users, %d jobs each, %d replicas, cold start %s, faults %s, seed %d\n", o.users, o.jobs, o.replicas, o.coldStart, o.faults, o.seed)
	fmt.Fprintf(&b, "  submitted   %d in %.2f s (half within %.0f ms, 99 %% within %.0f ms)\n", r.Submitted, r.Burst, 1000*r.SubmitP50, 1000*r.SubmitP99)
	fmt.Fprintf(&b, "  ended       %s, %d attempts, %.1f s\n", tallyLine(r.States), r.Attempts, r.Elapsed)
	if len(r.Failures) > 0 {
		fmt.Fprintf(&b, "  why not     %s\n", tallyLine(r.Failures))
	}
	fmt.Fprintf(&b, "  outputs     %d written, %d delivered, %d orphans shown\n", v.Written, v.Delivered, r.Orphans)
	fmt.Fprintf(&b, "  judged      %d lost, %d twice, %d with the wrong user, %d with other bytes, %d told wrongly, %d jobs open\n",
		len(v.Lost), len(v.Twice), len(v.Wrong), len(v.Changed), len(v.Untold), len(v.Open))
	if v.Orphaned+len(v.Stale) > 0 {
		fmt.Fprintf(&b, "  save nodes  %d files that nothing attributes, shown as orphans, %d delivered in an older version\n", v.Orphaned, len(v.Stale))
	}
	fmt.Fprintf(&b, "  inputs      %d files made from their own job's picture, %d from another\n", v.Fed, len(v.Misfed))
	for name, list := range map[string][]string{"lost": v.Lost, "twice": v.Twice, "wrong user": v.Wrong, "other bytes": v.Changed, "told wrongly": v.Untold, "wrong input": v.Misfed, "older version": v.Stale} {
		for _, item := range list {
			fmt.Fprintf(&b, "    %s: %q\n", name, item)
		}
	}
	if o.dir != "" {
		fmt.Fprintf(&b, "  folders     %s\n", o.dir)
	}
	if v.Clean() {
		b.WriteString("clean: every file stands with its user, once, byte for byte\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tallyLine is "97 done, 3 failed", in the order of the names.
func tallyLine(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], k))
	}
	return strings.Join(parts, ", ")
}

// demoProgress shows how far the demo is: a bar on a terminal, nothing else.
type demoProgress struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

func newDemoProgress(w io.Writer, o demoOptions) *demoProgress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &demoProgress{}
	}
	return &demoProgress{bar: progressbar.NewOptions(o.users*o.jobs, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("submitting"))}
}

func (p *demoProgress) show(x demo.Progress) {
	if p.bar == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.Submitted >= x.Total {
		p.bar.Describe(fmt.Sprintf("%d files delivered, jobs ended", x.Delivered))
	}
	_ = p.bar.Set(x.Ended)
}

func (p *demoProgress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
