package comfy

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// examples is the folder of the prompts that are built into the binary. It is
// read as files, because this package may import nothing of ours.
const examples = "../../assets/prompts"

func TestExamplePrompts(t *testing.T) {
	want := map[string][]Output{
		"text-to-image.json":  {{Node: "9", Class: "SaveImage", Prefix: "stills/lighthouse", Count: 1, Kind: KindImage, Ext: "png"}},
		"first-picture.json":  {{Node: "2", Class: "SaveImage", Prefix: "first-picture", Count: 1, Kind: KindImage, Ext: "png"}},
		"batch-of-four.json":  {{Node: "9", Class: "SaveImage", Prefix: "costumes/clockmaker", Count: 4, Kind: KindImage, Ext: "png"}},
		"video.json":          {{Node: "50", Class: "SaveVideo", Prefix: "video/harbour", Count: 1, Kind: KindVideo, Ext: "mp4"}},
		"audio.json":          {{Node: "13", Class: "SaveAudioMP3", Prefix: "audio/rain", Count: 1, Kind: KindAudio, Ext: "mp3"}},
		"image-to-image.json": {{Node: "9", Class: "SaveImage", Prefix: "frames/night_train", Count: 1, Kind: KindImage, Ext: "png"}},
		"two-saves.json": {
			{Node: "9", Class: "SaveImage", Prefix: "plates/observatory", Count: 1, Kind: KindImage, Ext: "png"},
			{Node: "11", Class: "SaveImage", Prefix: "plates/observatory_negative", Count: 1, Kind: KindImage, Ext: "png"},
		},
		"preview-only.json": nil,
	}
	files, err := filepath.Glob(filepath.Join(examples, "*.json"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("found %d example prompts (%v), want %d", len(files), err, len(want))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p := parseFile(t, file)
			err := p.Check(nil)
			var refusal *Refusal
			switch refused := errors.As(err, &refusal); {
			case filepath.Base(file) != "preview-only.json" && err != nil:
				t.Errorf("refused: %v", err)
			case filepath.Base(file) == "preview-only.json" && (!refused || refusal.Code != "previews_only"):
				t.Errorf("got %v, want previews_only", err)
			}
			if got := p.Outputs(nil); !reflect.DeepEqual(got, want[filepath.Base(file)]) {
				t.Errorf("outputs\n got %+v\nwant %+v", got, want[filepath.Base(file)])
			}
		})
	}
}

func parseFile(t testing.TB, file string) *Prompt {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(raw))
}

func parse(t testing.TB, raw string) *Prompt {
	t.Helper()
	p, err := ParsePrompt([]byte(raw), Limits{})
	if err != nil {
		t.Fatalf("parse %.60s: %v", raw, err)
	}
	return p
}
