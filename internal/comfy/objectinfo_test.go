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
		row, known := builtIn()[name]
		switch {
		case class.Output != isCoreOutput(name):
			t.Errorf("%s: output_node is %v, the tables say %v", name, class.Output, isCoreOutput(name))
		case !class.Output && !isCore(name):
			t.Errorf("%s is ComfyUI's own and in no table", name)
		}
		if class.Output {
			outputs++
		}
		if !known || row.None != "" {
			continue
		}
		for _, main := range []string{row.Folder, row.Prefix, row.Name} {
			if in, ok := class.input(main); main != "" && (!ok || in.Type != "STRING") {
				t.Errorf("%s: input %q is %+v, want a STRING", name, main, in)
			}
			if _, optional := class.optional(main); optional {
				t.Errorf("%s: input %q is not required", name, main)
			}
		}
		if _, ok := class.input(row.Batch); row.Batch != "" && !ok {
			t.Errorf("%s has no input %q", name, row.Batch)
		}
	}
	if outputs != 27 {
		t.Errorf("the fixture has %d output nodes, want 27", outputs)
	}
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
