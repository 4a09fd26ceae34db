package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// vanishedFor is how long every possible host must have been gone, so that
// files which the share still hides come first: it may cache folders for a
// minute (field.md).
const vanishedFor = 90 * time.Second

// hosting is which replicas an accepted prompt can be on. A prompt lives in
// the memory of one replica: of those that were there in the first look after
// it was accepted, or of one that was gone by then.
type hosting struct {
	accepted time.Time // when we knew it, which may be later than it was
	looked   bool      // hosts is known
	hosts    []string
	gone     time.Time // since when none of them was listed; zero while one is
	looks    int       // in a row that listed none of them
	told     bool
}

// after folds one look into the hosting. Looks that began before the prompt was
// accepted say nothing of it.
func (h hosting) after(l look) hosting {
	if !l.began.After(h.accepted) {
		return h
	}
	if !h.looked {
		h.looked = true
		for _, r := range l.replicas {
			h.hosts = append(h.hosts, r.ID)
		}
	}
	if slices.ContainsFunc(l.replicas, func(r Replica) bool { return slices.Contains(h.hosts, r.ID) }) {
		h.gone, h.looks = time.Time{}, 0
		return h
	}
	if h.gone.IsZero() {
		h.gone = l.at
	}
	h.looks++
	return h
}

// vanished is the verdict that the prompt cannot be running any more: every
// replica that could have it is gone, in two looks at least and for long enough
// that its files would have been seen. One possible host that is still listed,
// or a look that failed, means that nothing is certain.
func (h hosting) vanished(now time.Time) bool {
	return !h.gone.IsZero() && h.looks >= 2 && now.Sub(h.gone) >= vanishedFor
}

func (h hosting) fact(f job.Flight, now time.Time) job.Fact {
	message := "the platform lists no replica since the prompt was accepted"
	if len(h.hosts) > 0 {
		message = fmt.Sprintf("every replica that can have had the prompt is gone for %s: %s", span(now.Sub(h.gone)), shortList(h.hosts))
	}
	return job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID, Kind: job.Broke, At: now, Evidence: job.ByPlatform,
		Error: &job.Error{Code: "replica_vanished", Class: job.Unavailable, Transient: true, Message: message,
			Hint: "the platform took the machine away; the job is tried again while retries are left"}}
}

// shortList names at most three.
func shortList(ids []string) string {
	if len(ids) <= 3 {
		return fmt.Sprintf("%q", ids)
	}
	return fmt.Sprintf("%q and %d more", ids[:3], len(ids)-3)
}
