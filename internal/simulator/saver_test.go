package simulator

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// studio is a prompt with one save node that gets two pictures.
func studio(class, inputs, id string) string {
	return `{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":2,"color":255}},
"9":{"class_type":"` + class + `","inputs":{"images":["1",0],` + inputs + `}}},"client_id":"c","prompt_id":"` + id + `"}`
}

// TestCustomSaveNodes: each kind of custom save node, with the paths that it
// writes and those that history reports.
func TestCustomSaveNodes(t *testing.T) {
	for _, tt := range []struct {
		class, inputs   string
		paths, reported []string
		metadata        bool
	}{
		{"StudioFlatSave", `"output_path":"a/b","filename_prefix":"x"`, []string{"a/b/x_0001.png", "a/b/x_0002.png"}, []string{"a/b/x_0001.png", "a/b/x_0002.png"}, true},
		{"StudioFlatSave", `"output_path":"a","filename_prefix":"not/there"`, nil, nil, true},
		{"StudioNamedSave", `"filename":"x","path":"a"`, []string{"a/x_01.png", "a/x_02.png"}, []string{"a/x_01.png", "a/x_02.png"}, false},
		{"StudioSilentSave", `"filename":"x","path":""`, []string{"x_01.png", "x_02.png"}, nil, false},
		{"StudioPrefixSave", `"save_prefix":"a/x"`, []string{"a/x_00001_.jpg", "a/x_00002_.jpg"}, []string{"a/x_00001_.jpg", "a/x_00002_.jpg"}, false},
		{"StudioFolderSave", `"filename_prefix":"a/x","output_folder":"output"`, []string{"a/x_00001_.png", "a/x_00001_.txt", "a/x_00002_.png", "a/x_00002_.txt"}, []string{"a/x_00001_.png", "a/x_00002_.png"}, true},
		{"StudioSidecarSave", `"filename_prefix":"x"`, []string{"x_00001_.png", "x_00001_.txt", "x_00001_.json", "x_00002_.png", "x_00002_.txt", "x_00002_.json"}, []string{"x_00001_.png", "x_00002_.png"}, true},
		{"StudioVideoSave", `"filename_prefix":"x"`, []string{"x_00001_.mp4", "x_00001_.png", "x_00001_-audio.mp4"}, []string{"x_00001_.mp4"}, true},
		{"StudioDripSave", `"filename_prefix":"x","length":3,"seconds":5.0`, []string{"x_00001_.png", "x_00002_.png", "x_00003_.png"}, []string{"x_00001_.png", "x_00002_.png", "x_00003_.png"}, true},
	} {
		simulate(t, Config{}, func(t *testing.T, f *Fleet) {
			entry := run(t, f, tt.class, studio(tt.class, tt.inputs, "p"))
			var paths, reported []string
			for _, w := range f.Manifest() {
				body, err := os.ReadFile(filepath.Join(f.cfg.Outputs, w.Path))
				if paths = append(paths, w.Path); err != nil {
					t.Error(err)
				}
				if filepath.Ext(w.Path) == ".png" && bytes.Contains(body, []byte("class_type")) != tt.metadata {
					t.Errorf("%s: metadata %v, want %v", tt.class, !tt.metadata, tt.metadata)
				}
			}
			for _, key := range []string{"images", "gifs"} {
				list, _ := dig(entry, "outputs", "9", key).([]any)
				for _, o := range list {
					reported = append(reported, filepath.Join(text(dig(o, "subfolder")), text(dig(o, "filename"))))
				}
			}
			if !slices.Equal(paths, tt.paths) || !slices.Equal(reported, tt.reported) {
				t.Errorf("%s %s wrote %q and reported %q, want %q and %q", tt.class, tt.inputs, paths, reported, tt.paths, tt.reported)
			}
		})
	}
}

