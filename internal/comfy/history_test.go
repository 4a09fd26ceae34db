package comfy

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func history(t *testing.T, e exchange) *HistoryEntry {
	t.Helper()
	id, err := url.PathUnescape(strings.TrimPrefix(e.Path, "/history/"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := replay(t, e).History(t.Context(), id)
	if err != nil {
		t.Fatalf("%s: %v", e.Label, err)
	}
	return h
}

func TestHistoryReplay(t *testing.T) {
	for _, c := range []struct {
		scenario, label string
		succeeded       bool
		file            string // node kind subfolder/filename type
		failed          string // node class exception
	}{
		{"02-prompt-ok", "history_noclient", true, "9 images t02/noclient_00001_.png output", ""},
		{"02-prompt-ok", "history_client", true, "9 images t02/client_00001_.png output", ""},
		{"02-prompt-ok", "history_pid_uuid", true, "9 images t02/pid_uuid_00001_.png output", ""},
		{"02-prompt-ok", "history_pid_string", true, "9 images t02/pid_string_00001_.png output", ""},
		{"02-prompt-ok", "history_pid_int", true, "9 images t02/pid_int_00001_.png output", ""},
		{"04-exec-error", "history_image_string", false, "", "9 SaveImage AttributeError"},
		{"04-exec-error", "history_mixed", false, "5 images t04/mixed_ok_00001_.png output", "9 SaveImage Exception"},
		{"04-exec-error", "history_loadimage_text_noclient", false, "", "1 LoadImage PIL.UnidentifiedImageError"},
		{"06-cache", "history_1_first", true, "9 images t06/img_00001_.png output", ""},
		{"06-cache", "history_2_identical", true, "9 images t06/img_00001_.png output", ""},
		{"06-cache", "history_3_identical_noclient", true, "", ""},
		{"09b-queue-order-last-node", "history_last", true, "99 images t09b/x_00009_.png output", ""},
		{"15-cycle", "history_selflink", false, "", "9 SaveImage graph.DependencyCycleError"},
		{"15-enospc", "history_mp4_enospc", false, "", "9 SaveVideo av.error.OSError"},
		{"15-aftercrash", "history_next_counter", true, "9 images t15/kill_00002_.png output", ""},
	} {
		h := history(t, transcript(t, c.scenario)[c.label])
		if h.Succeeded() != c.succeeded || h.Started.IsZero() || h.Ended.Before(h.Started) || h.Interrupted {
			t.Errorf("%s: %+v", c.label, h)
		}
		var file, failed string
		for _, f := range h.Outputs {
			file += f.Node + " " + f.Kind + " " + f.Subfolder + "/" + f.Filename + " " + f.Type
		}
		if e := h.Error; e != nil {
			failed = e.NodeID + " " + e.NodeType + " " + e.Type
		}
		if file != c.file || failed != c.failed {
			t.Errorf("%s: files %q, failed %q", c.label, file, failed)
		}
	}
}

// A cycle that only an undeclared input closes: status_str says success.
func TestHistorySuccessCanHideAnError(t *testing.T) {
	h := history(t, transcript(t, "15-cycle")["history_selflink"])
	if h.Status != "success" || !h.Completed || h.Succeeded() || h.Error.Message != "Dependency cycle detected" {
		t.Errorf("got %+v", h)
	}
}

func TestHistoryErrorHasATraceback(t *testing.T) {
	h := history(t, transcript(t, "04-exec-error")["history_image_string"])
	if len(h.Error.Traceback) < 3 || h.Error.Message != "'str' object has no attribute 'shape'" {
		t.Errorf("got %+v", h.Error)
	}
	if want := time.UnixMilli(1795418861115).UTC(); !h.Started.Truncate(time.Second).Equal(want.Truncate(time.Second)) {
		t.Errorf("started %v, want about %v", h.Started, want)
	}
}

// Pending, running, unknown and "on another replica" look alike.
func TestHistoryOfNothing(t *testing.T) {
	h, err := replay(t, transcript(t, "01-get")["history_unknown"]).History(t.Context(), "00000000-0000-0000-0000-000000000000")
	if h != nil || err != nil {
		t.Errorf("got %+v, %v", h, err)
	}
	other := client(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"other": {}}`)) })
	if h, err := other.History(t.Context(), "id"); h != nil || err != nil {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestHistoryOfOddShapes(t *testing.T) {
	for _, c := range []struct {
		body  string
		files []HistoryFile
		check func(*HistoryEntry) bool
	}{
		{`{"outputs":{"12":{"gifs":[{"filename":"v.mp4","subfolder":"","type":"output","fullpath":"/x"}],"text":["hello"],"animated":[true]},
			"3":{"audio":[{"filename":"a.flac","subfolder":"audio","type":"output"}],"n":7,"x":NaN}},"status":{"status_str":"success","completed":true,"messages":[]}}`,
			[]HistoryFile{{"3", "a.flac", "audio", "output", "audio"}, {"12", "v.mp4", "", "output", "gifs"}},
			(*HistoryEntry).Succeeded},
		{`{"outputs":{"1":{"gifs":[{"filename":"A_00001.%03d.png","subfolder":"","type":"output"}]},"2":{"images":[{"filename":"/mnt/out/day/a.png","subfolder":"day","type":"output"},
			{"filename":"b.png","subfolder":"/mnt/out/day","type":"output"},{"filename":"/etc/../x.png","subfolder":"","type":"output"},{"filename":"/x.png","subfolder":"","type":"output"}]}},"status":{"status_str":"success"}}`,
			[]HistoryFile{{"2", "a.png", "/mnt/out/day", "output", "images"}, {"2", "b.png", "/mnt/out/day", "output", "images"}}, (*HistoryEntry).Succeeded},
		{`{"outputs":null,"status":null}`, nil, func(h *HistoryEntry) bool { return h.Status == "" && !h.Succeeded() }},
		{`{"outputs":{"1":[],"2":{"images":{"filename":"x"}}},"status":{"messages":[7,["execution_start"],["execution_interrupted",{"timestamp":1795418861115}]]}}`,
			nil, func(h *HistoryEntry) bool { return h.Interrupted && !h.Ended.IsZero() && h.Started.IsZero() }},
		{`{"outputs":{},"status":{"status_str":"success","messages":[["execution_cached",{"nodes":["1",9],"prompt_id":"p"}],["execution_cached",{"nodes":"all"}]]}}`,
			nil, func(h *HistoryEntry) bool { return slices.Equal(h.Cached, []string{"1", "9"}) && h.Succeeded() }},
		{`{"outputs":{},"status":{"status_str":"success","messages":[["execution_error",null]]}}`,
			nil, func(h *HistoryEntry) bool { return h.Error != nil && !h.Succeeded() }},
		{`{"outputs":{},"status":{"messages":[["execution_error",{"node_id":9,"traceback":"no list","timestamp":"soon"}]]}}`,
			nil, func(h *HistoryEntry) bool { return h.Error.NodeID == "9" && h.Ended.IsZero() }},
	} {
		cl := client(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":` + c.body + `}`)) })
		h, err := cl.History(t.Context(), "id")
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if !slices.Equal(h.Outputs, c.files) || !c.check(h) {
			t.Errorf("%s: %+v", c.body, h)
		}
	}
}

