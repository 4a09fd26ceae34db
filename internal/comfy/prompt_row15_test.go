package comfy

import (
	"errors"
	"strings"
	"testing"
)

// Row 15: prompts that ComfyUI itself takes, and wrote.
func TestRow15PromptsReadBackAreAccepted(t *testing.T) {
	node := `"1":{"class_type":"EmptyImage","is_changed":[NaN],"inputs":{"width":64}},"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x"}}`
	for name, raw := range map[string]string{
		"NaN":           "{" + node + "}",
		"byte order":    "\xef\xbb\xbf{" + node + "}",
		"numbers":       strings.Replace("{"+node+"}", "[NaN]", `[[-Infinity, {"a": Infinity}], NaN]`, 1),
		"bare":          strings.Replace("{"+node+"}", "[NaN]", "NaN", 1),
		"spaces":        strings.Replace("{"+node+"}", `"is_changed":[NaN]`, `"is_changed" : [ NaN ]`, 1),
		"last in node":  `{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x"},"is_changed":NaN},"1":{"class_type":"EmptyImage","inputs":{}}}`,
		"twice":         strings.Replace("{"+node+"}", `"9":{`, `"9":{"is_changed":[NaN],`, 1),
		"text that has": strings.Replace("{"+node+"}", `"x"`, `"NaN is_changed"`, 1),
	} {
		p, err := ParsePrompt([]byte(raw), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back, _ := p.MarshalJSON(); strings.Contains(string(back), `"is_changed":`) || strings.Contains(string(back), "null") {
			t.Errorf("%s: sent as %s", name, back)
		}
	}
}

// Row 15: in any other place the numbers are still refused, by the same code.
func TestRow15NaNInInputsIsRefused(t *testing.T) {
	for _, raw := range []string{
		`{"1":{"class_type":"A","inputs":{"x":NaN}}}`,
		`{"1":{"class_type":"A","is_changed":[NaN],"inputs":{"x":NaN}}}`,
		`{"1":{"class_type":"A","inputs":{"x":NaN},"is_changed":[NaN]}}`,
		`{"1":{"class_type":"A","inputs":{"is_changed":NaN}}}`,
		`{"1":{"class_type":"A","inputs":{"a":"is_changed","b":Infinity}}}`,
		`{"1":{"class_type":"A","is_changed":0,"_meta":{"x":-Infinity},"inputs":{}}}`,
		`{"is_changed":NaN,"1":{"class_type":"A","inputs":{}}}`,
	} {
		_, err := ParsePrompt([]byte(raw), Limits{})
		var r *Refusal
		if !errors.As(err, &r) || r.Code != "bad_number" {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// Row 15: a prompt from a delivered picture is sent as the one that was submitted: our
// helper nodes do not collect, whatever switches are on.
func TestRow15HelperNodesAreTakenOut(t *testing.T) {
	source := parseFile(t, "testdata/prompts/linked-prefix.json")
	for _, tag := range []Tag{{Prefix: true, Marker: true}, {Prefix: true}, {Embed: true}, {}} {
		tag.PromptID = attempt
		want, err := source.Tagged(tag, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		delivered := parseFile(t, "testdata/prompts/linked-prefix-delivered.json")
		for range 3 { // any number of times
			got, err := delivered.Tagged(tag, nil, nil)
			if err != nil || string(got.Prompt) != string(want.Prompt) {
				t.Fatalf("%+v: sent as\n%s, %v, want\n%s", tag, got.Prompt, err, want.Prompt)
			}
			delivered = parse(t, string(got.Prompt))
		}
	}
}

// Row 15: what a user takes from such a node, or calls so, stays.
func TestRow15HelpersInUseStay(t *testing.T) {
	for _, raw := range []string{
		`{"qm-started-image":{"class_type":"EmptyImage","inputs":{}},"9":{"class_type":"SaveImage","inputs":{"images":["qm-started-image",0],"filename_prefix":"x"}}}`,
		`{"qm-started":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"mine"}},"1":{"class_type":"EmptyImage","inputs":{}}}`,
		`{"qm-prefix-9":{"class_type":"StringConcatenate","inputs":{"string_a":"a","string_b":"b","delimiter":"/"}},"9":{"class_type":"SaveImage","inputs":{"filename_prefix":["qm-prefix-9",0]}}}`,
		`{"qm-tame-9":{"class_type":"KSampler","inputs":{}}}`,
	} {
		p := parse(t, raw)
		req, err := p.Tagged(Tag{PromptID: attempt}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, string(req.Prompt)); got.Len() != p.Len() {
			t.Errorf("%s: %d nodes are left", raw, got.Len())
		}
	}
}