// TestCustomSaveNodesAsRecorded: what the history of a real ComfyUI 0.33.0 has
// of the real packs' nodes (WAS Node Suite, Image Saver, KJNodes, tooling
// nodes), for two pictures.
func TestCustomSaveNodesAsRecorded(t *testing.T) {
	file := func(name string) *object { return dict("filename", name, "subfolder", "qm/p/2", "type", "output") }
	sent := dict("source", "websocket", "content-type", "image/png", "type", "output")
	was := `"filename_delimiter":"_","filename_number_padding":4,"filename_number_start":"false","extension":"png","dpi":300,"quality":100,"optimize_image":"true","lossless_webp":"false","overwrite_mode":"false","show_history":"false","show_history_by_prefix":"true","embed_workflow":"true","show_previews":"true"`
	saver := `"extension":"png","lossless_webp":true,"quality_jpeg_or_webp":100,"optimize_png":false,"embed_workflow":true,"save_workflow_as_json":false`
	for _, tt := range []struct {
		class, inputs string
		want          *object // nil: history has nothing of the node
	}{
		{"Image Save", was + `,"output_path":"qm/p/2","filename_prefix":"ComfyUI"`, dict("images", []any{file("ComfyUI_0001.png"), file("ComfyUI_0002.png")}, "files", []any{"/share/qm/p/2/ComfyUI_0001.png", "/share/qm/p/2/ComfyUI_0002.png"})},
		{"Image Save", was + `,"output_path":"qm/p","filename_prefix":"2/ComfyUI"`, dict("images", []any{}, "files", []any{})},
		{"Image Saver", saver + `,"path":"qm/p/2","filename":"fix"`, dict("images", []any{file("fix_01.png"), file("fix_02.png")})},
		{"Image Saver", saver + `,"path":"qm/p","filename":"2/fix"`, nil},
		{"SaveImageKJ", `"filename_prefix":"qm/p/2/ComfyUI","output_folder":"output"`, nil},
		{"ETN_SendImageWebSocket", `"format":"PNG"`, dict("images", []any{sent, sent})},
	} {
		simulate(t, Config{}, func(t *testing.T, f *Fleet) {
			entry := run(t, f, tt.class, studio(tt.class, tt.inputs, "p"))
			want := dict()
			if tt.want != nil {
				want.set("9", tt.want)
			}
			if got := strings.ReplaceAll(plain(entry.values["outputs"]), f.cfg.Outputs, "/share"); got != plain(want) {
				t.Errorf("%s %s:\n got %s\nwant %s", tt.class, tt.inputs, got, plain(want))
			}
		})
	}
}

// TestOwnNameIsOverwritten: two prompts with one name leave one file, and the
// manifest knows both versions.
func TestOwnNameIsOverwritten(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		for _, id := range []string{"p", "q"} {
			prompt := strings.Replace(studio("StudioNamedSave", `"filename":"poster","path":""`, id), `"batch_size":2`, `"batch_size":1`, 1)
			run(t, f, id, prompt)
			f.forgetCache()
		}
		files := f.Manifest()
		if len(files) != 2 || files[0].Path != "poster.png" || files[1].Path != files[0].Path || !files[0].Overwritten || files[0].Checksum == files[1].Checksum {
			t.Errorf("%+v", files)
		}
	})
}

// forgetCache is POST /free to every replica.
func (f *Fleet) forgetCache() { call(f, "POST", "/gpu/free", `{"free_memory":true}`) }

// TestRewrittenFile: the second version comes a while after the first, and
// only it is what the node made.
func TestRewrittenFile(t *testing.T) {
	simulate(t, Config{Render: Span{time.Millisecond, time.Millisecond}}, func(t *testing.T, f *Fleet) {
		post(t, f, studio("StudioWatermark", `"filename_prefix":"qm/p/9/x"`, "p"))
		pass(time.Second)
		first := f.Manifest()
		settle(t, f)
		all := f.Manifest()
		if len(first) != 2 || len(all) != 4 || !first[0].Complete || first[0].Replaced {
			t.Fatalf("%+v then %+v", first, all)
		}
		if !all[0].Replaced || !all[1].Replaced || all[2].Replaced || !all[3].Again || all[2].Path != all[0].Path || all[2].Size <= all[0].Size || all[0].Wanted() || !all[2].Wanted() {
			t.Errorf("%+v", all)
		}
		if v := verdictOf(t, f, all[2]); v.String() != "complete" {
			t.Errorf("the second version is %v", v)
		}
	})
}

// TestNothingIsWrittenOutside: whatever a prompt asks for, the simulator
// writes in the output folder.
func TestNothingIsWrittenOutside(t *testing.T) {
	outside := t.TempDir()
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		for i, class := range []string{"StudioFlatSave", "StudioNamedSave", "StudioFolderSave"} {
			names := map[string]string{"StudioFlatSave": `"output_path":"%","filename_prefix":"x"`, "StudioNamedSave": `"path":"","filename":"%"`, "StudioFolderSave": `"output_folder":"%","filename_prefix":"x"`}
			for j, to := range []string{outside, "../../x", filepath.Dir(f.cfg.Outputs)} {
				call(f, "POST", "/gpu/prompt", studio(class, strings.ReplaceAll(names[class], "%", to), string(rune('a'+3*i+j))))
			}
		}
		settle(t, f)
		for _, w := range f.Manifest() {
			if strings.Contains(w.Path, "..") {
				t.Errorf("%s is outside", w.Path)
			}
		}
		if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
			t.Errorf("%v %v", left, err)
		}
	})
}

// TestPassThroughSaves: a node that is no output node saves as well.
func TestPassThroughSaves(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		run(t, f, "pass", `{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":255}},
"2":{"class_type":"StudioPassThrough","inputs":{"images":["1",0],"filename_prefix":"mid"}},"3":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"end"}}}}`)
		if files := f.Manifest(); len(files) != 2 || files[0].Path != "mid_00001_.png" {
			t.Errorf("%+v", files)
		}
	})
}
