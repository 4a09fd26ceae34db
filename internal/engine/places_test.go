package engine

import (
	"errors"
	"slices"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

func TestPlaces(t *testing.T) {
	p := newPlaces()
	j := job.Job{Spec: job.Spec{User: "ada"}, Outputs: []job.Output{
		{ID: "1", State: job.OutputWhole, Dest: "film/shot_00001_.png"},
		{ID: "2", State: job.OutputStored, Dest: "film/shot_00002_.png"}, // stands there: no reservation
		{ID: "3", State: job.OutputSeen},
	}}
	p.follow(j)
	if got := p.others("ada", nil); !slices.Equal(got, []string{"film/shot_00001_.png"}) {
		t.Errorf("reserved %q", got)
	}
	if got := p.others("ada", []job.Transfer{{Output: "1"}}); got != nil {
		t.Errorf("its own place is taken from it: %q", got)
	}
	if got := p.others("bob", nil); got != nil {
		t.Errorf("of another user: %q", got)
	}
	batch := []job.Transfer{{Output: "1", User: "ada", Dest: "film/shot_00001_.png"}, {Output: "4", User: "ada"}}
	if _, err := p.choose(batch, func([]string) ([]string, error) { return nil, errors.New("the disk is away") }); err == nil || len(p.others("ada", nil)) != 1 {
		t.Errorf("a failed choice reserved something: %v", err)
	}
	dests, err := p.choose(batch, func(taken []string) ([]string, error) {
		return []string{"film/shot_00001_.png", "film/shot_00003_.png"}, nil
	})
	if err != nil || len(dests) != 2 || !slices.Contains(p.others("ada", nil), "film/shot_00003_.png") {
		t.Errorf("%q, %v", dests, err)
	}
	p.release("ada", "4")
	j.Outputs[0].State = job.OutputAbandoned
	p.follow(j)
	if got := p.others("ada", nil); got != nil {
		t.Errorf("still reserved: %q", got)
	}
	j.Outputs[0].State = job.OutputWhole
	p.follow(j)
	if p.forget(j); len(p.others("ada", nil)) != 0 {
		t.Error("a forgotten job holds a place")
	}
}
