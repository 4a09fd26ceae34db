package qmtui_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/comfyume/qmtui/"

// arrows is the house: which package may import which of ours. It is the table
// of docs/architecture.md; a new package adds a row here and there. A star
// stands for everything.
var arrows = map[string][]string{
	"cmd/qmtui":                    {"*"},
	"internal/job":                 {},
	"internal/comfy":               {},
	"internal/calendar":            {},
	"internal/config":              {"internal/calendar"},
	"internal/bounds":              {"internal/config"},
	"internal/engine/share":        {"internal/job", "internal/comfy"},
	"internal/engine/fleet":        {"internal/job", "internal/comfy"},
	"internal/store":               {"internal/job"},
	"internal/engine":              {"internal/job", "internal/engine/upkeep"},
	"internal/engine/upkeep":       {"internal/job", "internal/calendar"},
	"internal/engine/ledgertest":   {"internal/job", "internal/engine"},
	"internal/api":                 {"internal/job"},
	"internal/face":                {"internal/api", "internal/job"},
	"internal/server":              {"internal/api", "internal/face", "internal/job", "internal/limit", "internal/picture", "assets"},
	"internal/picture":             {"internal/job"},
	"internal/picture/picturetest": {},
	"internal/ui":                  {"internal/api", "internal/job", "internal/picture"},
	"internal/ui/pictures":         {"internal/api", "internal/ui"},
	"internal/metrics":             {"internal/job"},
	"internal/sdnotify":            {},
	"internal/limit":               {},
	"internal/simulator":           {"internal/comfy"},
	"internal/sshd":                {"internal/job"},
	"internal/demo":                {"internal/api", "internal/config", "internal/job", "internal/simulator"},
	"internal/doctor":              {"internal/api", "internal/comfy", "internal/config", "internal/job", "internal/sshd"},
	"assets":                       {},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// TestArrows asks the go command who imports whom and fails on any arrow that
// the table does not have.
func TestArrows(t *testing.T) {
	for _, p := range list(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		allowed, ok := arrows[room]
		if !ok {
			t.Errorf("%s is not in the table", room)
			continue
		}
		for _, i := range p.Imports {
			to, ours := strings.CutPrefix(i, module)
			if ours && !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
				t.Errorf("%s may not import %s", room, to)
			}
		}
	}
}

// TestNoCatchAllPackages keeps out the names under which everything ends up.
func TestNoCatchAllPackages(t *testing.T) {
	for _, p := range list(t) {
		for _, part := range strings.Split(strings.TrimPrefix(p.ImportPath, module), "/") {
			if slices.Contains([]string{"util", "utils", "common", "types", "helpers", "misc"}, part) {
				t.Errorf("%s: name it for what it holds", p.ImportPath)
			}
		}
	}
}

func list(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./cmd/...", "./internal/...", "./assets/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	return all
}
