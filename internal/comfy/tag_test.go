package comfy

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"reflect"
	"strings"
	"testing"
)

const attempt = "0b7e4c4e-3f0d-4a52-9d6b-7f0f6a3d9a11"

// tagged tags and reads the prompt back.
func tagged(t *testing.T, raw string, tag Tag, info *ObjectInfo) (*Prompt, Request) {
	t.Helper()
	tag.PromptID = attempt
	req, err := parse(t, raw).Tagged(tag, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(req.Prompt)), req
}

func input(t *testing.T, p *Prompt, id, name string) any {
	t.Helper()
	n, ok := p.Node(id)
	if !ok {
		t.Fatalf("no node %q in %v", id, p.IDs())
	}
	return n.Inputs[name]
}

func TestTaggedPrefixes(t *testing.T) {
	info := selected(t)
	custom, err := ParseObjectInfo([]byte(`{
		"EmptyImage":{"input":{},"output":["IMAGE"]},
		"Namer":{"input":{"required":{"filename_prefix":["STRING",{}]}},"output":["STRING"],"output_node":false},
		"Saver":{"input":{"optional":{"filename_prefix":["STRING",{"default":"pics/Saver"}]}},"output":[],"output_node":true},
		"Folder":{"input":{"required":{"folder_name":["STRING",{}]}},"output":[],"output_node":true},
		"Odd":{"input":{"required":{"prefix":["INT",{}]}},"output":[],"output_node":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, raw   string
		info        *ObjectInfo
		node, input string
		want        any
	}{
		{"literal", saving(`"portraits/a b"`), info, "9", "filename_prefix", "qm/" + attempt + "/9/portraits/a b"},
		{"literal, nobody asked", saving(`"x"`), nil, "9", "filename_prefix", "qm/" + attempt + "/9/x"},
		{"whole number", saving(`12345`), nil, "9", "filename_prefix", "qm/" + attempt + "/9/12345"},
		{"wrapped", saving(`{"__value__":"w"}`), nil, "9", "filename_prefix", "qm/" + attempt + "/9/w"},
		{"audio keeps its folder", `{"1":{"class_type":"SaveAudio","inputs":{"filename_prefix":"audio/x"}}}`, nil, "1", "filename_prefix", "qm/" + attempt + "/1/audio/x"},
		{"subgraph id", `{"12:3":{"class_type":"SaveImage","inputs":{"filename_prefix":"x"}}}`, nil, "12:3", "filename_prefix", "qm/" + attempt + "/12_3a3/x"},
		{"LoRA", `{"1":{"class_type":"SaveLoRA","inputs":{"prefix":"loras/x"}}}`, nil, "1", "prefix", "qm/" + attempt + "/1/loras/x"},
		{"dataset folder", `{"1":{"class_type":"SaveImageDataSetToFolder","inputs":{"folder_name":"d","filename_prefix":"f"}}}`, nil, "1", "folder_name", "qm/" + attempt + "/1/d"},
		{"dataset files stay", `{"1":{"class_type":"SaveImageDataSetToFolder","inputs":{"folder_name":"d","filename_prefix":"f"}}}`, nil, "1", "filename_prefix", "f"},
		{"temp folder stays", `{"1":{"class_type":"LossGraphNode","inputs":{"filename_prefix":"f"}},` + saved + `,` + `"2":{"class_type":"A","inputs":{}}}`, nil, "1", "filename_prefix", "f"},
		{"custom saver, nobody asked", `{"1":{"class_type":"Saver","inputs":{"filename_prefix":"f"}}}`, nil, "1", "filename_prefix", "qm/" + attempt + "/1/f"},
		{"custom saver", `{"1":{"class_type":"Saver","inputs":{"filename_prefix":"f"}}}`, custom, "1", "filename_prefix", "qm/" + attempt + "/1/f"},
		{"custom saver's default", `{"1":{"class_type":"Saver","inputs":{}}}`, custom, "1", "filename_prefix", "qm/" + attempt + "/1/pics/Saver"},
		{"custom node that saves nothing", `{"1":{"class_type":"Namer","inputs":{"filename_prefix":"f"}}}`, custom, "1", "filename_prefix", "f"},
		{"custom folder", `{"1":{"class_type":"Folder","inputs":{"folder_name":"f"}}}`, custom, "1", "folder_name", "qm/" + attempt + "/1/f"},
		{"a prefix that is a number by declaration", `{"1":{"class_type":"Odd","inputs":{"prefix":5}}}`, custom, "1", "prefix", json.Number("5")},
		{"tag of an earlier attempt", saving(`"qm/11111111-1111-4111-8111-111111111111/12_3a3/portraits/x"`), nil, "9", "filename_prefix", "qm/" + attempt + "/9/portraits/x"},
		{"tags upon tags", saving(`"qm/a/9/qm/b/9/x"`), nil, "9", "filename_prefix", "qm/" + attempt + "/9/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := tagged(t, c.raw, Tag{Prefix: true}, c.info)
			if got := input(t, p, c.node, c.input); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

const linkedPrefix1 = `{` + blank + `,"2":{"class_type":"StringTrim","inputs":{"string":" x ","mode":"Both"}},` +
	`"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":["2",0]}},` +
	`"qm-prefix-9":{"class_type":"EmptyImage","inputs":{}}}`

// ComfyUI's StringConcatenate is delimiter.join((string_a, string_b)).
func TestTaggedLinkedPrefix(t *testing.T) {
	p, _ := tagged(t, linkedPrefix1, Tag{Prefix: true}, nil)
	from, slot, ok := LinkOf(input(t, p, "9", "filename_prefix"))
	if !ok || from != "qm-prefix-9-2" || slot != 0 {
		t.Fatalf("the prefix is %v, want a link to a node of our own", input(t, p, "9", "filename_prefix"))
	}
	got, _ := p.Node(from)
	want := Node{ID: from, Class: "StringConcatenate", Inputs: map[string]any{
		"string_a": "qm/" + attempt + "/9", "string_b": linkValue("qm-tame-9", 0), "delimiter": "/",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, _ = p.Node("qm-tame-9")
	want = Node{ID: "qm-tame-9", Class: "StringReplace", Inputs: map[string]any{"string": linkValue("2", 0), "find": "..", "replace": "_"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("a prefix can lead out of its folder: got %+v, want %+v", got, want)
	}
	if n, _ := p.Node("qm-prefix-9"); n.Class != "EmptyImage" {
		t.Errorf("the user's node became %+v", n)
	}
}

func TestTaggedLinkedPrefixAgain(t *testing.T) {
	_, first := tagged(t, linkedPrefix1, Tag{Prefix: true}, nil)
	p, _ := tagged(t, string(first.Prompt), Tag{Prefix: true}, nil)
	from, _, _ := LinkOf(input(t, p, "9", "filename_prefix"))
	tame, _, _ := LinkOf(input(t, p, from, "string_b"))
	if behind := input(t, p, tame, "string"); !reflect.DeepEqual(behind, linkValue("2", 0)) {
		t.Errorf("behind the second tag stands %v, want the user's own link", behind)
	}
}

func TestTaggedLinkedPrefixWithoutStringConcatenate(t *testing.T) {
	info, err := ParseObjectInfo([]byte(`{"EmptyImage":{},"StringTrim":{},"SaveImage":{"output_node":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := tagged(t, linkedPrefix1, Tag{Prefix: true}, info)
	if got := input(t, p, "9", "filename_prefix"); got != "qm/"+attempt+"/9/ComfyUI" {
		t.Errorf("got %v, want a plain name in the attempt's folder", got)
	}
}

func TestTaggedTwoIdenticalSaves(t *testing.T) {
	p, _ := tagged(t, `{`+blank+`,`+saved+`,`+strings.Replace(saved, `"9"`, `"10"`, 1)+`}`, Tag{Prefix: true}, nil)
	if a, b := input(t, p, "9", "filename_prefix"), input(t, p, "10", "filename_prefix"); a == b {
		t.Errorf("both write to %v", a)
	}
}

func TestTaggedMarker(t *testing.T) {
	raw := `{` + blank + `,` + saved + `,"qm-started":{"class_type":"ImageInvert","inputs":{"image":["1",0]}}}`
	p, _ := tagged(t, raw, Tag{Marker: true}, selected(t))
	marker, _ := p.Node("qm-started-2")
	want := Node{ID: "qm-started-2", Class: "SaveImage", Inputs: map[string]any{
		"images": linkValue("qm-started-image", 0), "filename_prefix": "qm/" + attempt + "/_started/s",
	}}
	if !reflect.DeepEqual(marker, want) {
		t.Errorf("got  %+v\nwant %+v", marker, want)
	}
	picture, _ := p.Node("qm-started-image")
	for name, want := range map[string]string{"width": "1", "height": "1", "batch_size": "1"} {
		if picture.Class != "EmptyImage" || picture.Inputs[name] != json.Number(want) {
			t.Errorf("%s of %s is %v, want %s", name, picture.Class, picture.Inputs[name], want)
		}
	}
	if n, _ := p.Node("qm-started"); n.Class != "ImageInvert" {
		t.Errorf("the user's node became %+v", n)
	}
	if err := p.Check(selected(t)); err != nil {
		t.Errorf("the marked prompt is refused: %v", err)
	}
	if out := p.Outputs(nil); len(out) != 1 || out[0].Node != "9" {
		t.Errorf("outputs are %+v, want the user's alone", out)
	}
}

func TestTaggedMarkerOnlyWhereTheServerHasItsNodes(t *testing.T) {
	info, err := ParseObjectInfo([]byte(`{"SaveImage":{"output_node":true},"Mine":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := tagged(t, `{"1":{"class_type":"Mine","inputs":{}},`+saved+`}`, Tag{Marker: true}, info)
	if p.Len() != 2 {
		t.Errorf("nodes %v, want the user's alone", p.IDs())
	}
}

func TestOldMarkerIsDropped(t *testing.T) {
	raw := `{` + blank + `,` + saved + `,"m":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"qm/old-attempt/_started/s"}}}`
	p, _ := tagged(t, raw, Tag{}, nil)
	if want := []string{"1", "9"}; !reflect.DeepEqual(p.IDs(), want) {
		t.Errorf("nodes %v, want %v", p.IDs(), want)
	}
	only := `{` + blank + `,"m":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"qm/old-attempt/_started/s"}}}`
	if r := refusalOf(only, nil); r == nil || r.Code != "no_outputs" {
		t.Errorf("a marker alone gives %v, want no_outputs", r)
	}
}

func TestMarkerThatSomebodyTakesFromIsNoMarker(t *testing.T) {
	raw := `{` + blank + `,` + saved + `,"m":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"qm/other/_started/s"}},` +
		`"7":{"class_type":"ImageInvert","inputs":{"image":["m",0]}}}`
	if r := refusalOf(raw, nil); r == nil || r.Code != "prefix_reserved" {
		t.Errorf("got %v, want prefix_reserved", r)
	}
}

func TestSwitchesOffLeaveThePromptAlone(t *testing.T) {
	raw := saving(`"x"`)
	p, req := tagged(t, raw, Tag{}, nil)
	if !reflect.DeepEqual(p.objects(), parse(t, raw).objects()) || req.ExtraData != nil || req.ClientID != "" {
		t.Errorf("got %s with extra_data %s", req.Prompt, req.ExtraData)
	}
}

func TestWithoutPrefixesNobodyWritesIntoAnotherAttempt(t *testing.T) {
	p, _ := tagged(t, saving(`"qm/22222222-2222-4222-8222-222222222222/9/x"`), Tag{}, nil)
	if got := input(t, p, "9", "filename_prefix"); got != "x" {
		t.Errorf("got %v, want the user's own part", got)
	}
}

func TestTaggedMetadata(t *testing.T) {
	extra := `{"extra_pnginfo":{"workflow":{"nodes":[{"id":1.50}]},"qm":"forged"},"preview_method":"auto",` +
		`"auth_token_comfy_org":"secret","client_id":["x"],"create_time":5}`
	req, err := parse(t, saving(`"x"`)).Tagged(Tag{PromptID: attempt, Embed: true, Metadata: map[string]any{"job": "j1"}}, json.RawMessage(extra), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"extra_pnginfo":{"qm":{"job":"j1"},"workflow":{"nodes":[{"id":1.50}]}},"preview_method":"auto"}`
	if string(req.ExtraData) != want {
		t.Errorf("got  %s\nwant %s", req.ExtraData, want)
	}
}

