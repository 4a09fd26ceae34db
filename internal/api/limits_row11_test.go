package api

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/comfyume/qmtui/internal/job"
)

// TestLimitsRow11ErrorsHoldNoControlCharacters: what a worker says cannot move
// the cursor of whoever prints the API's answer.
func TestLimitsRow11ErrorsHoldNoControlCharacters(t *testing.T) {
	evil := "red \x1b[31m\x9b\u009b\x07\x7f line\n\ttab \xff \u00fc"
	raw, err := json.Marshal(map[string]any{"3": map[string]any{"errors": []any{map[string]string{"message": "red \x1b[31m\u009b\x07", "path": `C:\u001b\new`}}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(FromError(&job.Error{Code: "execution_failed", Message: evil, Hint: evil, Node: evil, NodeType: evil, Traceback: []string{evil}, NodeErrors: raw}))
	if err != nil {
		t.Fatal(err)
	}
	var back any
	if err := json.Unmarshal(out, &back); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			if i := strings.IndexFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
				t.Errorf("%q", v)
			}
		case []any:
			for _, x := range v {
				look(x)
			}
		case map[string]any:
			for _, x := range v {
				look(x)
			}
		}
	}
	look(back)
	if text := FromError(&job.Error{Message: evil}).Message; text != `red \x1b[31m\x9b\x9b\x07\x7f line`+"\n\ttab "+`\xff ü` {
		t.Errorf("%q", text)
	}
	if !strings.Contains(string(out), `C:\\u001b\\new`) {
		t.Errorf("a text with backslashes was changed: %s", out)
	}
}
