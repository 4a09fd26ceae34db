package face

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestNodesOfferTheUsersFiles: a choice of uploads has the user's files of its
// kind and nothing of the workers'; everything else stays.
func TestNodesOfferTheUsersFiles(t *testing.T) {
	raw := []byte(`{
		"LoadImage":{"input":{"required":{"z":["INT",{}],"image":[["theirs.png"],{"image_upload":true}],"a":["INT",{}]},"hidden":{"x":"y"}},"output":["IMAGE"]},
		"LoadVideo":{"input":{"required":{"file":["COMBO",{"options":["theirs.mp4"],"video_upload":true}]}}},
		"LoadAudio":{"input":{"optional":{"audio":["COMBO",{"audio_upload":true,"options":[]}],"n":["INT",{"min":1}]}}},
		"Load3D":{"input":{"required":{"model_file":["COMBO",{"options":["3d/qm/user002/x/input/3d/secret.glb"],"file_upload":true}]}}},
		"LoadImageOutput":{"input":{"required":{"image":["COMBO",{"image_upload":true,"image_folder":"output","remote":{"route":"/r"}}]}}},
		"KSampler":{"input":{"required":{"seed":["INT",{"max":18446744073709551615}],"sampler":[["euler"],{}]}}},"Odd":[1],"Odd_upload":{"input":"image_upload"},
		"LoadImageDataSetFromFolder":{"input":{"required":{"folder":["COMBO",{"options":["3d","3d/qm","qm","qm/user002","qm/user002/x/input","styles"]}]}}},
		"Old":{"input":{"required":{"folder":[["qm/user002/x","styles"],{"default":"qm/"}],"n":["INT",{"tooltip":"qm/"}]}}}}`)
	want := `{
		"LoadImage":{"input":{"required":{"z":["INT",{}],"image":[["a.PNG","b.jpg"],{"image_upload":true}],"a":["INT",{}]},"hidden":{"x":"y"}},"output":["IMAGE"]},
		"LoadVideo":{"input":{"required":{"file":["COMBO",{"options":["v.mp4"],"video_upload":true}]}}},
		"LoadAudio":{"input":{"optional":{"audio":["COMBO",{"audio_upload":true,"options":["s.wav","v.mp4"]}],"n":["INT",{"min":1}]}}},
		"Load3D":{"input":{"required":{"model_file":["COMBO",{"options":["3d/m.glb"],"file_upload":true}]}}},
		"LoadImageOutput":{"input":{"required":{"image":["COMBO",{"image_upload":true,"image_folder":"output","remote":{"route":"/r"}}]}}},
		"KSampler":{"input":{"required":{"seed":["INT",{"max":18446744073709551615}],"sampler":[["euler"],{}]}}},"Odd":[1],"Odd_upload":{"input":"image_upload"},
		"LoadImageDataSetFromFolder":{"input":{"required":{"folder":["COMBO",{"options":["3d","styles"]}]}}},
		"Old":{"input":{"required":{"folder":[["styles"],{"default":"qm/"}],"n":["INT",{"tooltip":"qm/"}]}}}}`
	got := Nodes(raw, []string{"b.jpg", "a.PNG", "sub/c.png", "v.mp4", "s.wav", "3d/m.glb", "3d/t.png", "notes.txt"})
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got %s", got)
	}
	if at := func(name string) int { return strings.Index(string(got), `"`+name+`"`) }; at("z") > at("a") {
		t.Errorf("the order of the inputs is lost: %s", got)
	}
	for _, other := range []string{``, `{}`, `[]`, `{"x_upload":1}`, `{"A":{"input":{"required":"image_upload"}}}`, `"_upload"`} {
		if got := Nodes([]byte(other), nil); string(got) != other {
			t.Errorf("%s became %s", other, got)
		}
	}
}
