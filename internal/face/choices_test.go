package face

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func writtenFor(t *testing.T, n *Nodes, files []string) string {
	t.Helper()
	var b bytes.Buffer
	if err := n.WriteTo(&b, files); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// TestNodesOfferTheUsersFiles: a choice of uploads has the user's files of its
// kind and nothing of the workers'; everything else stays.
func TestNodesOfferTheUsersFiles(t *testing.T) {
	raw := []byte(`{
		"LoadImage":{"input":{"required":{"z":["INT",{}],"image":[["theirs.png"],{"image_upload":true,"default":"theirs.png"}],"a":["INT",{}]},"hidden":{"x":"y"}},"output":["IMAGE"]},
		"LoadVideo":{"input":{"required":{"file":["COMBO",{"options":["theirs.mp4"],"video_upload":true}]}}},
		"LoadAudio":{"input":{"optional":{"audio":["COMBO",{"audio_upload":true,"options":[]}],"n":["INT",{"min":1}]}}},
		"Load3D":{"input":{"required":{"model_file":["COMBO",{"options":["none","3d/theirs.glb","theirs"],"file_upload":true}]}}},
		"LoadImageOutput":{"input":{"required":{"image":["COMBO",{"image_upload":true,"image_folder":"output","remote":{"route":"/r"}}]}}},
		"LoadLatent":{"input":{"required":{"latent":[["theirs.latent"]]}}},
		"Twice":{"input":{"required":{"a":[["theirs.png"]],"b":[["theirs.png"],{}]},"optional":{"a":[["theirs.png"]]}}},
		"PackLoad":{"input":{"required":{"file":[["none","sub\\THEIRS.JPG","a.PNG","model.safetensors"],{"default":"sub\\THEIRS.JPG"}],"kind":[["png",".png","*.webp","image/gif","v1.5"]]}}},
		"PackVideo":{"input":{"required":{"video":["COMBO",{"options":["clip.webm","none"]}]}}},
		"KSampler":{"input":{"required":{"seed":["INT",{"max":18446744073709551615}],"sampler":[["euler"],{}]}}},"Odd":[1],"Odd_upload":{"input":"image_upload"}}`)
	want := `{
		"LoadImage":{"input":{"required":{"z":["INT",{}],"image":[["a.PNG","b.jpg"],{"image_upload":true}],"a":["INT",{}]},"hidden":{"x":"y"}},"output":["IMAGE"]},
		"LoadVideo":{"input":{"required":{"file":["COMBO",{"options":["v.mp4"],"video_upload":true}]}}},
		"LoadAudio":{"input":{"optional":{"audio":["COMBO",{"audio_upload":true,"options":["s.wav","v.mp4"]}],"n":["INT",{"min":1}]}}},
		"Load3D":{"input":{"required":{"model_file":["COMBO",{"options":["none","3d/m.glb"],"file_upload":true}]}}},
		"LoadImageOutput":{"input":{"required":{"image":["COMBO",{"image_upload":true,"image_folder":"output","remote":{"route":"/r"}}]}}},
		"LoadLatent":{"input":{"required":{"latent":[["l.latent"]]}}},
		"Twice":{"input":{"required":{"a":[[]],"b":[[],{}]},"optional":{"a":[[]]}}},
		"PackLoad":{"input":{"required":{"file":[["none","a.PNG","model.safetensors"],{}],"kind":[["png",".png","*.webp","image/gif","v1.5"]]}}},
		"PackVideo":{"input":{"required":{"video":["COMBO",{"options":["none"]}]}}},
		"KSampler":{"input":{"required":{"seed":["INT",{"max":18446744073709551615}],"sampler":[["euler"],{}]}}},"Odd":[1],"Odd_upload":{"input":"image_upload"}}`
	n := ReadNodes(raw)
	got := writtenFor(t, n, []string{"b.jpg", "a.PNG", "sub/c.png", "v.mp4", "s.wav", "3d/m.glb", "3d/t.png", "notes.txt", "l.latent"})
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got %s", got)
	}
	if at := func(name string) int { return strings.Index(got, `"`+name+`"`) }; at("z") > at("a") || at("KSampler") < at("LoadImage") {
		t.Errorf("the order is lost: %s", got)
	}
	if none := writtenFor(t, n, nil); strings.Contains(strings.ToLower(none), "theirs") || strings.Contains(none, "a.PNG") || strings.Contains(none, "clip.webm") {
		t.Errorf("a user without files is shown %s", none)
	}
	if string(n.Class("KSampler", nil)) == "" || n.Class("Nobody", nil) != nil || n.Len() != 12 {
		t.Errorf("%d classes", n.Len())
	}
	for _, other := range []string{`{}`, `{"x_upload":1}`, `{"A":{"input":{"required":"image_upload"}}}`} {
		if got := writtenFor(t, ReadNodes([]byte(other)), nil); got != other {
			t.Errorf("%s became %s", other, got)
		}
	}
	for _, other := range []string{``, `[]`, `"_upload"`, `null`} {
		if n := ReadNodes([]byte(other)); n.Len() != 0 || writtenFor(t, n, nil) != "{}" {
			t.Errorf("%s is a list of %d nodes", other, n.Len())
		}
	}
}

// The models folders are what the loaders offer.
func TestModelsOfTheNodes(t *testing.T) {
	n := ReadNodes([]byte(`{
		"CheckpointLoaderSimple":{"input":{"required":{"ckpt_name":[["sd15.safetensors","xl/base.ckpt"],{}]}}},
		"VAELoader":{"input":{"required":{"vae_name":["COMBO",{"options":["vae.pt","taesd","pixel_space"]}]}}},
		"CLIPLoader":{"input":{"required":{"clip_name":[[]]}}},"UNETLoader":7}`))
	if got := n.Folders(); !slices.Equal(got, []string{"checkpoints", "vae", "text_encoders"}) {
		t.Errorf("folders: %v", got)
	}
	for folder, want := range map[string][]string{"checkpoints": {"sd15.safetensors", "xl/base.ckpt"}, "vae": {"vae.pt"}, "clip": {}, "text_encoders": {}} {
		if got, ok := n.Models(folder); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v", folder, got, ok)
		}
	}
	if _, ok := n.Models("loras"); ok {
		t.Error("nothing is told of loras")
	}
}

func FuzzReadNodes(f *testing.F) {
	f.Add([]byte(`{"LoadImage":{"input":{"required":{"image":[["a.png"],{"image_upload":true}],"b":["COMBO",{"options":["x.png",1]}]}}}}`))
	f.Add([]byte(`{"A":{"input":{"required":{"image":[["a.png"]],"image":[["a.png"]]}}},"A":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			raw = []byte(`{}`)
		}
		n := ReadNodes(raw)
		if got := writtenFor(t, n, []string{"mine.png"}); !json.Valid([]byte(got)) {
			t.Errorf("%s became %s", raw, got)
		}
	})
}
