package comfy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	sum   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	shown = `"9":{"class_type":"SaveImage","inputs":{"images":["10",0],"filename_prefix":"x"}}`
)

// loading is a prompt that shows what one node loads.
func loading(class, inputs string) string {
	return `{"10":{"class_type":"` + class + `","inputs":{` + inputs + `}},` + shown + `}`
}

// TestInputFiles: which nodes load what, and from where.
func TestInputFiles(t *testing.T) {
	custom, err := ParseObjectInfo([]byte(`{"SaveImage":{"output_node":true},
		"Films":{"input":{"required":{"clip":[["a.mp4"],{"video_upload":true}],"model":[["m"],{}]},"optional":{"sound":["COMBO",{"audio_upload":true,"options":[]}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, raw string
		info      *ObjectInfo
		want      []string // input part base path below fault
	}{
		{"plain", loading("LoadImage", `"image":"a.png"`), nil, []string{"image||input|a.png||"}},
		{"folder", loading("LoadImageMask", `"image":"sketches/a b.png","channel":"red"`), nil, []string{"image||input|sketches/a b.png||"}},
		{"annotated", loading("LoadImage", `"image":"clipspace/mask.png [input]"`), nil, []string{"image||input|clipspace/mask.png||"}},
		{"output", loading("LoadImageOutput", `"image":"ComfyUI_00001_.png [output]"`), nil, []string{"image||output|ComfyUI_00001_.png||"}},
		{"output without a space loses a letter", loading("LoadImage", `"image":"ä.pngé[output]"`), nil, []string{"image||output|ä.png||"}},
		{"LoadImageOutput falls back to input", loading("LoadImageOutput", `"image":"a.png"`), nil, []string{"image||input|a.png||"}},
		{"temp", loading("WebcamCapture", `"image":"webcam/1.png [temp]"`), nil, []string{"image||temp|webcam/1.png||"}},
		{"latent", loading("LoadLatent", `"latent":"l.latent"`), nil, []string{"latent||input|l.latent||"}},
		{"video", loading("LoadVideo", `"file":"v.mp4"`), nil, []string{"file||input|v.mp4||"}},
		{"audio", loading("LoadAudio", `"audio":"s.wav"`), nil, []string{"audio||input|s.wav||"}},
		{"3D", loading("Load3D", `"model_file":"3d/x.glb","image":{"image":"threed/i.png [temp]","mask":"threed/m.png [temp]","normal":"threed/n.png [temp]","recording":"","camera_info":null}`), nil,
			[]string{"model_file||input|3d/x.glb|3d|", "image|image|temp|threed/i.png||", "image|mask|temp|threed/m.png||", "image|normal|temp|threed/n.png||"}},
		{"3D without a model", loading("Load3D", `"model_file":"none","image":""`), nil, nil},
		{"wrapped", loading("LoadImage", `"image":{"__value__":"../b.png"}`), nil, []string{"image||input|../b.png||input_name_refused"}},
		{"declared", loading("Films", `"clip":"c.mp4","model":"m","sound":""`), custom, []string{"clip||input|c.mp4||"}},
		{"not declared", loading("Films", `"clip":"c.mp4"`), nil, nil},
		{"a number is no name", loading("LoadImage", `"image":5`), nil, nil},
		{"absent", loading("LoadImage", ``), nil, nil},
		{"computed", loading("LoadImage", `"image":["11",0]`), nil, []string{"image||||" + "|input_computed"}},
		{"nothing chosen", loading("LoadImage", `"image":""`), nil, []string{"image||||" + "|input_unnamed"}},
		{"upwards", loading("LoadImage", `"image":"../../etc/passwd"`), nil, []string{"image||input|../../etc/passwd||input_name_refused"}},
		{"upwards in the output folder", loading("LoadImage", `"image":"qm/../x.png [output]"`), nil, []string{"image||output|qm/../x.png||input_name_refused"}},
		{"absolute", loading("LoadImage", `"image":"/etc/passwd"`), nil, []string{"image||input|/etc/passwd||input_name_refused"}},
		{"hidden", loading("LoadImage", `"image":"a/.ssh/id"`), nil, []string{"image||input|a/.ssh/id||input_name_refused"}},
		{"backslash", loading("LoadImage", `"image":"a\\b.png"`), nil, []string{`image||input|a\b.png||input_name_refused`}},
		{"line break", loading("LoadImage", `"image":"a\nb.png"`), nil, []string{"image||input|a\nb.png||input_name_refused"}},
		{"our own folder", loading("LoadImage", `"image":"qm/user002/x.png"`), nil, []string{"image||input|qm/user002/x.png||input_name_refused"}},
		{"long", loading("LoadImage", `"image":"`+strings.Repeat("x", 300)+`"`), nil, []string{"image||input|" + strings.Repeat("x", 300) + "||input_name_refused"}},
		{"staged before", loading("LoadImage", `"image":"qm/user002/`+sum+`/input/sketches/a.png"`), nil, []string{"image||input|sketches/a.png||"}},
		{"staged output", loading("LoadImage", `"image":"qm/user002/`+sum+`/output/a.png [input]"`), nil, []string{"image||output|a.png||"}},
		{"staged model", loading("Load3D", `"model_file":"3d/qm/u/`+sum+`/input/3d/x.glb"`), nil, []string{"model_file||input|3d/x.glb|3d|"}},
		{"a folder of ours", loading("LoadImageDataSetFromFolder", `"folder":"qm/user002/`+sum+`/input"`), nil, []string{"folder||input|qm/user002/" + sum + "/input||input_name_refused"}},
		{"a folder above ours", loading("LoadImageTextDataSetFromFolder", `"folder":"./qm"`), nil, []string{"folder||input|./qm||input_name_refused"}},
		{"a folder of the site's", loading("LoadImageDataSetFromFolder", `"folder":"styles"`), nil, nil},
		{"in any other text", loading("Odd", `"path":"/mnt/inputs/qm/user002//`+sum+`/input/x.png"`), nil, []string{"path||input|/mnt/inputs/qm/user002//" + sum + "/input/x.png||input_name_refused"}},
		{"in a text with detours", loading("Odd", `"path":{"__value__":"qm/./user002/x/../`+sum+`"}`), nil, []string{"path||input|qm/./user002/x/../" + sum + "||input_name_refused"}},
		{"a prefix of ours is no input", loading("Odd", `"path":"qm/`+attempt+`/9/x"`), nil, nil},
		{"staged and climbing", loading("LoadImage", `"image":"qm/user002/`+sum+`/input/../../x"`), nil, []string{"image||input|../../x||input_name_refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range parse(t, c.raw).InputFiles(c.info) {
				code := ""
				if f.Fault != nil {
					code = f.Fault.Code
				}
				got = append(got, strings.Join([]string{f.Input, f.Part, string(f.Base), f.Path, f.Below, code}, "|"))
				if f.Fault == &faultStaged {
					continue
				}
				if f.Node != "10" || !f.Needed || !slices.Contains(f.Outputs, "9") {
					t.Errorf("%+v: of node 10, needed by 9", f)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestInputNeeded: a node that no output takes from is not looked at by a server.
func TestInputNeeded(t *testing.T) {
	info, err := ParseObjectInfo([]byte(`{"SaveImage":{"output_node":true},"Show":{"output_node":true},"Pass":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		last string
		info *ObjectInfo
		want bool
	}{
		{`"SaveImage"`, nil, true}, {`"PreviewImage"`, nil, true}, {`"Show"`, nil, true}, {`"Show"`, info, true},
		{`"Pass"`, info, false}, {`"ImageToMask"`, nil, false},
	} {
		p := parse(t, `{"10":{"class_type":"LoadImage","inputs":{"image":"a.png"}},"11":{"class_type":`+c.last+`,"inputs":{"image":["10",0]}}}`)
		if f := p.InputFiles(c.info)[0]; f.Needed != c.want {
			t.Errorf("%s: needed is %v", c.last, f.Needed)
		}
	}
	if f := parse(t, `{"10":{"class_type":"LoadImage","inputs":{"image":"a.png"}}}`).InputFiles(nil)[0]; f.Needed {
		t.Error("a lone LoadImage is needed")
	}
}

// TestStagedFiles: the POST has the staged names, the prompt itself and the
// pictures' own prompt the user's.
func TestStagedFiles(t *testing.T) {
	raw := `{"10":{"class_type":"LoadImage","inputs":{"image":"a.png"}},
		"11":{"class_type":"Load3D","inputs":{"model_file":"3d/x.glb","image":{"image":"i.png [temp]","mask":"m.png [temp]"}}},
		"12":{"class_type":"LoadImage","inputs":{"image":"qm/user002/` + sum + `/input/old.png"}},` + shown + `}`
	p := parse(t, raw)
	var staged []StagedFile
	for _, f := range p.InputFiles(nil) {
		if f.Node != "12" {
			staged = append(staged, StagedFile{f.Node, f.Input, f.Part, StagedName(f, "user001", sum)})
		}
	}
	back, req := tagged(t, raw, Tag{Prefix: true, Embed: true, Files: staged}, nil)
	base := "qm/user001/" + sum + "/"
	for _, c := range []struct{ node, input, want string }{
		{"10", "image", base + "input/a.png"}, {"11", "model_file", "3d/" + base + "input/3d/x.glb"}, {"12", "image", "old.png"},
		{"9", "filename_prefix", "qm/" + attempt + "/9/x"},
	} {
		if got := input(t, back, c.node, c.input); got != c.want {
			t.Errorf("node %s: %q, want %q", c.node, got, c.want)
		}
	}
	views := input(t, back, "11", "image").(map[string]any)
	if views["image"] != base+"temp/i.png" || views["mask"] != base+"temp/m.png" {
		t.Errorf("the views are %v", views)
	}
	if got := input(t, p, "11", "image").(map[string]any)["mask"]; got != "m.png [temp]" {
		t.Errorf("the prompt itself was changed: %v", got)
	}
	var extra struct {
		Info struct{ Prompt map[string]any } `json:"extra_pnginfo"`
	}
	if err := json.Unmarshal(req.ExtraData, &extra); err != nil {
		t.Fatal(err)
	}
	own, _ := json.Marshal(extra.Info.Prompt["10"])
	if !strings.Contains(string(own), `"image":"a.png"`) {
		t.Errorf("the pictures' own prompt says %s", own)
	}
	for i, f := range back.InputFiles(nil) {
		if want := p.InputFiles(nil)[i]; !reflect.DeepEqual(f, want) {
			t.Errorf("read back as %+v, was %+v", f, want)
		}
	}
	if _, req := tagged(t, raw, Tag{Embed: true}, nil); strings.Contains(string(req.ExtraData), "LoadImage") {
		t.Error("nothing is staged, and a second prompt goes along")
	}
}

func TestRefuseInputs(t *testing.T) {
	files := parse(t, `{"10":{"class_type":"LoadImage","inputs":{"image":"nope.png"}},"11":{"class_type":"LoadVideo","inputs":{"file":"../v.mp4"}},
		"9":{"class_type":"SaveImage","inputs":{"images":["10",0],"filename_prefix":"x"}}}`).InputFiles(nil)
	if r := RefuseInputs(files[:1]); r != nil {
		t.Errorf("no fault, and %v", r)
	}
	files[0].Fault = &InputFault{"input_missing", "there is no such file among your inputs", "upload it"}
	r := RefuseInputs(files)
	if r.Code != "input_missing" || r.Hint != "upload it" || r.Status != 400 || r.Err.Type != typeFailed ||
		r.Message != `node "10" (LoadImage): image "nope.png": there is no such file among your inputs (and 1 more)` {
		t.Errorf("got %+v", r)
	}
	// ComfyUI 0.8.0, transcripts 03-prompt-errors, loadimage_missing.
	e := r.NodeErrors["10"]
	if e.ClassType != "LoadImage" || !slices.Equal(e.DependentOutputs, []string{"9"}) || e.Errors[0].Details != "image - Invalid image file: nope.png" ||
		e.Errors[0].Type != "custom_validation_failed" || e.Errors[0].ExtraInfo["input_name"] != "image" {
		t.Errorf("node error %+v", e)
	}
	if e := r.NodeErrors["11"]; !strings.HasPrefix(e.Errors[0].Details, "file - Invalid video file: ../v.mp4 (") {
		t.Errorf("node error %+v", e)
	}
}

// TestManyInputs: a refusal of very many files names so many of them and counts the rest.
func TestManyInputs(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"0":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x"}}`)
	for i := 1; i < 4999; i++ {
		fmt.Fprintf(&b, `,"%d":{"class_type":"LoadImage","inputs":{"image":"../a.png"}}`, i)
	}
	files := parse(t, b.String()+"}").InputFiles(nil)
	r := RefuseInputs(files)
	if len(files) != 4998 || len(r.NodeErrors) != maxFaults || !strings.HasSuffix(r.Message, "(and 4997 more)") || !files[0].Needed || files[1].Needed {
		t.Errorf("%d files, %d named: %s", len(files), len(r.NodeErrors), r.Message)
	}
}

// FuzzInputPath: a path that passes never leads out of its folder, whatever it
// is put behind, and what was staged is always undone.
func FuzzInputPath(f *testing.F) {
	for _, s := range []string{"a.png", "a/b.png [output]", "../x", "a//b", "qm/x", "3d/qm/u/" + sum + "/temp/a", "x [temp]", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		raw, err := json.Marshal(name)
		if err != nil {
			t.Skip()
		}
		p, err := ParsePrompt([]byte(loading("LoadImage", `"image":`+string(raw))), Limits{})
		if err != nil {
			t.Skip()
		}
		for _, f := range p.InputFiles(nil) {
			if f.Fault != nil {
				continue
			}
			for part := range strings.SplitSeq(f.Path, "/") {
				if part == "" || part[0] == '.' {
					t.Errorf("%q passes as %q", name, f.Path)
				}
			}
			staged := f.InputFile().read(StagedName(f, "user001", sum), loader{})
			if len(staged) != 1 || staged[0].Base != f.Base || staged[0].Path != f.Path || staged[0].Fault != nil {
				t.Errorf("%q staged and undone is %+v", name, staged)
			}
		}
	})
}

// InputFile is f without what its name said.
func (f InputFile) InputFile() InputFile {
	return InputFile{Node: f.Node, Class: f.Class, Input: f.Input, Noun: f.Noun}
}

// Row 22: a text that people upload a file for is carried like a choice, in any class;
// what names no file of the user's is left to the worker.
func TestRow22UploadsOfAnyInput(t *testing.T) {
	info, err := ParseObjectInfo([]byte(`{"SaveImage":{"output_node":true},
		"Sketch":{"input":{"required":{"mask":["STRING",{"default":"","widgetType":"PAINTER","image_upload":true}],"other":["STRING",{"default":"a.png"}],
			"clip":["STRING",{"video_upload":true}],"sound":["COMBO",{"audio_upload":true}],"model":["STRING",{"file_upload":true}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, raw string
		info      *ObjectInfo
		want      []string // input base path below fault
	}{
		{"Painter", loading("Painter", `"mask":"painter/painter-9-1.png [input]","width":64`), nil, []string{"mask|input|painter/painter-9-1.png||"}},
		{"Painter in a sub-folder of temp", loading("Painter", `"mask":"a/b.png [temp]"`), nil, []string{"mask|temp|a/b.png||"}},
		{"Painter without a stroke", loading("Painter", `"mask":" "`), nil, nil},
		{"Painter by a link", loading("Painter", `"mask":["11",0]`), nil, []string{"mask||||input_computed"}},
		{"Load3DAdvanced", loading("Load3DAdvanced", `"model_file":"3d/m.glb","viewport_state":""`), nil, []string{"model_file|input|3d/m.glb|3d|"}},
		{"Load3DAdvanced without a model", loading("Load3DAdvanced", `"model_file":"none"`), nil, nil},
		{"LoadImage of an EXR", loading("LoadImage", `"image":"in.exr"`), nil, []string{"image|input|in.exr||"}},
		{"any text that is uploaded", loading("Sketch", `"mask":"m/a.png [input]","other":"b.png","clip":"c.mp4","sound":"d.wav","model":"e.glb"`), info,
			[]string{"clip|input|c.mp4||", "mask|input|m/a.png||", "model|input|e.glb||", "sound|input|d.wav||"}},
		{"an empty text", loading("Sketch", `"mask":"","clip":"","model":"none"`), info, nil},
		{"an address", loading("Sketch", `"mask":"https://example.com/a.png","clip":"data:video/mp4;base64,AA=="`), info, nil},
		{"climbing", loading("Sketch", `"mask":"../a.png"`), info, []string{"mask|input|../a.png||input_name_refused"}},
		{"a hash", loading("LoadImage", `"image":"blake3:`+strings.Repeat("0a", 32)+`"`), nil, nil},
		{"a hash in the outputs", loading("LoadImage", `"image":"blake3:`+sum+` [output]"`), nil, nil},
		{"no hash", loading("LoadImage", `"image":"blake3:abc"`), nil, []string{"image|input|blake3:abc||"}},
		{"a folder of ours with videos", loading("LoadVideoDataSetFromFolder", `"folder":"qm"`), nil, []string{"folder|input|qm||input_name_refused"}},
	} {
		var got []string
		for _, f := range parse(t, c.raw).InputFiles(c.info) {
			code := ""
			if f.Fault != nil {
				code = f.Fault.Code
			}
			if f.Fault == &faultComputed {
				f.Base = ""
			}
			got = append(got, strings.TrimSuffix(strings.Join([]string{f.Input, string(f.Base), f.Path, f.Below, code}, "|"), "\x00"))
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Row 22: the staged name of a text is undone as that of a choice is.
func TestRow22PainterIsStagedAndUndone(t *testing.T) {
	raw := loading("Painter", `"mask":"painter/p.png [input]"`)
	f := parse(t, raw).InputFiles(nil)[0]
	back, _ := tagged(t, raw, Tag{Prefix: true, Files: []StagedFile{{"10", "mask", "", StagedName(f, "user001", sum)}}}, nil)
	if got := input(t, back, "10", "mask"); got != "qm/user001/"+sum+"/input/painter/p.png" {
		t.Errorf("sent as %q", got)
	}
	if again := back.InputFiles(nil); len(again) != 1 || again[0].Path != "painter/p.png" {
		t.Errorf("read back as %+v", again)
	}
}
