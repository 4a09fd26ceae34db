package bounds

import (
	"os"
	"strings"
	"testing"
)

func TestReferenceDocumentIsFresh(t *testing.T) {
	want, err := Reference("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/limits.md")
	if err != nil || string(got) != want {
		t.Errorf(`docs/limits.md is stale; run "go generate ./internal/bounds" (%v)`, err)
	}
}

// TestEveryLimitHasARow: no key of [limits] is forgotten.
func TestEveryLimitHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, s := range sections {
		for _, b := range s.bounds {
			rows[b.name] = true
			if b.beyond == "" {
				t.Errorf("%s: what happens beyond it?", b.name)
			}
		}
	}
	keys, err := settings()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for key := range keys {
		if strings.HasPrefix(key, "limits.") {
			if found++; !rows[key] {
				t.Errorf("%s has no row", key)
			}
		}
	}
	if found == 0 {
		t.Error("the section limits was not found")
	}
}

func TestUnknownNames(t *testing.T) {
	s := newSource("../..")
	for _, name := range []string{"allStreams", "server.noSuch", "server.pace.noSuch", "nowhere.x", "server.pace"} {
		if v, err := s.value(name, count); err == nil {
			t.Errorf("%s is %s", name, v)
		}
	}
}

// TestValuesThatStandElsewhere holds the reading of the source to values that a
// person would read in the same place.
func TestValuesThatStandElsewhere(t *testing.T) {
	s := newSource("../..")
	for _, c := range []struct {
		name string
		unit unit
		want string
	}{
		{"server.pace.Least", size, "16 KiB"}, {"server.pace.Grace", span, "1m"},
		{"server.allStreams", count, "480"}, {"comfy.DefaultBytes", size, "10 MiB"}, {"picture.cpuLimit", span, "15s"},
		{"engine/share.maxRest", count, "500,000"},
	} {
		if got, err := s.value(c.name, c.unit); err != nil || got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, err)
		}
	}
}
