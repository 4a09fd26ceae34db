package comfy

import (
	"encoding/json"
	"strings"
	"testing"
)

// The tables are held to what a real server (0.8.0) said of these classes.
func TestTablesAgreeWithARealServer(t *testing.T) {
	info := selected(t)
	outputs := 0
	for name, class := range info.classes {
		s, saves := savers[name]
		switch {
		case class.Output != isCoreOutput(name):
			t.Errorf("%s: output_node is %v, the tables say %v", name, class.Output, isCoreOutput(name))
		case saves && previews[name]:
			t.Errorf("%s both saves and previews", name)
		case !class.Output && !isCore(name):
			t.Errorf("%s is ComfyUI's own and in no table", name)
		}
		if class.Output {
			outputs++
		}
		if saves {
			sameSaver(t, name, s, class)
		}
	}
	if outputs != 27 {
		t.Errorf("the fixture has %d output nodes, want 27", outputs)
	}
}

func sameSaver(t *testing.T, name string, s saver, class Class) {
	t.Helper()
	if in, ok := class.input(s.input); !ok || in.Type != "STRING" {
		t.Errorf("%s: input %q is %+v, want a STRING", name, s.input, in)
	}
	if _, optional := class.optional(s.input); optional || !s.core {
		t.Errorf("%s: input %q is not required", name, s.input)
	}
	for _, also := range []string{s.per, s.also} {
		if _, ok := class.input(also); also != "" && !ok {
			t.Errorf("%s has no input %q", name, also)
		}
	}
}

// Every save node that a real server has beyond the table is found by its
// filename_prefix; every one in the table is in the fixture, but for names that
// other versions use and one that is not ComfyUI's own.
func TestTableHasNothingUnheardOf(t *testing.T) {
	info := selected(t)
	elsewhere := setOf("SaveLoRANode", "VHS_VideoCombine", "Preview3DAnimation", "SaveImageWebsocket")
	for _, table := range []map[string]bool{keysOf(savers), previews} {
		for name := range table {
			if info.lacks(name) && !elsewhere[name] {
				t.Errorf("no server was seen with %s", name)
			}
		}
	}
}

func keysOf(m map[string]saver) map[string]bool {
	out := map[string]bool{}
	for key := range m {
		out[key] = true
	}
	return out
}

func TestParseObjectInfo(t *testing.T) {
	info, err := ParseObjectInfo([]byte(`{
		"A":{"input":{"required":{"x":["FLOAT",{"default":NaN,"max":Infinity,"min":-Infinity}],"c":[["a","b"]],"name \"NaN\"":["STRING",{"default":"NaN, -Infinity"}]},
			"optional":{"s":["STRING"],"i":["INT",{"default":3}]},"hidden":{"p":"PROMPT"}},"output":["IMAGE","MASK"],"output_node":true},
		"B":5,
		"C":{"input":{"required":{"grow":["COMFY_AUTOGROW_V3",{}],"n":7}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := info.Class("A")
	if !ok || !a.Output || a.Slots != 2 || len(a.Required) != 3 || len(a.Optional) != 2 {
		t.Fatalf("A is %+v", a)
	}
	if in, _ := a.input(`name "NaN"`); in.Default != "NaN, -Infinity" {
		t.Errorf("text in strings changed: %+v", in)
	}
	if in, _ := a.input("c"); in.Type != "COMBO" {
		t.Errorf("choices are %+v", in)
	}
	if b, ok := info.Class("B"); !ok || b.Slots != -1 {
		t.Errorf("B is %+v, %v, want known by name", b, ok)
	}
	if _, ok := info.Class("D"); ok || info.Len() != 3 || !info.lacks("D") {
		t.Error("D came from nowhere")
	}
	if !json.Valid(info.JSON()) || !strings.Contains(string(info.JSON()), `"NaN, -Infinity"`) || !strings.Contains(string(info.JSON()), `"max":null`) {
		t.Errorf("handed on as %s", info.JSON())
	}
}

func TestNilObjectInfoKnowsNothing(t *testing.T) {
	var info *ObjectInfo
	if _, ok := info.Class("SaveImage"); ok || info.Len() != 0 || info.lacks("SaveImage") || info.JSON() != nil {
		t.Error("nil knows something")
	}
}

func TestParseObjectInfoErrors(t *testing.T) {
	for _, raw := range []string{``, `null`, `[]`, `{`, `"x`, `NaN`} {
		if info, err := ParseObjectInfo([]byte(raw)); err == nil {
			t.Errorf("%q gave %+v", raw, info)
		}
	}
}

// An input of the V3 schema that grows stands in the prompt under dotted names.
func TestDynamicInputsAreNotMissing(t *testing.T) {
	info, err := ParseObjectInfo([]byte(`{"S":{"output_node":true,"input":{"required":{
		"images":["COMFY_AUTOGROW_V3",{}],"model":["COMBO",{}],"filename_prefix":["STRING",{}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if r := refusalOf(`{"1":{"class_type":"S","inputs":{"filename_prefix":"x","model.size":1}}}`, info); r != nil {
		t.Errorf("refused: %v", r)
	}
}

func FuzzParseObjectInfo(f *testing.F) {
	f.Add([]byte(`{"A":{"input":{"required":{"x":["FLOAT",{"max":Infinity}]}}}}`))
	f.Add([]byte(`{"A":"NaN\"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		info, err := ParseObjectInfo(raw)
		if (info == nil) == (err == nil) {
			t.Errorf("got %v and %v", info, err)
		}
		if string(raw) != before {
			t.Error("the bytes were changed")
		}
	})
}
