package comfy

import (
	"encoding/json"
	"strings"
	"testing"
)

// What the workers' input and output folders hold for single users is in no
// list of nodes that the manager keeps.
func TestStagedFilesAreNoChoices(t *testing.T) {
	raw := `{"Last":{"input":{"required":{"z":["INT",{}],
			"folder":["COMBO",{"tooltip":"qm/","options":["3d","3d/qm","qm","qm/user002","qm/user002/x/input","styles","aqm","qmx/y",3]}],
			"old":[["qm\\user002\\a.png","/mnt/sfs/inputs/qm/user002/a.png","b.png","output/qm/1/9/c.safetensors"],{"default":"b.png"}],
			"a":["STRING",{"default":"qm/"}]},"optional":{"alone":[["qm/x","y"]],"odd":["COMBO",{"options":"qm/"}],"n":7}}},
		"First":{"input":{"required":{"i":["IMAGE"]}}},"Odd":["qm/"],"Text":{"input":"qm/"}}`
	info, err := ParseObjectInfo([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := info.Class("Last")
	for name, want := range map[string]string{"folder": `["3d","styles","aqm","qmx/y",3]`, "old": `["b.png"]`, "alone": `["y"]`} {
		in, _ := c.input(name)
		if got, _ := json.Marshal(in.Choices); string(got) != want {
			t.Errorf("%s offers %s, want %s", name, got, want)
		}
	}
	said := string(info.JSON())
	if !json.Valid(info.JSON()) || strings.Contains(said, "user002") || strings.Contains(said, "c.safetensors") {
		t.Errorf("handed on as %s", said)
	}
	if at := func(name string) int { return strings.Index(said, `"`+name+`"`) }; at("z") > at("folder") || at("old") > at("a") {
		t.Errorf("the order of the inputs is lost: %s", said)
	}
	other := `{"B":{"input":{"required":{"x":[["a","b"]]}}},"A":{}}`
	if info, err = ParseObjectInfo([]byte(other)); err != nil || string(info.JSON()) != other {
		t.Errorf("a list without any is now %s (%v)", info.JSON(), err)
	}
}
