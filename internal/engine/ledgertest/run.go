package ledgertest

import (
	"reflect"
	"testing"

	"github.com/comfyume/qmtui/internal/engine"
)

// Run holds a ledger to the contract; open makes a fresh, empty one that the
// test's cleanup closes.
func Run(t *testing.T, open func(t *testing.T) engine.Ledger) {
	rules := []struct {
		name string
		test func(*testing.T, engine.Ledger)
	}{
		{"a created job is found by id and key", createdIsFound},
		{"what is unknown is said to be so", unknownIsSaid},
		{"verdicts come in order and abort nothing", verdictsInOrder},
		{"a used idempotency key makes a submit stale", usedKey},
		{"a prompt id belongs to one job", promptOfOneJob},
		{"every attempt and output leads to its job", attemptsAndOutputs},
		{"facts are kept in order without bodies", factsInOrder},
		{"revisions have no gaps", revisions},
		{"counts and totals follow", countsFollow},
		{"open jobs are those not closed", openJobs},
		{"times keep their nanoseconds", timesKept},
		{"bodies come back byte for byte", blobs},
		{"filters pick what Filter.Matches picks", filters},
		{"pages join to the whole list", pages},
		{"bad queries are refused", badQueries},
		{"a watch begins with its snapshot", watchSnapshot},
		{"a watch has no gap", watchNoGap},
		{"a slow reader is cut off", watchCutOff},
		{"a watch may be stopped twice", watchStop},
		{"delivered files are found by path", deliveredByPath},
		{"orphans are kept by id", orphans},
		{"settings are kept", settings},
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.test(t, open(t)) })
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
