package simulator

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recorded reads one of testdata's files: exchanges with a real ComfyUI
// 0.8.0, one JSON object a line.
func recorded(t *testing.T, name string) []*object {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []*object
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		v, err := loads(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, v.(*object))
	}
	if len(rows) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return rows
}

// plain makes two answers comparable: what differs by nature (ids, times,
// tracebacks, the letters in temporary names) is dropped or made equal, keys
// and error lists are sorted, because Python walked sets there.
func plain(v any, drop ...string) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = plain(e, drop...)
		}
		slices.Sort(parts)
		return "[" + strings.Join(parts, ", ") + "]"
	case *object:
		var parts []string
		for _, k := range slices.Sorted(slices.Values(v.keys)) {
			if !slices.Contains(drop, k) {
				parts = append(parts, k+": "+plain(v.values[k], drop...))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return temporary.ReplaceAllString(dumps(v), "temp_xxxxx")
}

var temporary = regexp.MustCompile(`temp_[a-z]{5}`)

func TestRefusalsAsRecorded(t *testing.T) {
	// What is compared less strictly, and why.
	looser := map[string]string{
		"checkpoint_missing": "the simulator has models, so the list in the text is longer",
	}
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		for _, row := range recorded(t, "prompt-errors.jsonl") {
			label := text(row.values["label"])
			if label == "prompt_info_after" {
				settle(t, f)
			}
			w := call(f, text(row.values["method"]), "/gpu"+text(row.values["path"]), text(row.values["body"]))
			if want := intOf(row.values["status"]); w.Code != want {
				t.Errorf("%s: status %d, want %d: %s", label, w.Code, want, w.Body)
				continue
			}
			if want, got := text(row.values["type"]), w.Header().Get("Content-Type"); got != want {
				t.Errorf("%s: content type %q, want %q", label, got, want)
			}
			compareAnswer(t, label, row.values["answer"], w.Body.Bytes(), looser[label] != "")
		}
	})
}

func compareAnswer(t *testing.T, label string, want any, body []byte, loose bool) {
	t.Helper()
	if s, ok := want.(string); ok {
		if string(body) != s {
			t.Errorf("%s: body %q, want %q", label, body, s)
		}
		return
	}
	got, err := loads(body)
	if err != nil {
		t.Errorf("%s: %v: %s", label, err, body)
		return
	}
	drop := []string{"traceback", "prompt_id", "number"}
	if loose {
		drop = append(drop, "details", "input_config")
	}
	if g, w := plain(got, drop...), plain(want, drop...); g != w {
		t.Errorf("%s:\n got %s\nwant %s", label, g, w)
	}
}

func TestGetsAsRecorded(t *testing.T) {
	unsupported := map[string]string{
		"object_info":     "recorded without its body",
		"root":            "the page itself is not simulated",
		"origin_mismatch": "the check is for browsers on loopback; the platform has none",
	}
	for _, label := range []string{"models", "models_checkpoints", "models_unknown", "jobs", "jobs_badstatus",
		"users", "settings", "workflow_templates", "i18n", "internal_logs", "internal_folder_paths", "internal_files_output",
		"global_subgraphs", "experiment_models"} {
		unsupported[label] = "for the page only, no client of the manager asks"
	}
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		for _, row := range recorded(t, "get.jsonl") {
			label := text(row.values["label"])
			if unsupported[label] != "" {
				continue
			}
			w := call(f, text(row.values["method"]), "/gpu"+text(row.values["path"]), "")
			if want := intOf(row.values["status"]); w.Code != want {
				t.Errorf("%s: status %d, want %d", label, w.Code, want)
			}
			if want := text(row.values["type"]); want != "" && w.Header().Get("Content-Type") != want {
				t.Errorf("%s: content type %q, want %q", label, w.Header().Get("Content-Type"), want)
			}
			switch answer := row.values["answer"].(type) {
			case *object:
				got := answerOf(t, w)
				if answer.values["system"] != nil || answer.values["LoadImage"] != nil {
					if g, want := shape(got), shape(answer); g != want {
						t.Errorf("%s: keys %s, want %s", label, g, want)
					}
				} else if g, want := plain(got), plain(answer); g != want {
					t.Errorf("%s:\n got %s\nwant %s", label, g, want)
				}
			}
		}
	})
}

