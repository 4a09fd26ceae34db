package comfy

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var allTags = Tag{PromptID: attempt, Metadata: map[string]any{"job": "j"}, Prefix: true, Embed: true, Marker: true}

// Tagging adds nodes and changes prefixes, and nothing else.
func TestTaggingKeepsEverythingElse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { checkTagging(t, parseFile(t, file)) })
	}
	t.Run("linked prefix", func(t *testing.T) { checkTagging(t, parse(t, linkedPrefix1)) })
}

// checkTagging holds one prompt to every promise of Tagged.
func checkTagging(t *testing.T, p *Prompt) {
	t.Helper()
	before, err := p.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	req, err := p.Tagged(allTags, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := p.Tagged(allTags, nil, nil); !bytes.Equal(again.Prompt, req.Prompt) {
		t.Error("the same arguments give another prompt")
	}
	if after, _ := p.MarshalJSON(); !bytes.Equal(before, after) {
		t.Errorf("Tagged changed its prompt\nfrom %s\nto   %s", before, after)
	}
	q, err := ParsePrompt(req.Prompt, Limits{Nodes: 3*p.Len() + 3, Bytes: int64(len(req.Prompt))})
	if err != nil {
		t.Fatalf("the tagged prompt is no prompt: %v", err)
	}
	q = q.For(p.workers)
	sameElsewhere(t, p, q)
	ownFolders(t, p, q)
	if before, after := p.Check(nil), q.Check(nil); before == nil && after != nil {
		t.Errorf("the tagged prompt is refused: %v", after)
	}
	if again, err := q.Tagged(allTags, nil, nil); err != nil || !bytes.Equal(again.Prompt, req.Prompt) {
		t.Errorf("tagged again it is\n%s, was\n%s", again.Prompt, req.Prompt)
	}
	if !reflect.DeepEqual(userOutputs(p), userOutputs(q)) {
		t.Errorf("outputs\nwere %+v\nare  %+v", userOutputs(p), userOutputs(q))
	}
}

// sameElsewhere compares all nodes of p with those of q but for the inputs that
// lead files.
func sameElsewhere(t *testing.T, p, q *Prompt) {
	t.Helper()
	leading, helpers := map[string][]string{}, p.helpers(nil)
	for _, s := range p.saves(nil) {
		leading[s.node.id] = []string{s.main, s.row.Name, s.row.Redirect}
	}
	for id, n := range p.nodes {
		if p.markers[id] || helpers[id] {
			continue
		}
		want, got := n.object(), map[string]any{}
		if m := q.nodes[id]; m != nil {
			got = m.object()
			got["inputs"] = without(m.inputs, leading[id])
		}
		want["inputs"] = without(n.inputs, leading[id])
		if !reflect.DeepEqual(got, want) {
			t.Errorf("node %q became %v, was %v", id, got, want)
		}
	}
}

func without(inputs map[string]any, names []string) map[string]any {
	out := map[string]any{}
	for key, value := range inputs {
		if !slices.Contains(names, key) {
			out[key] = value
		}
	}
	return out
}

// ownFolders holds that every save node of p that can writes below a folder
// that no other one has, and that no name has a slash.
func ownFolders(t *testing.T, p, q *Prompt) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range p.saves(nil) {
		folder := Folder(attempt) + "/" + EncodeNode(s.node.id)
		if s.row.Base != "" {
			folder = p.workers.OutputDir + "/" + folder
		}
		value := q.nodes[s.node.id].inputs[s.main]
		if from, _, ok := LinkOf(value); ok {
			value, _ = q.nodes[from].inputs["string_a"].(string)
		}
		text, _ := value.(string)
		usable := s.isolated(p) && (s.state == prefixLiteral || s.state == prefixLinked || s.state == prefixAbsent)
		if usable && (!strings.HasPrefix(text+"/", folder+"/") || seen[folder]) {
			t.Errorf("node %q writes to %q, want below %q", s.node.id, text, folder)
		}
		seen[folder] = true
		if name, _ := q.nodes[s.node.id].inputs[s.row.Name].(string); s.row.Name != "" && strings.Contains(name, "/") {
			t.Errorf("node %q has the name %q", s.node.id, name)
		}
	}
}