// TestRow21HistoryNamesFilesInEveryShape: entries as ComfyUI 0.33.0 and node packs write
// them. The theft of another user's file by Preview3D's input is no evidence.
func TestRow21HistoryNamesFilesInEveryShape(t *testing.T) {
	const hex = "3a63df736c0842c8a80bc67862c98f70"
	for _, c := range []struct {
		name, class, outputs string
		want                 []string // kind subfolder/filename type
	}{
		{"Save3DAdvanced", "Save3DAdvanced", `{"result":["qm/p/9/s3d_00001.glb",null,[]]}`, []string{"result qm/p/9/s3d_00001.glb output"}},
		{"in the root", "SavePointCloud", `{"result":["pc_00001.ply",{"position":"x.y"},[]]}`, []string{"result /pc_00001.ply output"}},
		{"Preview3D of a model", "Preview3D", `{"result":["preview3d_` + hex + `.glb",null,"temp/bg_` + hex + `.png"]}`,
			[]string{"result /preview3d_" + hex + ".glb output", "result temp/bg_" + hex + ".png temp"}},
		{"Preview3D of a name", "Preview3D", `{"result":["mesh/victim_00001_.glb",null,null]}`, []string{"result mesh/victim_00001_.glb temp"}},
		{"Preview3DAdvanced", "Preview3DAdvanced", `{"result":["preview3d_advanced_` + hex + `.glb",null,[]]}`, []string{"result /preview3d_advanced_" + hex + ".glb temp"}},
		{"a splat of an unknown class", "", `{"result":["preview_splat_` + hex + `.spz",null,[]]}`, []string{"result /preview_splat_" + hex + ".spz temp"}},
		{"annotated", "X", `{"files":["a/b.glb [temp]","c.glb [output]","d.glb[output]"]}`, []string{"files a/b.glb temp", "files /c.glb output", "files /d.gl output"}},
		{"SaveText", "SaveText", `{"text":["notes/a.txt"],"files":[{"filename":"text_00001.txt","subfolder":"t","type":"output"}]}`, []string{"files t/text_00001.txt output"}},
		{"SaveGLB", "SaveGLB", `{"3d":[{"filename":"m_00001_.glb","subfolder":"mesh","type":"output","id":"x"}]}`, []string{"3d mesh/m_00001_.glb output"}},
		{"audio and animated", "SaveVideo", `{"images":[{"filename":"v.mp4","subfolder":"","type":"output"}],"animated":[true],"audio":[{"filename":"a.flac","subfolder":"","type":"output"}]}`,
			[]string{"audio /a.flac output", "images /v.mp4 output"}},
		{"nested", "X", `{"previews":{"a":[[{"filename":"n.png","subfolder":"s","type":"output"}]]}}`, []string{"previews s/n.png output"}},
		{"out of the folder", "X", `{"result":["/etc/passwd.txt","../x.glb","a/../../x.glb","C:\\x\u0000.glb"],"images":[{"filename":"x.png","subfolder":"..","type":"output"},
			{"filename":"x.png","subfolder":"/abs","type":"output"},{"filename":"../x.png","subfolder":"a/b","type":"output"},{"filename":"a\nb.png","subfolder":"","type":"output"}]}`, []string{"images /abs/x.png output", "result /etc/passwd.txt output"}},
		{"texts", "X", `{"text":["a.txt"],"string":"b.png","result":["no extension","a sentence. And more","two\nlines.png",".png",7,true,"{}"]}`, nil},
		{"no type", "X", `{"images":[{"filename":"x.png","subfolder":""}]}`, nil},
	} {
		raw := `{"prompt":[1,"p",{"9":{"class_type":"` + c.class + `","inputs":{}}},{},["9"]],"outputs":{"9":` + c.outputs + `},"status":{"status_str":"success"}}`
		h, err := readHistory(nullBareNumbers([]byte(raw)), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, f := range h.Outputs {
			got = append(got, f.Kind+" "+f.Subfolder+"/"+f.Filename+" "+f.Type)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestRow20JobNamesNoFileThatIsOnlyShown: GET /api/jobs calls every text with the extension
// of a 3D file an output (comfy_execution/jobs.py, 0.33.0), also the name of what a node
// only shows out of the temp folder.
func TestRow20JobNamesNoFileThatIsOnlyShown(t *testing.T) {
	const hex = "3a63df736c0842c8a80bc67862c98f70"
	normal := func(key, name string) string {
		return `{"` + key + `":[{"filename":"` + name + `","type":"output","subfolder":"","mediaType":"3d"},[]]}`
	}
	own := NewSaveNodes([]SaveNode{{Class: "ShowsOnly", None: "shows it"}, {Class: "PreviewAny"}})
	for _, c := range []struct {
		class, outputs string
		want           []string
	}{
		{"Preview3DAdvanced", normal("result", "preview3d_advanced_"+hex+".glb"), []string{"/preview3d_advanced_" + hex + ".glb temp"}},
		{"Preview3DAdvanced", normal("result", "of_another_version.glb"), []string{"/of_another_version.glb temp"}},
		{"", normal("result", "preview_splat_"+hex+".glb"), []string{"/preview_splat_" + hex + ".glb temp"}},
		{"Preview3D", normal("result", "mesh/victim_00001_.glb"), []string{"mesh/victim_00001_.glb temp"}},
		{"Preview3D", normal("result", "preview3d_"+hex+".glb"), []string{"/preview3d_" + hex + ".glb output"}},
		{"Save3DAdvanced", normal("result", "qm/p/9/s3d_00001.glb"), []string{"qm/p/9/s3d_00001.glb output"}},
		{"ShowText", normal("text", "a.glb"), nil},
		{"X", `{"3d":[{"filename":"a.glb","type":"output","subfolder":"m","mediaType":"3d","id":"7"}]}`, []string{"m/a.glb output"}},
		{"PreviewImage", `{"images":[{"filename":"a.png","type":"output","subfolder":""},{"filename":"b.png","type":"temp","subfolder":""}]}`, []string{"/b.png temp"}},
		{"ShowsOnly", `{"images":[{"filename":"a.png","type":"output","subfolder":""}]}`, nil},
		{"PreviewAny", `{"images":[{"filename":"a.png","type":"output","subfolder":""}]}`, []string{"/a.png output"}}, // the installation's own row says that it saves
	} {
		cl := client(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id":"p","status":"completed","outputs":{"9":` + c.outputs + `},"execution_status":{"status_str":"success"},
				"workflow":{"prompt":{"9":{"class_type":"` + c.class + `","inputs":{}}},"extra_data":{}}}`))
		})
		cl.SaveNodes = own
		state, h, err := cl.Job(t.Context(), "p")
		if err != nil || state != JobEnded {
			t.Fatalf("%s %s: %v %v", c.class, c.outputs, state, err)
		}
		var got []string
		for _, f := range h.Outputs {
			got = append(got, f.Subfolder+"/"+f.Filename+" "+f.Type)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.class, c.outputs, got, c.want)
		}
	}
}

func FuzzHistory(f *testing.F) {
	for _, scenario := range []string{"02-prompt-ok", "15-cycle"} {
		for _, e := range transcript(f, scenario) {
			var entries map[string]json.RawMessage
			if json.Unmarshal([]byte(e.Body), &entries) != nil {
				continue
			}
			for _, raw := range entries {
				f.Add([]byte(raw))
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := readHistory(raw, nil)
		if (h == nil) == (err == nil) {
			t.Fatalf("%+v, %v", h, err)
		}
	})
}
