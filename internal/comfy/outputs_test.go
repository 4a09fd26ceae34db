package comfy

import (
	"fmt"
	"reflect"
	"testing"
)

func TestCounts(t *testing.T) {
	const (
		four   = `"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":4,"color":0}}`
		latent = `"1":{"class_type":"EmptyLatentImage","inputs":{"width":8,"height":8,"batch_size":4}}`
		vae    = `"v":{"class_type":"VAELoader","inputs":{"vae_name":"v"}}`
		file   = `"1":{"class_type":"LoadImage","inputs":{"image":%q}}`
	)
	node := func(class, inputs string) string {
		return fmt.Sprintf(`"2":{"class_type":%q,"inputs":{%s}}`, class, inputs)
	}
	save := func(from string) string {
		return `"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x","images":["` + from + `",0]}}`
	}
	for _, c := range []struct {
		name  string
		nodes []string
		want  int
	}{
		{"batch", []string{four, save("1")}, 4},
		{"no batch_size", []string{`"1":{"class_type":"EmptyImage","inputs":{}}`, save("1")}, 0},
		{"text for batch_size", []string{`"1":{"class_type":"EmptyImage","inputs":{"batch_size":"4"}}`, save("1")}, 0},
		{"linked batch_size", []string{`"1":{"class_type":"EmptyImage","inputs":{"batch_size":["2",0]}}`, node("PrimitiveInt", `"value":4`), save("1")}, 0},
		{"zero", []string{`"1":{"class_type":"EmptyImage","inputs":{"batch_size":0}}`, save("1")}, 0},
		{"absurd", []string{`"1":{"class_type":"EmptyImage","inputs":{"batch_size":9007199254740993}}`, save("1")}, 0},
		{"invert keeps", []string{four, node("ImageInvert", `"image":["1",0]`), save("2")}, 4},
		{"repeat multiplies", []string{four, node("RepeatImageBatch", `"image":["1",0],"amount":3`), save("2")}, 12},
		{"repeat past belief", []string{four, node("RepeatImageBatch", `"image":["1",0],"amount":1000000`), save("2")}, 0},
		{"batch adds", []string{four, node("ImageBatch", `"image1":["1",0],"image2":["1",0]`), save("2")}, 8},
		{"batches that grow add", []string{four, node("BatchImagesNode", `"images.image0":["1",0],"images.image1":["1",0],"images.image2":["1",0]`), save("2")}, 12},
		{"one of them unknown", []string{four, `"3":{"class_type":"LoadImage","inputs":{"image":"a.png"}}`, node("BatchImagesNode", `"images.image0":["1",0],"images.image1":["3",0]`), save("2")}, 0},
		{"through a preview", []string{four, node("PreviewImage", `"images":["1",0]`), save("2")}, 4},
		{"batch with something unknown", []string{four, `"3":{"class_type":"LoadImage","inputs":{"image":"a.png"}}`, node("ImageBatch", `"image1":["1",0],"image2":["3",0]`), save("2")}, 0},
		{"part", []string{four, node("ImageFromBatch", `"image":["1",0],"batch_index":3,"length":4`), save("2")}, 1},
		{"part past the end", []string{four, node("ImageFromBatch", `"image":["1",0],"batch_index":9,"length":4`), save("2")}, 1},
		{"sampled and decoded", []string{latent, vae, `"k":{"class_type":"KSampler","inputs":{"latent_image":["1",0]}}`, node("VAEDecode", `"samples":["k",0],"vae":["v",0]`), save("2")}, 4},
		{"video frames", []string{`"1":{"class_type":"EmptyHunyuanLatentVideo","inputs":{"length":49,"batch_size":1}}`, node("VAEDecode", `"samples":["1",0]`), save("2")}, 0},
		{"one encoded", []string{fmt.Sprintf(file, "a.JPG"), vae, `"e":{"class_type":"VAEEncode","inputs":{"pixels":["1",0]}}`, node("VAEDecode", `"samples":["e",0]`), save("2")}, 1},
		{"four encoded may become frames", []string{four, `"e":{"class_type":"VAEEncode","inputs":{"pixels":["1",0]}}`, node("VAEDecode", `"samples":["e",0]`), save("2")}, 0},
		{"a still", []string{fmt.Sprintf(file, "sub/a.jpeg [input]"), save("1")}, 1},
		{"perhaps animated", []string{fmt.Sprintf(file, "a.png"), save("1")}, 0},
		{"a second output", []string{fmt.Sprintf(file, "a.jpg"), `"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x","images":["1",1]}}`}, 0},
		{"a custom node on the way", []string{four, node("SomebodysFilter", `"image":["1",0]`), save("2")}, 0},
		{"a custom node beside", []string{latent, node("SomebodysSeeds", ``), `"k":{"class_type":"KSampler","inputs":{"latent_image":["1",0],"seed":["2",0]}}`, `"d":{"class_type":"VAEDecode","inputs":{"samples":["k",0]}}`, save("d")}, 0},
		{"a list on the way", []string{latent, node("RebatchLatents", `"latents":["1",0]`), `"d":{"class_type":"VAEDecode","inputs":{"samples":["2",0]}}`, save("d")}, 0},
		{"one file of many frames", []string{four, `"9":{"class_type":"SaveAnimatedWEBP","inputs":{"filename_prefix":"x","images":["1",0]}}`}, 1},
		{"one file behind a custom node", []string{node("SomebodysFilm", ``), `"9":{"class_type":"SaveVideo","inputs":{"filename_prefix":"x","video":["2",0]}}`}, 0},
		{"two sounds", []string{`"1":{"class_type":"EmptyLatentAudio","inputs":{"seconds":1.0,"batch_size":2}}`, node("VAEDecodeAudio", `"samples":["1",0]`), `"9":{"class_type":"SaveAudioOpus","inputs":{"filename_prefix":"x","audio":["2",0]}}`}, 2},
		{"meshes", []string{`"9":{"class_type":"SaveGLB","inputs":{"filename_prefix":"x"}}`}, 0},
		{"a cycle", []string{`"1":{"class_type":"ImageInvert","inputs":{"image":["1",0]}}`, save("1")}, 0},
		{"an absent node", []string{save("404")}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := ""
			for _, n := range c.nodes {
				raw += "," + n
			}
			out := parse(t, `{`+raw[1:]+`}`).Outputs(nil)
			if len(out) != 1 || out[0].Count != c.want {
				t.Errorf("got %+v, want one output with count %d", out, c.want)
			}
		})
	}
}

