package comfy

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAttemptsWithoutOwnFolderDiffer: a server that has run a prompt would take
// the result of a node out of its cache, so that nothing is written, unless an
// input of the node differs. What tells attempts apart is taken off again from
// the prompt of a picture.
func TestAttemptsWithoutOwnFolderDiffer(t *testing.T) {
	for _, save := range []string{
		`{"class_type":"Export API","inputs":{"output_path":"/srv","filename_prefix":"same","save_prompt_api":"true"}}`,
		`{"class_type":"Nobody Knows It","inputs":{"file":"same.txt"}}`,
	} {
		p, err := ParsePrompt([]byte(`{"9":`+save+`}`), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		tagged := func(id string) string {
			r, err := p.Tagged(Tag{PromptID: id, Prefix: true}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return string(r.Prompt)
		}
		one, two := tagged("0b7e4c4e-3f0d-4a52-9d6b-7f0f6a3d9a11"), tagged("0b7e4c4e-3f0d-4a52-9d6b-7f0f6a3d9a12")
		if one == two || strings.Contains(one, Root+"/") {
			t.Errorf("it is sent as %s and as %s", one, two)
		}
		again, err := ParsePrompt([]byte(one), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := json.Marshal(again); strings.Contains(string(after), attemptInput) {
			t.Errorf("read back it is still an attempt's: %s", after)
		}
	}
}
