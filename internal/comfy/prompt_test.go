package comfy

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func TestPromptKeepsNumbersAndForgetsOrder(t *testing.T) {
	a := parse(t, `{"2":{"class_type":"A","inputs":{"seed":18446744073709551615,"cfg":7.50,"text":"<b> & é"},"_meta":{"title":"T"}},"10":{"inputs":{},"class_type":"B"}}`)
	b := parse(t, `{"10":{"class_type":"B","inputs":{}},"2":{"_meta":{"title":"T"},"inputs":{"text":"<b> & é","cfg":7.50,"seed":18446744073709551615},"class_type":"A"}}`)
	x, err := a.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if y, _ := b.MarshalJSON(); !bytes.Equal(x, y) {
		t.Errorf("order matters:\n%s\n%s", x, y)
	}
	want := `{"10":{"class_type":"B","inputs":{}},"2":{"_meta":{"title":"T"},"class_type":"A","inputs":{"cfg":7.50,"seed":18446744073709551615,"text":"<b> & é"}}}`
	if string(x) != want {
		t.Errorf("got  %s\nwant %s", x, want)
	}
	if ids := a.IDs(); !reflect.DeepEqual(ids, []string{"2", "10"}) {
		t.Errorf("ids %v, want 2 before 10", ids)
	}
}

func TestNodeIsACopy(t *testing.T) {
	p := parse(t, saving(`"x"`))
	n, ok := p.Node("9")
	if !ok || n.Class != "SaveImage" {
		t.Fatalf("got %+v, %v", n, ok)
	}
	n.Inputs["filename_prefix"] = "changed"
	if again, _ := p.Node("9"); again.Inputs["filename_prefix"] != "x" {
		t.Error("a reader changed the prompt")
	}
	if _, ok := p.Node("404"); ok {
		t.Error("node 404 came from nowhere")
	}
}

// As ComfyUI's is_link: two values, text and a number; True is a number there.
func TestLinkOf(t *testing.T) {
	for raw, want := range map[string]link{
		`["1",0]`:    {from: "1"},
		`["a:b",3]`:  {from: "a:b", slot: 3},
		`["1",-1]`:   {from: "1", slot: -1},
		`["1",0.5]`:  {from: "1", slot: -1},
		`["1",true]`: {from: "1", slot: 1},
	} {
		if from, slot, ok := LinkOf(value(t, raw)); !ok || from != want.from || slot != want.slot {
			t.Errorf("%s is %q, %d, %v, want %+v", raw, from, slot, ok, want)
		}
	}
	for _, raw := range []string{`["1"]`, `[1,0]`, `["1","0"]`, `["1",0,0]`, `["1",null]`, `{"0":"1"}`, `"1"`, `[["1"],0]`} {
		if from, slot, ok := LinkOf(value(t, raw)); ok {
			t.Errorf("%s is a link to %q, %d", raw, from, slot)
		}
	}
}

func value(t *testing.T, raw string) any {
	t.Helper()
	v, err := decodeExact(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLimitsZeroMeansDefault(t *testing.T) {
	if got, want := (Limits{}).withDefaults(), (Limits{DefaultBytes, DefaultDepth, DefaultNodes}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := ParsePrompt([]byte(saving(`"x"`)), Limits{Nodes: 1}); err == nil {
		t.Error("two nodes passed a limit of one")
	}
	if _, err := ParsePrompt([]byte(saving(`"x"`)), Limits{Depth: 3}); err == nil {
		t.Error("four levels passed a limit of three")
	}
}