func TestTaggedMetadataWithNothingToStartFrom(t *testing.T) {
	_, req := tagged(t, saving(`"x"`), Tag{Embed: true}, nil)
	if want := `{"extra_pnginfo":{"qm":{}}}`; string(req.ExtraData) != want {
		t.Errorf("got %s, want %s", req.ExtraData, want)
	}
}

func TestTaggedErrors(t *testing.T) {
	p := parse(t, saving(`"x"`))
	for _, id := range []string{"", "../x", "a/b", "%width%", "a\nb", strings.Repeat("a", 65)} {
		if _, err := p.Tagged(Tag{PromptID: id, Prefix: true}, nil, nil); err == nil {
			t.Errorf("prompt id %q was taken", id)
		}
	}
	_, err := p.Tagged(Tag{PromptID: attempt}, json.RawMessage(`[]`), nil)
	var r *Refusal
	if !errors.As(err, &r) || r.Code != "bad_extra_data" {
		t.Errorf("got %v, want bad_extra_data", err)
	}
}

func TestRequestHasNoQueueControls(t *testing.T) {
	_, req := tagged(t, saving(`"x"`), Tag{Prefix: true, Embed: true, Marker: true}, nil)
	raw, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	delete(body, "prompt")
	delete(body, "prompt_id")
	delete(body, "extra_data")
	if len(body) != 0 {
		t.Errorf("the body also has %v", body)
	}
}

func TestIsStartMarker(t *testing.T) {
	dot, wide := &bytes.Buffer{}, &bytes.Buffer{}
	if err := errors.Join(png.Encode(dot, image.NewGray(image.Rect(0, 0, 1, 1))), png.Encode(wide, image.NewGray(image.Rect(0, 0, 2, 1)))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"s_00001_.png": true, "s_00012.png": true, "s_00001_ (1).png": true, "s_00001_ - Copy.png": true, "Copy of s_00001_.png": true, "S_00001_.PNG": true,
		"cats_00001_.png": false, "s_.png": false, "s.png": false, "s_00001_.jpg": false, "mask_s_00001_.png": false,
	} {
		if got := IsStartMarker(bytes.NewReader(dot.Bytes()), name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, b := range [][]byte{wide.Bytes(), dot.Bytes()[:20], nil} {
		if IsStartMarker(bytes.NewReader(b), "s_00001_.png") {
			t.Errorf("%q is taken for a marker", b)
		}
	}
}
