package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// userStatuses joins what the ledger counts with what the loop holds against
// each user, by name.
func userStatuses(counts map[string]job.Counts, totals map[string]job.Folders, today []job.UserSpend, b *board, p Policy) []job.UserStatus {
	spent := map[string]float64{}
	for _, u := range today {
		spent[u.User] = u.Amount
	}
	all := make([]job.UserStatus, 0, len(counts))
	for _, u := range slices.Sorted(maps.Keys(counts)) {
		s := job.UserStatus{User: u, GPUSeconds: b.usage.of(u, time.Now()), SpendToday: spent[u], Charge: b.charges[u],
			Outputs: totals[u].Outputs, Bytes: totals[u].Bytes, Newest: totals[u].Newest,
			MaxQueued: p.MaxQueued, MaxRunning: p.MaxRunning}
		for state, n := range counts[u] {
			switch {
			case state == job.Queued:
				s.Queued += n
			case !state.Terminal():
				s.Running += n
			case state == job.Done:
				s.Done += n
			case state != job.Cancelled:
				s.Failed += n
			}
		}
		all = append(all, s)
	}
	return all
}
