package ledgertest

import (
	"errors"
	"testing"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) engine.Ledger { return NewMemory() })
}

func TestMemoryFails(t *testing.T) {
	m := NewMemory()
	full := errors.New("disk full")
	m.FailWith(func([]job.Fact) error { return full })
	s := Story{N: 1, User: "ada"}
	if _, err := m.Record(s.Created()); !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	if _, err := m.Job(s.ID()); !errors.Is(err, job.ErrNoJob) {
		t.Errorf("a failed Record left a job: %v", err)
	}
	m.FailWith(nil)
	Record(t, m, s.Created())
}
