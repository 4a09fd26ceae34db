package comfy

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Every row of the table says something that can be acted on.
func TestSaveNodeRows(t *testing.T) {
	seen := map[string]bool{}
	kinds := []Kind{KindImage, KindAnimation, KindVideo, KindAudio, KindModel, KindLatent, KindMesh, KindVector, KindDataset, KindText, KindOther}
	for _, row := range SaveNodeRows() {
		for _, class := range append([]string{row.Class}, row.Same...) {
			if class == "" || seen[class] {
				t.Errorf("class %q stands there twice, or is empty", class)
			}
			seen[class] = true
		}
		leads := row.Folder != "" || row.Prefix != "" || row.Path != "" || row.Place != nil
		switch {
		case row.Pack == "":
			t.Errorf("%s: no pack", row.Class)
		case row.None != "" && (leads || row.Elsewhere != ""):
			t.Errorf("%s saves nothing and yet somewhere", row.Class)
		case row.None == "" && row.Elsewhere == "" && !leads:
			t.Errorf("%s: the row says nothing", row.Class)
		case row.None == "" && row.Elsewhere == "" && (row.Metadata == nil || !slices.Contains(kinds, row.Kind)):
			t.Errorf("%s: kind %q, metadata %v", row.Class, row.Kind, row.Metadata)
		case row.Name != "" && row.Folder == "" && row.Place == nil, row.Base != "" && (row.Base != "worker" || row.Folder == "" && row.Path == ""),
			row.FolderOff != nil && row.Base == "", row.RedirectOff != nil && row.Redirect == "", row.Count > 0 && row.Batch != "",
			row.Newer != "" && row.Elsewhere == "":
			t.Errorf("%s: fields that do not go together: %+v", row.Class, row)
		}
		for _, c := range append(slices.Clone(row.OffWhen), row.AnywhereWhen...) {
			if _, ok := parseCondition(c); !ok {
				t.Errorf("%s: %q is no condition", row.Class, c)
			}
		}
	}
}

