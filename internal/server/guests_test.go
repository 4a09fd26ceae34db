package server

import (
	"context"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// A guest acts under its own name, a looking one is refused, and whoever has
// left finds the door closed in the middle of a stream.
func TestGuests(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	first, second := svc.add(t, "user001"), svc.add(t, "user001")
	svc.callers = nil

	dial, leave := s.Admit(Guest{Name: "ada@laptop", Proof: "SHA256:x"})
	ada := api.Over("ssh", dial)
	if _, err := ada.Cancel(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if want := (job.Caller{Name: "ada@laptop", Admin: true, Via: "ssh", Proof: "SHA256:x"}); len(svc.callers) != 1 || svc.callers[0] != want {
		t.Errorf("the engine heard %+v, want %+v", svc.callers, want)
	}
	dialLooking, leaveLooking := s.Admit(Guest{Name: "wall", ReadOnly: true})
	defer leaveLooking()
	wall := api.Over("ssh", dialLooking)
	_, err := wall.Cancel(t.Context(), second.ID)
	wantCode(t, err, "read_only")
	if _, err := wall.Job(t.Context(), second.ID); err != nil {
		t.Error(err)
	}

	stream, err := ada.Events(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	leave()
	for err == nil {
		_, err = stream.Next()
	}
	if _, err := ada.QueueStatus(t.Context()); err == nil {
		t.Error("who has left may still ask")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := wall.QueueStatus(t.Context()); err == nil {
		t.Error("a server that has stopped answers")
	}
}