// shape is an answer's keys without its values.
func shape(v any) string {
	o, ok := v.(*object)
	if !ok {
		return "_"
	}
	var parts []string
	for _, k := range o.keys {
		parts = append(parts, k+":"+shape(o.values[k]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// run posts a recorded body and returns the history entry it led to.
func run(t *testing.T, f *Fleet, label, body string) *object {
	t.Helper()
	w := call(f, "POST", "/gpu/prompt", body)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", label, w.Code, w.Body)
	}
	id := text(answerOf(t, w).values["prompt_id"])
	settle(t, f)
	all := answerOf(t, call(f, "GET", "/gpu/history", ""))
	entry, ok := all.values[id].(*object)
	if !ok {
		t.Fatalf("%s: no history for %s", label, id)
	}
	return entry
}

func TestHistoryAsRecorded(t *testing.T) {
	unsupported := map[string]string{
		"loadimage_corrupt":       "inputs are not decoded",
		"loadimage_text":          "inputs are not decoded",
		"loadimage_text_noclient": "inputs are not decoded",
		"oom_ram":                 "no tensors are allocated",
	}
	rows := append(recorded(t, "prompt-ok.jsonl"), recorded(t, "exec-error.jsonl")...)
	outputs := t.TempDir()
	simulate(t, Config{Outputs: outputs}, func(t *testing.T, f *Fleet) {
		for _, row := range rows {
			label := text(row.values["label"])
			if unsupported[label] != "" {
				continue
			}
			entry := run(t, f, label, text(row.values["body"]))
			for _, key := range []string{"outputs", "status", "meta"} {
				got := plain(entry.values[key], "prompt_id", "timestamp", "traceback", "current_inputs")
				got = strings.ReplaceAll(got, outputs, "/srv/comfy/a/out")
				got = strings.ReplaceAll(got, filepath.Dir(outputs), "/srv/comfy/a")
				want := plain(row.values[key], "prompt_id", "timestamp", "traceback", "current_inputs")
				if got != want {
					t.Errorf("%s %s:\n got %s\nwant %s", label, key, got, want)
				}
			}
			item := entry.values["prompt"].([]any)
			var keys []any
			for _, k := range item[3].(*object).keys {
				keys = append(keys, k)
			}
			if plain(keys) != plain(row.values["extra_keys"]) || plain(item[4]) != plain(row.values["execute"]) {
				t.Errorf("%s: extra_data %v outputs %v, want %v %v", label, keys, item[4], row.values["extra_keys"], row.values["execute"])
			}
		}
	})
}

func TestCacheAsRecorded(t *testing.T) {
	outputs, inputs := t.TempDir(), t.TempDir()
	write := func(name, body string) {
		if err := os.WriteFile(filepath.Join(inputs, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("li.png", "first")
	simulate(t, Config{Outputs: outputs, Inputs: inputs}, func(t *testing.T, f *Fleet) {
		for _, row := range recorded(t, "cache.jsonl") {
			label := text(row.values["label"])
			switch {
			case text(row.values["path"]) != "/prompt":
				call(f, "POST", "/gpu"+text(row.values["path"]), text(row.values["body"]))
				continue
			case strings.HasPrefix(label, "10_file_deleted"):
				if err := os.Remove(filepath.Join(outputs, "t06/img_00002_.png")); err != nil {
					t.Error(err)
				}
			case strings.HasPrefix(label, "12_back"):
				putBack(t, outputs)
			case strings.HasPrefix(label, "29_"):
				write("li.png", "second")
			}
			entry := run(t, f, label, text(row.values["body"]))
			if got, want := plain(entry.values["outputs"]), plain(row.values["outputs"]); got != want {
				t.Errorf("%s:\n got %s\nwant %s", label, got, want)
			}
			if got, want := cachedNodes(entry.values["status"]), cachedNodes(row.values["status"]); got != want {
				t.Errorf("%s: cached %s, want %s", label, got, want)
			}
		}
	})
}

// putBack restores the file deleted before step 10, so that the counter goes
// on from where the recording's did.
func putBack(t *testing.T, outputs string) {
	if err := os.WriteFile(filepath.Join(outputs, "t06/img_00002_.png"), nil, 0o644); err != nil {
		t.Error(err)
	}
}

func cachedNodes(status any) string {
	for _, m := range status.(*object).values["messages"].([]any) {
		if pair := m.([]any); pair[0] == "execution_cached" {
			return plain(pair[1].(*object).values["nodes"])
		}
	}
	return ""
}

func TestPrefixesAsRecorded(t *testing.T) {
	outputs := t.TempDir()
	simulate(t, Config{Outputs: outputs}, func(t *testing.T, f *Fleet) {
		for i, row := range recorded(t, "prefix.jsonl") {
			label := text(row.values["label"])
			prefix := strings.ReplaceAll(text(row.values["prefix"]), "/srv/comfy/a/out", outputs)
			entry := run(t, f, label, prefixPrompt(label, prefix, i))
			if row.values["history"] == nil {
				comparePrefixError(t, label, entry, text(row.values["error"]))
				continue
			}
			got := dig(entry, "outputs", "9", "images")
			want := strings.ReplaceAll(plain(row.values["history"]), "/srv/comfy/a/out", outputs)
			if label == "servertokens" {
				want = regexp.MustCompile(`2026-11-23|072917`).ReplaceAllString(want, "#")
				got = regexp.MustCompile(`\d{4}-\d\d-\d\d|\d{6}_img`).ReplaceAllStringFunc(plain(got), func(s string) string {
					return map[bool]string{true: "#_img", false: "#"}[strings.HasSuffix(s, "_img")]
				})
				if got != want {
					t.Errorf("%s: got %s want %s", label, got, want)
				}
				continue
			}
			if plain(got) != want {
				t.Errorf("%s: got %s want %s (%s)", label, plain(got), want, plain(entry.values["status"], "traceback", "current_inputs"))
				continue
			}
			for _, path := range row.values["new_on_disk"].([]any) {
				if _, err := os.Stat(filepath.Join(outputs, text(path))); err != nil {
					t.Errorf("%s: %v", label, err)
				}
			}
		}
	})
}

func prefixPrompt(label, prefix string, color int) string {
	batch, width, height := 1, 64, 64
	if strings.HasPrefix(label, "batch_num") || label == "nested_batch3" {
		batch = 3
	}
	if label == "width" {
		width, height = 80, 48
	}
	image := dict("class_type", "EmptyImage", "inputs", dict("width", number(width), "height", number(height), "batch_size", number(batch), "color", number(color)))
	save := dict("class_type", "SaveImage", "inputs", dict("images", []any{"1", number(0)}, "filename_prefix", prefix))
	return dumps(dict("prompt", dict("1", image, "9", save), "client_id", "c"))
}

func comparePrefixError(t *testing.T, label string, entry *object, want string) {
	t.Helper()
	for _, m := range dig(entry, "status", "messages").([]any) {
		pair := m.([]any)
		if pair[0] != "execution_error" {
			continue
		}
		details := pair[1].(*object)
		got := text(details.values["exception_type"]) + ": " + text(details.values["exception_message"])
		head := regexp.MustCompile(`^[^|'\n]*`)
		if g, w := strings.TrimSpace(head.FindString(got)), strings.TrimSpace(head.FindString(want)); g != w {
			if label != "lone_surrogate" && label != "nul" || strings.Split(g, ":")[0] != strings.Split(w, ":")[0] {
				t.Errorf("%s: error %q, want %q", label, g, w)
			}
		}
		return
	}
	t.Errorf("%s: no error, want %q", label, want)
}

func sortedStrings(s []string) []string { return slices.Sorted(slices.Values(s)) }