// stored reads a prompt that was tried on a real server.
func stored(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/savers/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func objectInfo(t *testing.T, raw string) *ObjectInfo {
	t.Helper()
	info, err := ParseObjectInfo([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// own is the folder of a node of the attempt.
func own(node string) string { return "qm/" + attempt + "/" + node }

// oneNode is a prompt of one picture and one node that takes it.
func oneNode(class, inputs string) string {
	return `{` + blank + `,"9":{"class_type":"` + class + `","inputs":{"images":["1",0],` + inputs + `}}}`
}

// leadCase is what becomes of the inputs of one save node.
type leadCase struct {
	name, raw string
	info      *ObjectInfo
	workers   Workers
	want      map[string]any // inputs of node 9 in the tagged prompt
	places    []string
	outputs   []Output // node 9 and its like, without kind
}

func leads(t *testing.T, cases []leadCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := parse(t, c.raw).For(c.workers)
			if err := p.Check(c.info); err != nil {
				t.Fatal(err)
			}
			req, err := p.Tagged(Tag{PromptID: attempt, Prefix: true}, nil, c.info)
			if err != nil {
				t.Fatal(err)
			}
			q := parse(t, string(req.Prompt)).For(c.workers)
			for name, want := range c.want {
				if got := input(t, q, "9", name); !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if got := p.Places(c.info, true); !reflect.DeepEqual(got, c.places) {
				t.Errorf("places %q, want %q", got, c.places)
			}
			var got []Output
			for _, o := range p.Outputs(c.info) {
				o.Kind, o.Ext, o.Custom = "", "", false
				got = append(got, o)
			}
			if !reflect.DeepEqual(got, c.outputs) {
				t.Errorf("outputs\n%+v, want\n%+v", got, c.outputs)
			}
			if again, err := q.Tagged(Tag{PromptID: attempt, Prefix: true}, nil, c.info); err != nil || string(again.Prompt) != string(req.Prompt) {
				t.Errorf("tagged again it is\n%s, was\n%s", again.Prompt, req.Prompt)
			}
		})
	}
}

// The prefix of these nodes is a plain name: a folder in it is not created, and
// nothing is saved.
func TestRow03FlatPrefix(t *testing.T) {
	out := Workers{OutputDir: "/srv/out/"}
	unknown := objectInfo(t, `{"EmptyImage":{},"Somebodys Save":{"output_node":true,"input":{"required":{
		"images":["IMAGE"],"custom_path":["STRING",{}],"filename_prefix":["STRING",{}]}}}}`)
	leads(t, []leadCase{
		{name: "WAS Image Save", raw: stored(t, "was-image-save-and-saveimage"),
			want:    map[string]any{"output_path": own("9") + "/[time(%Y-%m-%d)]", "filename_prefix": "ComfyUI"},
			outputs: []Output{{Node: "9", Class: "Image Save", Prefix: "[time(%Y-%m-%d)]/ComfyUI"}, {Node: "10", Class: "SaveImage", Prefix: "ComfyUI", Count: 2}}},
		{name: "an absolute folder and a name with folders", raw: oneNode("Image Save", `"output_path":"/home/anna/out","filename_prefix":"a\\b/c"`),
			want:    map[string]any{"output_path": own("9") + "/out/a/b", "filename_prefix": "c"},
			outputs: []Output{{Node: "9", Class: "Image Save", Prefix: "out/a/b/c"}}},
		{name: "tags of a version that tagged the name", raw: oneNode("Image Save", `"output_path":"qm/old/9/x","filename_prefix":"qm/old/9/c"`),
			want:    map[string]any{"output_path": own("9") + "/x", "filename_prefix": "c"},
			outputs: []Output{{Node: "9", Class: "Image Save", Prefix: "x/c"}}},
		{name: "WAS Save Text File, output folder known", raw: stored(t, "was-save-text-file"), workers: out,
			want:    map[string]any{"path": "/srv/out/" + own("9") + "/texts", "filename_prefix": "ComfyUI"},
			outputs: []Output{{Node: "9", Class: "Save Text File", Prefix: "texts/ComfyUI"}}},
		{name: "WAS Save Text File, output folder not known", raw: stored(t, "was-save-text-file"),
			want: map[string]any{"path": "/srv/out/texts", "filename_prefix": "ComfyUI"}, places: []string{""},
			outputs: []Output{{Node: "9", Class: "Save Text File", Prefix: "texts/ComfyUI", Outside: true}}},
		{name: "KJ SaveStringKJ", raw: `{"9":{"class_type":"SaveStringKJ","inputs":{"string":"s","filename_prefix":"text","output_folder":"output"}}}`,
			want:    map[string]any{"output_folder": own("9"), "filename_prefix": "text"},
			outputs: []Output{{Node: "9", Class: "SaveStringKJ", Prefix: "text"}}},
		{name: "KJ SaveImageKJ", raw: stored(t, "saveimagekj"),
			want:    map[string]any{"output_folder": "output", "filename_prefix": own("9") + "/ComfyUI"},
			outputs: []Output{{Node: "9", Class: "SaveImageKJ", Prefix: "ComfyUI"}}},
		{name: "KJ SaveImageKJ, absolute folder", raw: oneNode("SaveImageKJ", `"output_folder":"/srv/out/anna","filename_prefix":"x"`), workers: out,
			want:    map[string]any{"output_folder": "output", "filename_prefix": own("9") + "/anna/x"},
			outputs: []Output{{Node: "9", Class: "SaveImageKJ", Prefix: "anna/x"}}},
		{name: "LTX HDR", raw: oneNode("LTXVHDRDecodePostprocess", `"save_exr":true,"output_dir":"hdr","filename_prefix":"frame"`),
			want:    map[string]any{"output_dir": own("9") + "/hdr", "filename_prefix": "frame"},
			outputs: []Output{{Node: "9", Class: "LTXVHDRDecodePostprocess", Prefix: "hdr/frame"}}},
		{name: "LayerStyle ImageTaggerSave, output folder not known", raw: oneNode("LayerUtility: ImageTaggerSave", `"custom_path":"/home/anna/pics","filename_prefix":"Tag"`),
			want: map[string]any{"custom_path": "", "filename_prefix": "Tag"}, places: []string{"tag"},
			outputs: []Output{{Node: "9", Class: "LayerUtility: ImageTaggerSave", Prefix: "Tag", Outside: true}}},
		{name: "Comfyroll grid takes folders that are there", raw: oneNode("CR XY Save Grid Image", `"mode":"Save","trigger":true,"output_folder":"Grids","filename_prefix":"CR"`),
			want: map[string]any{"output_folder": "Grids", "filename_prefix": "CR"}, places: []string{"grids/cr"},
			outputs: []Output{{Node: "9", Class: "CR XY Save Grid Image", Prefix: "CR", Outside: true}}},
		{name: "a class that nobody knows", raw: oneNode("Somebodys Save", `"custom_path":"a","filename_prefix":"x"`), info: unknown,
			want:    map[string]any{"custom_path": own("9") + "/a", "filename_prefix": "x"},
			outputs: []Output{{Node: "9", Class: "Somebodys Save", Prefix: "a/x"}}},
	})
	t.Run("a name from another node", func(t *testing.T) {
		p, _ := tagged(t, strings.Replace(oneNode("Image Save", `"output_path":["2",0],"filename_prefix":["2",0]`), blank,
			blank+`,"2":{"class_type":"StringTrim","inputs":{"string":"../x","mode":"Both"}}`, 1), Tag{Prefix: true}, nil)
		from, _, _ := LinkOf(input(t, p, "9", "filename_prefix"))
		if n, _ := p.Node(from); n.Class != "StringReplace" || n.Inputs["find"] != "/" || n.Inputs["replace"] != "_" {
			t.Errorf("the name comes from %+v", n)
		}
		from, _, _ = LinkOf(input(t, p, "9", "output_path"))
		if n, _ := p.Node(from); n.Inputs["string_a"] != own("9") {
			t.Errorf("the folder comes from %+v", n)
		}
		again, err := p.Tagged(Tag{PromptID: attempt, Prefix: true}, nil, nil)
		if first, _ := p.MarshalJSON(); err != nil || string(again.Prompt) != string(first) {
			t.Errorf("tagged again it is\n%s, was\n%s", again.Prompt, first)
		}
	})
}

func TestRow11OwnFolderStandsFirst(t *testing.T) {
	leads(t, []leadCase{
		{name: "Save Image Extended", raw: stored(t, "save-image-extended"),
			want:    map[string]any{"foldername_prefix": own("9") + "/", "filename_prefix": "ComfyUI", "foldername_keys": "ckpt_name"},
			outputs: []Output{{Node: "9", Class: "SaveImageExtended", Prefix: "ComfyUI"}}},
		{name: "Save Image Extended in a folder", raw: oneNode("SaveImageExtended", `"foldername_prefix":"pix","filename_prefix":"x","foldername_keys":""`),
			want:    map[string]any{"foldername_prefix": own("9") + "/pix", "filename_prefix": "x"},
			outputs: []Output{{Node: "9", Class: "SaveImageExtended", Prefix: "pix/x"}}},
		{name: "SaveText of Custom Scripts", raw: stored(t, "pysssss-savetext"),
			want:    map[string]any{"root_dir": "output", "file": own("9") + "/notes.txt"},
			outputs: []Output{{Node: "9", Class: "SaveText|pysssss", Prefix: "notes.txt"}, {Node: "10", Class: "SaveImage", Prefix: "ComfyUI", Count: 1}}},
		{name: "Image Saver", raw: stored(t, "image-saver-in-folder"),
			want:    map[string]any{"path": own("9") + "/FLUX/%date", "filename": "%time_x"},
			outputs: []Output{{Node: "9", Class: "Image Saver Simple", Prefix: "FLUX/%date/%time_x"}}},
		{name: "a prefix of another name", raw: oneNode("ttN imageOutput", `"image_output":"Save","save_prefix":"x"`),
			want:    map[string]any{"save_prefix": own("9") + "/x"},
			outputs: []Output{{Node: "9", Class: "ttN imageOutput", Prefix: "x"}}},
	})
	moved := oneNode("ttN imageOutput", `"image_output":"Save","save_prefix":"qm/old/9/x","output_path":"/home/anna/pics"`)
	leads(t, []leadCase{
		{name: "sent to another folder, output folder not known", raw: moved, places: []string{""},
			want:    map[string]any{"save_prefix": "x", "output_path": "/home/anna/pics"},
			outputs: []Output{{Node: "9", Class: "ttN imageOutput", Prefix: "x", Outside: true}}},
		{name: "sent to another folder", raw: moved, workers: Workers{OutputDir: "/srv/out"},
			want:    map[string]any{"save_prefix": own("9") + "/pics/x", "output_path": "/srv/out"},
			outputs: []Output{{Node: "9", Class: "ttN imageOutput", Prefix: "pics/x"}}},
	})
	r := refusalOf(oneNode("SaveImageExtended", `"foldername_prefix":"","filename_prefix":"x","foldername_keys":"ckpt_name, ../../up"`), nil)
	if r == nil || r.Code != "prefix_escape" {
		t.Errorf("keys that climb out give %v", r)
	}
}

func TestRow13NothingWillCome(t *testing.T) {
	for name, c := range map[string]struct{ raw, says string }{
		"console":       {stored(t, "only-text-to-console"), "console"},
		"console, +":    {oneNode("ConsoleDebug+", `"prefix":"Value:"`), "console"},
		"Krita":         {oneNode("ETN_SendImageWebSocket", `"format":"PNG"`), "websocket"},
		"Swarm":         {oneNode("SwarmSaveImageWS", `"bit_depth":"8bit"`), "websocket"},
		"save_output":   {oneNode("VHS_VideoCombine", `"filename_prefix":"x","save_output":false`), "save_output = false"},
		"image_output":  {oneNode("ttN imageOutput", `"image_output":"Preview","save_prefix":"x"`), "image_output = Preview"},
		"output_type":   {oneNode("CR Image Output", `"output_type":"UI (no batch)","filename_prefix":"x"`), "UI (no batch)"},
		"by default":    {oneNode("CR XY Save Grid Image", `"mode":"Save","output_folder":"a","filename_prefix":"x"`), "trigger = false"},
		"root_dir":      {`{"9":{"class_type":"SaveText|pysssss","inputs":{"root_dir":"input","file":"x.txt"}}}`, "root_dir != output"},
		"switch linked": {strings.Replace(oneNode("VHS_VideoCombine", `"filename_prefix":"x","save_output":["2",0]`), blank, blank+`,"2":{"class_type":"PrimitiveBoolean","inputs":{"value":false}}`, 1), "save_output = false"},
	} {
		t.Run(name, func(t *testing.T) {
			r := refusalOf(c.raw, nil)
			if r == nil || r.Code != "previews_only" || !strings.Contains(r.Message, c.says) || !strings.Contains(r.Message, `node "9"`) {
				t.Errorf("got %v, want previews_only with %q", r, c.says)
			}
		})
	}
	leads(t, []leadCase{
		{name: "a prefix that is no path", raw: stored(t, "consoledebug-and-saveimage"), want: map[string]any{"prefix": "Value:"},
			outputs: []Output{{Node: "10", Class: "SaveImage", Prefix: "ComfyUI", Count: 1}}},
		{name: "switched off beside a save", raw: `{` + blank + `,` + strings.Replace(saved, `"9"`, `"10"`, 1) + `,"9":{"class_type":"easy imageSave","inputs":{"images":["1",0],"filename_prefix":"x","only_preview":true}}}`,
			want: map[string]any{"filename_prefix": "x"}, outputs: []Output{{Node: "10", Class: "SaveImage", Prefix: "x", Count: 1}}},
		{name: "a switch that the graph computes", raw: strings.Replace(oneNode("VHS_VideoCombine", `"filename_prefix":"x","save_output":["2",0]`), blank, blank+`,"2":{"class_type":"Somebodys Coin","inputs":{}}`, 1),
			want: map[string]any{"filename_prefix": own("9") + "/x"}},
	})
}

func TestRow15PrefixesThatPeopleMean(t *testing.T) {
	leads(t, []leadCase{
		{name: "backslashes", raw: saving(`"a\\b"`), want: map[string]any{"filename_prefix": own("9") + "/a/b"},
			outputs: []Output{{Node: "9", Class: "SaveImage", Prefix: "a/b", Count: 1}}},
		{name: "empty", raw: saving(`""`), want: map[string]any{"filename_prefix": own("9") + "/ComfyUI"},
			outputs: []Output{{Node: "9", Class: "SaveImage", Prefix: "ComfyUI", Count: 1}}},
		{name: "read back from a picture", raw: stored(t, "nan-from-delivered-png"), outputs: []Output{{Node: "9", Class: "SaveImage", Linked: true}}},
	})
	p, _ := tagged(t, stored(t, "nan-from-delivered-png"), Tag{Prefix: true, Marker: true}, nil)
	if want := []string{"1", "5", "9", "qm-prefix-9", "qm-started", "qm-started-image", "qm-tame-9"}; !reflect.DeepEqual(p.IDs(), want) {
		t.Errorf("nodes %v, want %v", p.IDs(), want)
	}
	if q, _ := tagged(t, stored(t, "nan-from-delivered-png"), Tag{}, nil); !reflect.DeepEqual(q.IDs(), []string{"1", "5", "9"}) || !reflect.DeepEqual(input(t, q, "9", "filename_prefix"), linkValue("5", 0)) {
		t.Errorf("without tags it is %v", q.objects())
	}
}

// A node that is no output node saves when another one needs it.
func TestSavesAlthoughItIsNoOutputNode(t *testing.T) {
	info := objectInfo(t, `{"EmptyImage":{},"SaveImage":{"output_node":true,"input":{"required":{"filename_prefix":["STRING"]}}},
		"SavePassThrough":{"output":["IMAGE"],"input":{"required":{"images":["IMAGE"],"filename_prefix":["STRING",{}]}}}}`)
	through := `"9":{"class_type":"SavePassThrough","inputs":{"images":["1",0],"filename_prefix":"x"}}`
	leads(t, []leadCase{
		{name: "needed", raw: `{` + blank + `,` + through + `,"10":{"class_type":"SaveImage","inputs":{"images":["9",0],"filename_prefix":"y"}}}`, info: info,
			want:    map[string]any{"filename_prefix": own("9") + "/x"},
			outputs: []Output{{Node: "9", Class: "SavePassThrough", Prefix: "x"}, {Node: "10", Class: "SaveImage", Prefix: "y"}}},
		{name: "not needed", raw: `{` + blank + `,` + through + `,"10":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"y"}}}`, info: info,
			want:    map[string]any{"filename_prefix": own("9") + "/x"},
			outputs: []Output{{Node: "10", Class: "SaveImage", Prefix: "y", Count: 1}}},
	})
	if r := refusalOf(`{`+blank+`,`+through+`}`, info); r == nil || r.Code != "no_outputs" {
		t.Errorf("alone it gives %v, want no_outputs", r)
	}
}

// What nobody knows may write anywhere when an input looks like a path, and is
// a stranger, of which runs will show it, otherwise.
func TestPlacesOfStrangers(t *testing.T) {
	info := objectInfo(t, `{"EmptyImage":{},"SaveImage":{"output_node":true,"input":{"required":{"filename_prefix":["STRING"]}}},
		"Uploader":{"output_node":true,"input":{"required":{"target_file":["STRING"]}}},
		"Shower":{"output_node":true,"input":{"required":{"colour":["STRING"],"checkpoint_name":[["a"]]}}}}`)
	for class, want := range map[string][]string{"Uploader": {""}, "Shower": nil} {
		p := parse(t, `{`+blank+`,`+saved+`,"10":{"class_type":"`+class+`","inputs":{"target_file":"a","colour":"b","checkpoint_name":"a"}}}`)
		if got := p.Places(info, true); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: places %q, want %q", class, got, want)
		}
		if s := p.Strangers(info); !maps.Equal(s, map[string]string{"10": class}) {
			t.Errorf("%s: strangers %v", class, s)
		}
		if len(p.Outputs(info)) != 1 || len(p.Cautions(info)) != len(want) {
			t.Errorf("%s: outputs %+v, cautions %+v", class, p.Outputs(info), p.Cautions(info))
		}
	}
}

// Without a list, what others take from is no output node as far as anybody knows.
func TestStrangersWithoutAList(t *testing.T) {
	p := parse(t, `{`+blank+`,`+saved+`,"10":{"class_type":"Grades","inputs":{"images":["1",0]}},"11":{"class_type":"Shower","inputs":{"x":["10",0]}}}`)
	if s := p.Strangers(nil); !maps.Equal(s, map[string]string{"11": "Shower"}) {
		t.Errorf("strangers %v", s)
	}
}

func TestPlacesWithoutTags(t *testing.T) {
	for raw, want := range map[string][]string{
		saving(`"Portraits/%date:yyyy%/x"`): {"portraits/"},
		saving(`"%width%"`):                 {""},
		linkedPrefix1:                       {""},
	} {
		if got := parse(t, raw).Places(nil, false); !reflect.DeepEqual(got, want) {
			t.Errorf("places %q, want %q", got, want)
		}
	}
}

func TestPlainClassesKeepTheirInputs(t *testing.T) {
	p, _ := tagged(t, oneNode("Image Save", `"output_path":"qm/old/9/pics","filename_prefix":"x"`), Tag{Prefix: true, Plain: []string{"Image Save"}}, nil)
	if got := input(t, p, "9", "output_path"); got != "pics" {
		t.Errorf("the folder is %v", got)
	}
}

func TestSiteRowsWin(t *testing.T) {
	w := Workers{SaveNodes: NewSaveNodes([]SaveNode{
		{Class: "Image Save", None: "shows pictures here"},
		{Class: "Keeper", Folder: "where", Name: "what", OffWhen: []string{"keep = no"}},
	})}
	leads(t, []leadCase{{name: "a class of the installation's own", workers: w,
		raw:     `{` + blank + `,"9":{"class_type":"Keeper","inputs":{"where":"a","what":"b","keep":"yes"}},"8":{"class_type":"Image Save","inputs":{"output_path":"","filename_prefix":"x"}}}`,
		want:    map[string]any{"where": own("9") + "/a", "what": "b"},
		outputs: []Output{{Node: "9", Class: "Keeper", Prefix: "a/b"}}}})
}

func TestMetadataOfARowIsABoolOrAnInput(t *testing.T) {
	for _, row := range SaveNodeRows() {
		switch row.Metadata.(type) {
		case nil, bool, string:
		default:
			raw, _ := json.Marshal(row.Metadata)
			t.Errorf("%s: metadata %s", row.Class, raw)
		}
	}
}

func TestSaveNodesReferenceIsFresh(t *testing.T) {
	raw, err := os.ReadFile("../../docs/save-nodes.md")
	if err != nil || string(raw) != SaveNodesReference() {
		t.Errorf("docs/save-nodes.md is stale: run make generate (%v)", err)
	}
}

// newer is what ComfyUI 0.33 says of some of its nodes.
func newer(t *testing.T) *ObjectInfo {
	t.Helper()
	class := func(output bool, out, required string) string {
		node := "false"
		if output {
			node = "true"
		}
		return `{"output_node":` + node + `,"output":` + out + `,"python_module":"comfy_extras.nodes_new","input":{"required":` + required + `}}`
	}
	prefix := `"filename_prefix":["STRING",{"default":"ComfyUI"}]`
	return objectInfo(t, `{"EmptyImage":`+class(false, `["IMAGE"]`, `{"width":["INT"]}`)+
		`,"EmptyLatentAudio":`+class(false, `["LATENT"]`, `{"batch_size":["INT"]}`)+
		`,"VAEDecodeAudio":`+class(false, `["AUDIO"]`, `{"samples":["LATENT"]}`)+
		`,"NewFilter":`+class(false, `["IMAGE"]`, `{"image":["IMAGE"]}`)+
		`,"NewText":`+class(false, `["STRING"]`, `{}`)+
		`,"NewMesh":`+class(false, `["FILE_3D_GLB","STRING"]`, `{}`)+
		`,"Meshes":`+class(false, `["MESH"]`, `{}`)+
		`,"SaveImage":`+class(true, `["IMAGE"]`, `{"images":["IMAGE"],`+prefix+`}`)+
		`,"SaveImageAdvanced":`+class(true, `["IMAGE"]`, `{"images":["IMAGE"],`+prefix+`,"format":["COMFY_DYNAMICCOMBO_V3",{}]}`)+
		`,"SaveAudioAdvanced":`+class(true, `["AUDIO"]`, `{"audio":["AUDIO"],`+prefix+`,"format":["COMFY_DYNAMICCOMBO_V3",{}]}`)+
		`,"SaveText":`+class(true, `["STRING"]`, `{"text":["STRING"],`+prefix+`}`)+
		`,"SaveGLB":`+class(true, `[]`, `{"mesh":["MESH,FILE_3D_GLB"],`+prefix+`}`)+
		`,"Save3DAdvanced":`+class(true, `["FILE_3D"]`, `{"model_3d":["FILE_3D,FILE_3D_GLB"],`+prefix+`}`)+
		`,"SavePointCloud":`+class(true, `["FILE_3D"]`, `{"model_3d":["FILE_3D,FILE_3D_GLB"],`+prefix+`}`)+
		`,"SaveGaussianSplat":`+class(true, `["FILE_3D"]`, `{"model_3d":["FILE_3D,FILE_3D_GLB"],`+prefix+`}`)+
		`,"SaveVideo":`+class(true, `["VIDEO"]`, `{"video":["VIDEO,IMAGE"],`+prefix+`,"format":["COMFY_DYNAMICCOMBO_V3",{}]}`)+
		`,"Preview3D":`+class(true, `[]`, `{"model_file":["STRING,FILE_3D_GLB",{}]}`)+
		`,"SaveTrainingDataset":`+class(true, `[]`, `{"folder_name":["STRING",{}]}`)+
		`,"ImageCompare":`+class(true, `[]`, `{}`)+`,"Preview3DAdvanced":`+class(true, `[]`, `{}`)+
		`,"CreateBoundingBoxes":`+class(true, `["IMAGE"]`, `{}`)+`,"SAM3_TrackPreview":`+class(true, `[]`, `{}`)+`}`)
}

func TestRow19NewSaveNodesHaveACount(t *testing.T) {
	info := newer(t)
	pictures := `"1":{"class_type":"EmptyImage","inputs":{"width":64,"batch_size":3}}`
	for name, c := range map[string]struct {
		raw  string
		want map[string]int
	}{
		"pictures":     {`{` + pictures + `,"9":{"class_type":"SaveImageAdvanced","inputs":{"images":["1",0],"filename_prefix":"x","format":"png","format.bit_depth":"8-bit"}}}`, map[string]int{"9": 3}},
		"passed on":    {`{` + pictures + `,"9":{"class_type":"SaveImageAdvanced","inputs":{"images":["1",0],"filename_prefix":"x","format":"png"}},"10":{"class_type":"SaveImage","inputs":{"images":["9",0],"filename_prefix":"x"}}}`, map[string]int{"9": 3, "10": 3}},
		"sound":        {`{"1":{"class_type":"EmptyLatentAudio","inputs":{"batch_size":2}},"2":{"class_type":"VAEDecodeAudio","inputs":{"samples":["1",0]}},"9":{"class_type":"SaveAudioAdvanced","inputs":{"audio":["2",0],"filename_prefix":"x","format":"flac"}}}`, map[string]int{"9": 2}},
		"text":         {`{"1":{"class_type":"NewText","inputs":{}},"9":{"class_type":"SaveText","inputs":{"text":["1",0],"filename_prefix":"x","format":"md"}}}`, map[string]int{"9": 1}},
		"3D":           {`{"1":{"class_type":"NewMesh","inputs":{}},"9":{"class_type":"Save3DAdvanced","inputs":{"model_3d":["1",0],"filename_prefix":"x"}}}`, map[string]int{"9": 1}},
		"points":       {`{"1":{"class_type":"NewMesh","inputs":{}},"9":{"class_type":"SavePointCloud","inputs":{"model_3d":["1",0],"filename_prefix":"x"}}}`, map[string]int{"9": 1}},
		"splats":       {`{"1":{"class_type":"NewMesh","inputs":{}},"9":{"class_type":"SaveGaussianSplat","inputs":{"model_3d":["1",0],"filename_prefix":"x"}}}`, map[string]int{"9": 1}},
		"a 3D file":    {`{"1":{"class_type":"NewMesh","inputs":{}},"9":{"class_type":"SaveGLB","inputs":{"mesh":["1",0],"filename_prefix":"x"}}}`, map[string]int{"9": 1}},
		"meshes":       {`{"1":{"class_type":"Meshes","inputs":{}},"9":{"class_type":"SaveGLB","inputs":{"mesh":["1",0],"filename_prefix":"x"}}}`, map[string]int{"9": 0}},
		"a new filter": {`{` + pictures + `,"2":{"class_type":"NewFilter","inputs":{"image":["1",0]}},"9":{"class_type":"SaveVideo","inputs":{"video":["2",0],"filename_prefix":"x","format":"mp4"}}}`, map[string]int{"9": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p := parse(t, c.raw)
			if err := p.Check(info); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, o := range p.Outputs(info) {
				got[o.Node] = o.Count
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("counts %v, want %v", got, c.want)
			}
		})
	}
}

func TestRow20ShowOnlyNodesAreRefused(t *testing.T) {
	for _, class := range []string{"ImageCompare", "Preview3DAdvanced", "CreateBoundingBoxes", "SAM3_TrackPreview"} {
		r := refusalOf(`{"9":{"class_type":"`+class+`","inputs":{}}}`, newer(t))
		if r == nil || r.Code != "previews_only" || !strings.Contains(r.Message, class) || !strings.Contains(r.Message, "temp folder") {
			t.Errorf("%s gives %v", class, r)
		}
	}
}

// Before a server has listed its nodes, the nodes that a node takes from are of
// unknown classes too.
func TestRow20ShowOnlyNodesAreRefusedWithoutANodeList(t *testing.T) {
	behind := func(source, sink string) string { return `{"1":` + source + `,"9":` + sink + `}` }
	takes := func(class string) string { return `{"class_type":"` + class + `","inputs":{"x":["1",0]}}` }
	const plain = `{"class_type":"MyLoss","inputs":{"fmt":"glb"}}`
	for _, class := range []string{"LossGraphNode", "Preview3DAdvanced", "PreviewGaussianSplat", "PreviewPointCloud", "SaveTrainingDataset", "PreviewImage"} {
		for _, source := range []string{plain, `{"class_type":"MyLoader","inputs":{"model_name":"a.safetensors"}}`} {
			r := refusalOf(behind(source, takes(class)), nil)
			if r == nil || r.Code != "previews_only" || !strings.Contains(r.Message, class) {
				t.Errorf("%s behind %s gives %v", class, source, r)
			}
		}
	}
	for name, raw := range map[string]string{
		"an unknown node at the end":      behind(plain, takes("MySink")),
		"one that is named as if":         behind(`{"class_type":"MyExporter","inputs":{}}`, takes("PreviewImage")),
		"one with a path":                 behind(`{"class_type":"MyThing","inputs":{"folder":"a"}}`, takes("PreviewImage")),
		"one with a prefix":               behind(`{"class_type":"MyThing","inputs":{"filename_prefix":"a"}}`, takes("PreviewImage")),
		"a save node of ComfyUI's beside": `{"1":` + plain + `,"9":` + takes("PreviewAny") + `,"10":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a"}}}`,
	} {
		if r := refusalOf(raw, nil); r != nil {
			t.Errorf("%s: %v", name, r)
		}
	}
	p, turned := parse(t, behind(plain, takes("PreviewImage"))).SavingPreviews(nil)
	if len(turned) != 1 || p.Check(nil) != nil {
		t.Errorf("previews behind unknown nodes are not saved: %v, %v", turned, p.Check(nil))
	}
}

func TestRow21Preview3DWritesIntoTheRoot(t *testing.T) {
	mesh := `"1":{"class_type":"NewMesh","inputs":{}}`
	leads(t, []leadCase{{name: "a 3D file", raw: `{` + mesh + `,"9":{"class_type":"Preview3D","inputs":{"model_file":["1",0]}}}`, info: newer(t),
		places: []string{"preview3d_"}, outputs: []Output{{Node: "9", Class: "Preview3D", Count: 1, Outside: true}}}})
	for _, from := range []string{`"a.glb"`, `["1",1]`} {
		r := refusalOf(`{`+mesh+`,"9":{"class_type":"Preview3D","inputs":{"model_file":`+from+`}}}`, newer(t))
		if r == nil || r.Code != "previews_only" {
			t.Errorf("a text (%s) gives %v", from, r)
		}
	}
}

func TestRow24TrainingDataset(t *testing.T) {
	alone := `{"9":{"class_type":"SaveTrainingDataset","inputs":{"folder_name":"mine"}}}`
	if r := refusalOf(alone, newer(t)); r == nil || r.Code != "previews_only" || !strings.Contains(r.Message, "datasets/") {
		t.Errorf("alone it gives %v", r)
	}
	beside := `{` + strings.TrimSuffix(strings.TrimPrefix(alone, "{"), "}") + `,"1":{"class_type":"EmptyImage","inputs":{"width":64,"batch_size":1}},"10":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x"}}}`
	leads(t, []leadCase{{name: "beside a save node", raw: beside, info: newer(t), want: map[string]any{"folder_name": "mine"},
		outputs: []Output{{Node: "10", Class: "SaveImage", Prefix: "x", Count: 1}}}})
	if c := parse(t, beside).Cautions(newer(t)); len(c) != 1 || !c[0].Lost || !strings.Contains(c[0].Message, "datasets/") {
		t.Errorf("cautions %+v", c)
	}
	leads(t, []leadCase{{name: "ComfyUI 0.8 wrote into the output folder", raw: alone, want: map[string]any{"folder_name": own("9") + "/mine"},
		info:    objectInfo(t, `{"SaveTrainingDataset":{"output_node":true,"input":{"required":{"folder_name":["STRING"]}}}}`),
		outputs: []Output{{Node: "9", Class: "SaveTrainingDataset", Prefix: "mine"}}}})
}

func TestOutputFolderOfACommandLine(t *testing.T) {
	for want, argv := range map[string][]string{
		"/srv/out":         {"main.py", "--output-directory=/srv/out/"},
		"/srv/out2":        {"main.py", "--base-directory", "/srv/base", "--output-directory", "/srv/out2"},
		"/srv/base/output": {"main.py", "--base-directory", "/srv/base"},
		"":                 {"main.py", "--output-directory", "out"},
	} {
		if got := (SystemStats{Argv: argv}).OutputFolder(); got != want {
			t.Errorf("%v: %q, want %q", argv, got, want)
		}
	}
}
