package engine

import (
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

func TestPlaces(t *testing.T) {
	p := newPlaces()
	p.reserve("ada", "film/shot_00001_.png", "1")
	tests := []struct {
		user, dest string
		id         string
		taken      bool
	}{
		{"ada", "film/shot_00001_.png", "2", true},
		{"ada", "film/shot_00001_.png", "1", false}, // its own
		{"ada", "film/shot_00001_.mp4", "2", true},  // ComfyUI counts across extensions
		{"ada", "film/shot_00002_.png", "2", false},
		{"bob", "film/shot_00001_.png", "2", false},
	}
	for _, tt := range tests {
		if got := p.heldByOther(tt.user, tt.dest, job.OutputID(tt.id)); got != tt.taken {
			t.Errorf("%s/%s by %s: taken %v, want %v", tt.user, tt.dest, tt.id, got, tt.taken)
		}
	}
	p.reserve("ada", "set/00000.png", "3")
	if p.heldByOther("ada", "set/00000.txt", "4") {
		t.Error("a caption may stand beside its picture: names without a counter are pairs")
	}
	p.release("ada", "film/shot_00001_.png")
	if p.heldByOther("ada", "film/shot_00001_.mp4", "2") {
		t.Error("a released place is still held")
	}
}
