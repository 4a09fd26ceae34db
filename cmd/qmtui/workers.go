package main

import (
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

// workerState is what is known of a deployment, with the evidence and its age.
func workerState(w api.Worker, now time.Time) string {
	s := string(w.State)
	if w.Because != "" {
		s += ": " + w.Because
	}
	if !w.At.IsZero() {
		s += " (" + string(w.Evidence) + ", " + age(w.At, now) + ")"
	}
	return s
}