// userOutputs leaves out the counts, which a link through an unknown node hides.
func userOutputs(p *Prompt) []Output {
	out := p.Outputs(nil)
	for i := range out {
		out[i].Count = 0
	}
	return out
}

// Every row of the table keeps the promises of Tagged, whatever its inputs hold.
func TestEveryRowCanBeTagged(t *testing.T) {
	texts := []string{`""`, `"x"`, `"a/b"`, `"a\\b/"`, `"output"`, `"./output/x"`, `"/srv/out"`, `"/srv/out/pics/x"`, `"/home/anna/ComfyUI/output"`, `"C:/pics"`,
		`"qm/old/9/x"`, `"/srv/out/qm/old/9/x"`, `"qm/old/9"`, `"%date:yyyy%"`, `["1",0]`, `7`, `null`, `"none"`, `"/"`, `"//x//y/"`, `"./."`}
	for _, row := range SaveNodeRows() {
		for i, text := range texts {
			other := texts[(i*7+3)%len(texts)]
			inputs := ""
			for _, name := range []string{row.Folder, row.Prefix, row.Path} {
				if name != "" {
					inputs += `,"` + name + `":` + text
				}
			}
			for _, name := range []string{row.Name, row.Redirect} {
				if name != "" && !strings.Contains(inputs, `"`+name+`"`) {
					inputs += `,"` + name + `":` + other
				}
			}
			raw := `{` + blank + `,` + strings.Replace(saved, `"9"`, `"8"`, 1) + `,"9":{"class_type":"` + row.Class + `","inputs":{` + strings.TrimPrefix(inputs, ",") + `}}}`
			for _, w := range []Workers{{}, {OutputDir: "/srv/out"}} {
				p := parse(t, raw).For(w)
				if p.Check(nil) != nil {
					continue
				}
				checkTagging(t, p)
				if t.Failed() {
					t.Fatalf("by %s with %+v", raw, w)
				}
			}
		}
	}
}

func FuzzPrompt(f *testing.F) {
	for _, seed := range []string{
		saving(`"x"`), saving(`"qm/a/9/x"`), saving(`12`), saving(`["1",0]`), linkedPrefix1, `{"nodes":[]}`, `{}`, `NaN`,
		`{"_started":{"class_type":"SaveLoRA","inputs":{"prefix":"\u00e9"}},"":{"class_type":"VHS_VideoCombine","inputs":{"filename_prefix":{"__value__":"v"}}}}`,
		oneNode("Image Save", `"output_path":"/a/output/../b","filename_prefix":"c/d"`), oneNode("SaveImageKJ", `"output_folder":"./qm/a/9/","filename_prefix":"x"`),
		oneNode("Save Text File", `"path":"./ComfyUI/output/x","filename_prefix":["1",0]`), oneNode("SaveText|pysssss", `"root_dir":"output","file":["1",0]`),
		oneNode("LayerUtility: ImageTaggerSave", `"custom_path":["1",0],"filename_prefix":"x"`), oneNode("CR XY Save Grid Image", `"output_folder":"a","trigger":true,"mode":"Save"`),
		`{"1":{"class_type":"ImageBatch","inputs":{"image1":["1",0],"image2":["2",true]}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePrompt(raw, Limits{Bytes: 1 << 16, Depth: 50, Nodes: 200})
		if err != nil {
			if r, ok := err.(*Refusal); !ok || r.Code == "" || r.NodeErrors == nil {
				t.Errorf("the error is %#v", err)
			}
			return
		}
		p.Outputs(nil) // also of what Check would refuse
		if p.Check(nil) == nil {
			checkTagging(t, p)
		}
	})
}