func TestOutputs(t *testing.T) {
	raw := `{` + blank + `,
		"10":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"qm/old/10/b"}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":["2",0]}},
		"2":{"class_type":"StringConcatenate","inputs":{"string_a":"a","string_b":"b","delimiter":""}},
		"3":{"class_type":"PreviewImage","inputs":{"images":["1",0]}},
		"4":{"class_type":"SaveImage","inputs":{"filename_prefix":"doomed"}}}`
	want := []Output{
		{Node: "9", Class: "SaveImage", Linked: true, Count: 1, Kind: KindImage, Ext: "png"},
		{Node: "10", Class: "SaveImage", Prefix: "b", Count: 1, Kind: KindImage, Ext: "png"},
	}
	if got := parse(t, raw).Outputs(selected(t)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestCountOfALongChain(t *testing.T) {
	if out := parse(t, chain(4998)).Outputs(nil); len(out) != 1 || out[0].Count != 2 {
		t.Errorf("got %+v, want a count of 2", out)
	}
}

// TestNobodyWaitsForWhatNothingTells: nodes of paid services also write a file
// that only its task names; a job that has all others is done.
func TestNobodyWaitsForWhatNothingTells(t *testing.T) {
	p, err := ParsePrompt([]byte(`{"5":{"class_type":"MeshyTextToModelNode","inputs":{"prompt":"a cup"}},
		"9":{"class_type":"SaveGLB","inputs":{"mesh":["5",1],"filename_prefix":"cup"}}}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if out := p.Outputs(nil); len(out) != 1 || out[0].Node != "9" {
		t.Errorf("expected are %+v", out)
	}
	if places := p.Places(nil, true); len(places) != 1 || places[0] != "" {
		t.Errorf("its places are %q", places)
	}
}
