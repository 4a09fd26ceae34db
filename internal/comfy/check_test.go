package comfy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

const (
	blank = `"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":1,"color":7}}`
	saved = `"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x"}}`
)

// saving is a good prompt with one save node of the given prefix, as JSON.
func saving(prefix string) string {
	return `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":` + prefix + `}}}`
}

// selected is the /object_info of a real server, a selection of its classes.
func selected(t testing.TB) *ObjectInfo {
	t.Helper()
	raw, err := os.ReadFile("testdata/objectinfo/selected.json")
	if err != nil {
		t.Fatal(err)
	}
	info, err := ParseObjectInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// refusalOf parses and checks.
func refusalOf(raw string, info *ObjectInfo) *Refusal {
	p, err := ParsePrompt([]byte(raw), Limits{})
	if err == nil {
		err = p.Check(info)
	}
	var r *Refusal
	errors.As(err, &r)
	return r
}

func TestRefusals(t *testing.T) {
	info := selected(t)
	for _, c := range []struct {
		name, raw string
		info      *ObjectInfo
		code      string
		status    int
		says      string
	}{
		{"nothing", ``, nil, "bad_json", 400, "it is empty"},
		{"not JSON", `{"1": {`, nil, "bad_json", 400, "not JSON"},
		{"two values", saving(`"x"`) + `{}`, nil, "bad_json", 400, "something follows"},
		{"NUL", "{\"1\x00\":{}}", nil, "bad_json", 400, "not JSON"},
		{"not UTF-8", "{\"1\":{\"class_type\":\"\xff\",\"inputs\":{}}}", nil, "bad_text", 400, "UTF-8"},
		{"half a surrogate pair", saving(`"t05/\ud800x"`), nil, "bad_text", 400, "surrogate"},
		{"low surrogate", saving(`"\udc00"`), nil, "bad_text", 400, "surrogate"},
		{"NaN", `{"1":{"class_type":"EmptyImage","inputs":{"width":NaN}}}`, nil, "bad_number", 400, "NaN"},
		{"minus infinity", `{"1":{"class_type":"EmptyImage","inputs":{"width":-Infinity}}}`, nil, "bad_number", 400, "-Infinity"},
		{"overflow", `{"1":{"class_type":"EmptyImage","inputs":{"width":1e999}}}`, nil, "bad_number", 400, "1e999"},
		{"endless digits", `{"1":{"class_type":"EmptyImage","inputs":{"width":` + strings.Repeat("1", 5000) + `}}}`, nil, "bad_number", 400, "5000 characters"},
		{"11 MB", `{"1":"` + strings.Repeat("x", 11<<20) + `"}`, nil, "too_big", 413, "more than the limit"},
		{"depth 10,000", strings.Repeat(`[`, 10000) + strings.Repeat(`]`, 10000), nil, "too_deep", 422, "200 levels"},
		{"6000 nodes", chain(6000), nil, "too_many_nodes", 422, "6001 nodes"},
		{"null", `null`, nil, "not_a_prompt", 400, "Export (API)"},
		{"a list", `[{"class_type":"SaveImage","inputs":{}}]`, nil, "not_a_prompt", 400, "not a JSON object"},
		{"UI format", `{"last_node_id":9,"nodes":[],"links":[],"version":0.4}`, nil, "ui_format", 400, "Workflow > Export (API)"},
		{"a whole body", `{"prompt":{` + blank + `},"client_id":"x"}`, nil, "wrapped_prompt", 400, `under its "prompt" key`},
		{"empty", `{}`, nil, "empty_prompt", 400, "no nodes"},
		{"a node that is a number", `{"1":5}`, nil, "bad_node", 400, "not an object"},
		{"no class", `{"1":{"inputs":{}}}`, nil, "bad_node", 400, "missing the class_type"},
		{"class that is no text", `{"1":{"class_type":3,"inputs":{}}}`, nil, "bad_node", 400, "missing the class_type"},
		{"no inputs on an unreachable node", `{` + blank + `,` + saved + `,"50":{"class_type":"ImageInvert"}}`, nil, "bad_node", 400, `"50" (ImageInvert): the node has no inputs`},
		{"inputs that are a list", `{"1":{"class_type":"EmptyImage","inputs":[]}}`, nil, "bad_node", 400, "not an object"},
		{"inputs that are null", `{"1":{"class_type":"EmptyImage","inputs":null}}`, nil, "bad_node", 400, "not an object"},
		{"very long node id", `{"` + strings.Repeat("n", 201) + `":{"class_type":"SaveImage","inputs":{}}}`, nil, "bad_node_id", 400, "too long"},
		{"link to an absent node", `{"9":{"class_type":"SaveImage","inputs":{"images":["404",0],"filename_prefix":"x"}}}`, nil, "missing_node", 400, `images links to node "404"`},
		{"undeclared link to an absent node", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x","bogus":["a",1]}}}`, info, "missing_node", 400, `bogus links to node "a"`},
		{"link with a boolean slot to an absent node", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x","bogus":["a",true]}}}`, nil, "missing_node", 400, "bogus"},
		{"absent node behind an unreachable one", `{` + blank + `,` + saved + `,"50":{"class_type":"ImageInvert","inputs":{"image":["404",0]}}}`, nil, "missing_node", 400, `"50"`},
		{"cycle", `{"1":{"class_type":"ImageInvert","inputs":{"image":["2",0]}},"2":{"class_type":"ImageInvert","inputs":{"image":["1",0]}},"9":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"x"}}}`, nil, "cycle", 400, " -> "},
		{"self link", `{"2":{"class_type":"ImageInvert","inputs":{"image":["2",0]}},"9":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"x"}}}`, nil, "cycle", 400, "2 -> 2"},
		{"undeclared self link", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x","bogus":["9",0]}}}`, nil, "cycle", 400, "9 -> 9"},
		{"no output node", `{` + blank + `}`, nil, "no_outputs", 400, "no output node"},
		{"no output node, server asked", `{` + blank + `}`, info, "no_outputs", 400, "no output node"},
		{"previews only", `{` + blank + `,"2":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}}`, nil, "previews_only", 400, "SaveImage"},
		{"a temp-folder graph only", `{` + blank + `,"2":{"class_type":"LossGraphNode","inputs":{"loss":["1",0],"filename_prefix":"x"}}}`, nil, "previews_only", 400, "shows a graph out of the temp folder"},
		{"video combine that saves nothing", `{` + blank + `,"2":{"class_type":"VHS_VideoCombine","inputs":{"images":["1",0],"filename_prefix":"x","save_output":false}}}`, nil, "previews_only", 400, "saves nothing as it is set (save_output = false)"},
		{"unknown class", `{` + blank + `,` + saved + `,"77":{"class_type":"NoSuchNode","inputs":{}}}`, info, "unknown_class", 400, "NoSuchNode does not exist"},
		{"required input missing", `{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x"}}}`, info, "bad_inputs", 400, "Required input is missing: images"},
		{"required input missing upstream", `{"1":{"class_type":"EmptyImage","inputs":{"height":64,"batch_size":1,"color":7}},` + saved + `}`, info, "bad_inputs", 400, `"1" (EmptyImage): Required input is missing: width`},
		{"prefix missing", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0]}}}`, nil, "bad_inputs", 400, "filename_prefix"},
		{"link of one", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1"],"filename_prefix":"x"}}}`, info, "bad_inputs", 400, "length-2 list"},
		{"link with a number for id", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":[1,0],"filename_prefix":"x"}}}`, info, "bad_inputs", 400, "length-2 list"},
		{"slot out of range", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",5],"filename_prefix":"x"}}}`, info, "bad_inputs", 400, "output 5"},

		{"prefix ../../etc/x", saving(`"../../etc/x"`), nil, "prefix_escape", 400, "leads out of its folder"},
		{"prefix with .. inside", saving(`"a/../b"`), nil, "prefix_escape", 400, ".."},
		{"prefix ..", saving(`".."`), nil, "prefix_escape", 400, ".."},
		{"absolute prefix", saving(`"/etc/x"`), nil, "prefix_absolute", 400, "absolute"},
		{"drive prefix", saving(`"C:/x"`), nil, "prefix_absolute", 400, "absolute"},
		{"prefix with backslash", saving(`"..\\win\\img"`), nil, "prefix_escape", 400, "leads out"},
		{"prefix of 17 parts", saving(`"` + strings.Repeat("d/", 16) + `x"`), nil, "prefix_too_deep", 400, "15 folders"},
		{"prefix with newline", saving(`"a\nb"`), nil, "prefix_control", 400, "newline"},
		{"prefix with NUL", saving(`"a\u0000b"`), nil, "prefix_control", 400, "control"},
		{"prefix ending in /", saving(`"a/b/"`), nil, "prefix_ends_in_slash", 400, "folder and no file"},
		{"prefix ending in /.", saving(`"a/."`), nil, "prefix_ends_in_slash", 400, "folder and no file"},
		{"prefix with %batch_num%", saving(`"a_%batch_num%"`), nil, "prefix_batch_num", 400, "batch_num"},
		{"prefix of 245 bytes", saving(`"t/` + strings.Repeat("L", 245) + `"`), nil, "prefix_too_long", 400, "244"},
		{"folder of 256 bytes", saving(`"` + strings.Repeat("D", 256) + `/x"`), nil, "prefix_too_long", 400, "255"},
		{"prefix of many folders", saving(`"` + strings.Repeat("d/", 1500) + `x"`), nil, "prefix_too_long", 400, "2048"},
		{"prefix in our folder", saving(`"qm/x"`), nil, "prefix_reserved", 400, "queue manager"},
		{"pile of tags", saving(`"` + strings.Repeat("qm/a/9/", 9) + `x"`), nil, "prefix_reserved", 400, "queue manager"},
		{"prefix in our folder, hidden", saving(`".//QM/x"`), nil, "prefix_reserved", 400, "queue manager"},
		{"marker of another attempt", saving(`"qm/other/_started/x"`), nil, "prefix_reserved", 400, "queue manager"},
		{"prefix that is an object", saving(`{"a":1}`), nil, "prefix_not_text", 400, "neither text nor a link"},
		{"prefix that is null", saving(`null`), nil, "prefix_not_text", 400, "neither text nor a link"},
		{"prefix from a primitive", `{` + blank + `,"2":{"class_type":"PrimitiveString","inputs":{"value":"../x"}},"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":["2",0]}}}`, nil, "prefix_escape", 400, ".."},
		{"LoRA prefix", `{"1":{"class_type":"SaveLoRA","inputs":{"prefix":"/x"}}}`, nil, "prefix_absolute", 400, `prefix "/x"`},
		{"dataset folder", `{"1":{"class_type":"SaveImageDataSetToFolder","inputs":{"folder_name":"../x","filename_prefix":"f"}}}`, nil, "prefix_escape", 400, "folder_name"},
		{"dataset file", `{"1":{"class_type":"SaveImageDataSetToFolder","inputs":{"folder_name":"d","filename_prefix":"../x"}}}`, nil, "prefix_escape", 400, "filename_prefix"},
		{"custom node's prefix", `{"1":{"class_type":"SomebodysSaver","inputs":{"filename_prefix":"../x"}}}`, nil, "prefix_escape", 400, "SomebodysSaver"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := refusalOf(c.raw, c.info)
			if r == nil {
				t.Fatal("it was not refused")
			}
			if r.Code != c.code || r.Status != c.status || !strings.Contains(r.Error(), c.says) {
				t.Errorf("got %s, %d: %.300s\nwant %s, %d, containing %q", r.Code, r.Status, r.Error(), c.code, c.status, c.says)
			}
			if r.Message == "" || r.Hint == "" || r.Err.Type == "" || r.NodeErrors == nil || strings.Contains(r.Message, "\n") {
				t.Errorf("incomplete: %+v", r)
			}
			if len(r.Error()) > 600 {
				t.Errorf("the sentence has %d bytes", len(r.Error()))
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	info := selected(t)
	for _, c := range []struct {
		name, raw string
		info      *ObjectInfo
	}{
		{"plain", saving(`"x"`), info},
		{"byte order mark", "\xef\xbb\xbf" + saving(`"x"`), info},
		{"empty prefix", saving(`""`), info},
		{"backslashes", saving(`"a\\b\\img"`), info},
		{"prefix of 16 parts", saving(`"` + strings.Repeat("d/", 15) + `x"`), nil},
		{"subfolders", saving(`"a/b c/%year%/img_%width%"`), info},
		{"dot inside", saving(`"t05/./di"`), nil},
		{"hostile but harmless", saving("\"q'\\\"`$(x);&|\""), nil},
		{"surrogate pair", saving(`"\ud83d\ude00"`), nil},
		{"240 bytes", saving(`"t/` + strings.Repeat("L", 244) + `"`), nil},
		{"a number for a prefix", saving(`12345`), nil},
		{"wrapped literal", saving(`{"__value__":"t14/wrapped"}`), nil},
		{"list that is no link", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x","bogus":["a","b"]}}}`, info},
		{"undeclared object", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x","bogus":{"x":[1,2]}}}}`, info},
		{"negative slot", `{` + blank + `,"9":{"class_type":"SaveImage","inputs":{"images":["1",-1],"filename_prefix":"x"}}}`, info},
		{"ids with dots and colons", `{"a.b:1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":1,"color":3}},"9.0":{"class_type":"SaveImage","inputs":{"images":["a.b:1",0],"filename_prefix":"d"}}}`, info},
		{"one save node of two can run", `{` + blank + `,` + saved + `,"10":{"class_type":"SaveImage","inputs":{"filename_prefix":"x"}}}`, info},
		{"preview beside a save", `{` + blank + `,` + saved + `,"10":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}}`, info},
		{"unknown class, nobody asked", `{"1":{"class_type":"SomebodysSaver","inputs":{"path":"x"}}}`, nil},
		{"missing input nobody needs", `{` + blank + `,` + saved + `,"50":{"class_type":"ImageInvert","inputs":{}}}`, info},
		{"chain of 4998", chain(4998), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := refusalOf(c.raw, c.info); r != nil {
				t.Errorf("refused: %v", r)
			}
		})
	}
}

// chain is a prompt of n nodes in a row and a save node.
func chain(n int) string {
	var b strings.Builder
	b.WriteString(`{"0":{"class_type":"EmptyImage","inputs":{"batch_size":2}}`)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, `,"%d":{"class_type":"ImageInvert","inputs":{"image":["%d",0]}}`, i, i-1)
	}
	fmt.Fprintf(&b, `,"s":{"class_type":"SaveImage","inputs":{"images":["%d",0],"filename_prefix":"x"}}}`, n-1)
	return b.String()
}

func TestLongCycle(t *testing.T) {
	raw := strings.Replace(chain(4000), `{"batch_size":2}`, `{"x":["3999",0]}`, 1)
	r := refusalOf(raw, nil)
	if r == nil || r.Code != "cycle" {
		t.Fatalf("got %v, want a cycle", r)
	}
	if len(r.NodeErrors) != maxFaults {
		t.Errorf("it names %d nodes, want %d", len(r.NodeErrors), maxFaults)
	}
}

// The shape is that of 03-prompt-errors/missing_required_upstream.
func TestNodeErrorsLookLikeComfyUIs(t *testing.T) {
	r := refusalOf(`{"1":{"class_type":"EmptyImage","inputs":{"height":64,"batch_size":1,"color":7}},`+saved+`}`, selected(t))
	got, err := json.Marshal(r.NodeErrors)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"1":{"errors":[{"type":"required_input_missing","message":"Required input is missing","details":"width","extra_info":{"input_name":"width"}}],"dependent_outputs":["9"],"class_type":"EmptyImage"}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if r.Err.Type != "prompt_outputs_failed_validation" || r.Err.Message != "Prompt outputs failed validation" {
		t.Errorf("got %+v", r.Err)
	}
}

func TestRefusalWithoutNodesIsStillWellFormed(t *testing.T) {
	r := refusalOf(`{`+blank+`}`, nil)
	got, err := json.Marshal(struct {
		Error      ComfyError           `json:"error"`
		NodeErrors map[string]NodeError `json:"node_errors"`
	}{r.Err, r.NodeErrors})
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]map[string]any
	if err := json.Unmarshal(got, &body); err != nil {
		t.Fatal(err)
	}
	if body["error"]["type"] != "prompt_no_outputs" || !reflect.DeepEqual(body["error"]["extra_info"], map[string]any{}) || body["node_errors"] == nil {
		t.Errorf("got %s", got)
	}
}

func TestAllPrefixFaultsAreTold(t *testing.T) {
	r := refusalOf(`{`+blank+`,
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"../x"}},
		"10":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a/"}}}`, nil)
	if r == nil || r.Code != "prefix_escape" || len(r.NodeErrors) != 2 {
		t.Fatalf("got %v", r)
	}
	if code := r.NodeErrors["10"].Errors[0].ExtraInfo["code"]; code != "prefix_ends_in_slash" {
		t.Errorf("node 10 has %v", code)
	}
	if !strings.Contains(r.Message, "and 1 more") {
		t.Errorf("the sentence does not say that there is more: %s", r.Message)
	}
}
