package simulator

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// redrawn saves what it loads.
func redrawn(name, more string) string {
	return `{"prompt":{"10":{"class_type":"LoadImage","inputs":{"image":"` + name + `"}},
"11":{"class_type":"ImageInvert","inputs":{"image":["10",0]}},
"9":{"class_type":"SaveImage","inputs":{"images":["11",0],"filename_prefix":"r"}}}` + more + `}`
}

// TestWhatAPictureWasMadeFrom: a file remembers the bytes that its prompt
// loaded, also from a sub-folder and from the output folder.
func TestWhatAPictureWasMadeFrom(t *testing.T) {
	inputs, outputs := t.TempDir(), t.TempDir()
	for p, b := range map[string]string{
		filepath.Join(inputs, "qm/user001/x/a.png"): "one", filepath.Join(inputs, "qm/user002/x/a.png"): "two", filepath.Join(outputs, "done.png"): "three",
	} {
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	simulate(t, Config{Inputs: inputs, Outputs: outputs}, func(t *testing.T, f *Fleet) {
		for i, c := range []struct{ name, want string }{
			{"qm/user001/x/a.png", "one"}, {"qm/user002/x/a.png [input]", "two"}, {"done.png [output]", "three"}, {"example.png", "example.png"},
		} {
			post(t, f, redrawn(c.name, ""))
			settle(t, f)
			w := f.Manifest()[i]
			if !w.Complete || w.Loaded != checksum([]byte(c.want)) {
				t.Errorf("%s: made from %q", c.name, w.Loaded)
			}
		}
		// Other bytes under the same name: it is not taken from the cache.
		if err := os.WriteFile(filepath.Join(inputs, "qm/user001/x/a.png"), []byte("four"), 0o644); err != nil {
			t.Fatal(err)
		}
		post(t, f, redrawn("qm/user001/x/a.png", ""))
		settle(t, f)
		if w := f.Manifest()[4]; w.Loaded != checksum([]byte("four")) {
			t.Errorf("made from %q", w.Loaded)
		}
		if w := call(f, "POST", "/gpu/prompt", redrawn("qm/user003/a.png", "")); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "image - Invalid image file: qm/user003/a.png") {
			t.Errorf("a missing one: %d %s", w.Code, w.Body)
		}
	})
}

// TestInputGoneBeforeTheRun: it was there when the prompt was taken, and the node does not find it.
func TestInputGoneBeforeTheRun(t *testing.T) {
	inputs := t.TempDir()
	p := filepath.Join(inputs, "a.png")
	if err := os.WriteFile(p, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	simulate(t, Config{Inputs: inputs}, func(t *testing.T, f *Fleet) {
		post(t, f, picture("long", ""))
		id := post(t, f, redrawn("a.png", ""))
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
		settle(t, f)
		if e := f.Executions()[id][0]; e.Status != "error" || e.Node != "10" || !strings.Contains(e.Error, "FileNotFoundError: [Errno 2] No such file or directory: '"+p+"'") {
			t.Errorf("execution %+v", e)
		}
	})
}
