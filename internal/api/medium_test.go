package api

import (
	"encoding/json"
	"os"
	"path"
	"testing"
)

// Every kind of output stands under the key under which a real server lists it.
func TestMediumOf(t *testing.T) {
	raw, err := os.ReadFile("testdata/kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []struct {
		Class, Server string
		Files, Media  []string
		Output        struct{ Animated []bool }
	}
	if err := json.Unmarshal(raw, &kinds); err != nil || len(kinds) < 20 {
		t.Fatal(len(kinds), err)
	}
	for _, k := range kinds {
		for i, name := range k.Files {
			medium, animated := mediumOf(k.Class, path.Base(name))
			if medium != k.Media[i] || animated != (len(k.Output.Animated) > 0) {
				t.Errorf("%s (%s) %s: %s, animated %t", k.Class, k.Server, name, medium, animated)
			}
		}
	}
}
