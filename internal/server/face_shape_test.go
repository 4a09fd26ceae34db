package server

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded is what a ComfyUI 0.8.0 answered.
func recorded(t testing.TB, what string) any {
	t.Helper()
	raw, err := os.ReadFile("testdata/comfyui-0.8.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	if all[what] == nil {
		t.Fatalf("%q was not recorded", what)
	}
	return all[what]
}

// recordedFrame is the first frame of that type.
func recordedFrame(t testing.TB, kind string) any {
	t.Helper()
	for _, f := range recorded(t, "frames").([]any) {
		if f.(map[string]any)["type"] == kind {
			return f
		}
	}
	t.Fatalf("no frame %q was recorded", kind)
	return nil
}

// wantShape fails when a key of want is not in got or holds another kind of
// value; except names what need not be there.
func wantShape(t testing.TB, want, got any, except ...string) {
	t.Helper()
	for _, d := range differ(want, got, "", except) {
		t.Error(d)
	}
}

// differ lists where got lacks what want has. Keys that are ids count as one.
func differ(want, got any, at string, except []string) []string {
	if slices.Contains(except, at) {
		return nil
	}
	switch w := want.(type) {
	case nil:
		return nil
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: an object is wanted, there is %v", at, got)}
		}
		var all []string
		for k, v := range w {
			if in, ok := g[k]; ok {
				all = append(all, differ(v, in, at+"."+k, except)...)
			} else if !slices.Contains(except, at+"."+k) {
				all = append(all, fmt.Sprintf("%s.%s is missing in %v", at, k, got))
			}
		}
		return all
	case []any:
		g, ok := got.([]any)
		if !ok || len(w) > 0 && len(g) == 0 {
			return []string{fmt.Sprintf("%s: a list like %v is wanted, there is %v", at, want, got)}
		}
		var all []string
		for i := range min(len(w), len(g)) {
			all = append(all, differ(w[i], g[i], fmt.Sprintf("%s[%d]", at, i), except)...)
		}
		return all
	}
	if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return []string{fmt.Sprintf("%s: %T is wanted, there is %T (%v)", at, want, got, got)}
	}
	return nil
}

// parsed is the JSON of an answer.
func parsed(t testing.TB, w *httptest.ResponseRecorder, status int) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != status {
		t.Fatalf("%d %s, want %d: %v", w.Code, w.Body, status, err)
	}
	return v
}

// renamed is v with one text put for another, in keys and values.
func renamed(t testing.TB, v any, from, to string) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(b), from, to)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestShapesAreToldApart(t *testing.T) {
	want := map[string]any{"a": 1.0, "b": []any{"x"}, "c": map[string]any{"d": nil}}
	for name, got := range map[string]any{
		"no a": map[string]any{"b": []any{"y"}, "c": map[string]any{"d": 1.0}}, "other kind": map[string]any{"a": "1", "b": []any{"y"}, "c": map[string]any{"d": 1.0}},
		"empty list": map[string]any{"a": 1.0, "b": []any{}, "c": map[string]any{"d": 1.0}}, "no object": map[string]any{"a": 1.0, "b": []any{"y"}, "c": 1.0},
	} {
		if len(differ(want, got, "", nil)) == 0 {
			t.Errorf("%s is taken for the same", name)
		}
	}
}
