package comfy

import (
	"encoding/json"
	"strings"
	"testing"
)

// sampler is a list of classes as servers of 0.8.0 and 0.33.0 write them.
const sampler = `{
	"CheckpointLoaderSimple":{"input":{"required":{"ckpt_name":[["sd/v1.safetensors","sdxl_base_1.0.safetensors"],{}]}},"output":["MODEL","CLIP","VAE"],"python_module":"nodes"},
	"UpscaleModelLoader":{"input":{"required":{"model_name":["COMBO",{"multiselect":false,"options":["sub/x.pth","RealESRGAN_x4.pth"]}]}},"output":["UPSCALE_MODEL"],"python_module":"comfy_extras.nodes_upscale_model"},
	"ImageUpscaleWithModel":{"input":{"required":{"upscale_model":["UPSCALE_MODEL",{}],"image":["IMAGE",{}]}},"output":["IMAGE"],"python_module":"comfy_extras.nodes_upscale_model"},
	"EmptyImage":{"input":{"required":{"width":["INT",{"min":1,"max":16384}],"height":["INT",{"min":1,"max":16384}],"batch_size":["INT",{"min":1,"max":4096}],"color":["INT",{"min":0,"max":16777215}]}},"output":["IMAGE"],"python_module":"nodes"},
	"ImageBlur":{"input":{"required":{"image":["IMAGE"],"blur_radius":["INT",{"min":1,"max":31}],"sigma":["FLOAT",{"min":0.1,"max":10.0}]}},"output":["IMAGE"],"python_module":"comfy_extras.nodes_post_processing"},
	"LoadImage":{"input":{"required":{"image":[["a.png"],{"image_upload":true}]}},"output":["IMAGE","MASK"],"python_module":"nodes"},
	"LoadLatent":{"input":{"required":{"latent":[[]]}},"output":["LATENT"],"python_module":"nodes"},
	"VAEDecode":{"input":{"required":{"samples":["LATENT"],"vae":["VAE"]}},"output":["IMAGE"],"python_module":"nodes"},
	"CustomCombo":{"input":{"required":{"choice":["COMBO",{"options":[]}]}},"output":["STRING"],"python_module":"comfy_extras.nodes_logic"},
	"AnySwitch":{"input":{"required":{"a":["*"],"mode":[["x","y"]]}},"output":["*"],"python_module":"custom_nodes.any"},
	"ResizeImageMaskNode":{"input":{"required":{"input":["COMFY_MATCHTYPE_V3",{"template":{"allowed_types":"IMAGE,MASK"}}],"resize_type":["COMFY_DYNAMICCOMBO_V3",{"options":[{"key":"scale","inputs":{}}]}]}},"output":["COMFY_MATCHTYPE_V3"],"python_module":"comfy_extras.nodes_post_processing"},
	"BatchImagesNode":{"input":{"required":{"images":["COMFY_AUTOGROW_V3",{"template":{}}]}},"output":["IMAGE"],"python_module":"comfy_extras.nodes_post_processing"},
	"Saver3D":{"input":{"required":{"model_3d":["MESH,FILE_3D_GLB, FILE_3D",{}],"filename_prefix":["STRING",{}]}},"output":[],"output_node":true,"python_module":"comfy_extras.nodes_x"},
	"GLB":{"input":{"required":{"n":["FLOAT,INT",{"min":0}]}},"output":["FILE_3D"],"python_module":"comfy_extras.nodes_x"},
	"SaveImage":{"input":{"required":{"images":["IMAGE"],"filename_prefix":["STRING",{}]}},"output":[],"output_node":true,"python_module":"nodes"}}`

func listed(t testing.TB, raw string) *ObjectInfo {
	t.Helper()
	info, err := ParseObjectInfo([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// blurred is a prompt with an EmptyImage and a blur, some inputs replaced.
func blurred(size, radius, sigma string) string {
	return `{"1":{"class_type":"EmptyImage","inputs":{"width":` + size + `,"height":64,"batch_size":1,"color":0}},
	"2":{"class_type":"ImageBlur","inputs":{"image":["1",0],"blur_radius":` + radius + `,"sigma":` + sigma + `}},
	"9":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"x"}}}`
}

func through(node string) string {
	return `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":1,"color":0}},` + node +
		`,"9":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"x"}}}`
}

func TestRow05ValuesThatTheServerRefuses(t *testing.T) {
	info := listed(t, sampler)
	upscale := func(model string) string {
		return through(`"3":{"class_type":"UpscaleModelLoader","inputs":{"model_name":` + model + `}},
			"2":{"class_type":"ImageUpscaleWithModel","inputs":{"upscale_model":["3",0],"image":["1",0]}}`)
	}
	for _, c := range []struct{ raw, errType, says string }{
		{upscale(`"sub\\x.pth"`), "value_not_in_list", `"sub/x.pth"`},
		{upscale(`"x.pth"`), "value_not_in_list", `"sub/x.pth"`},
		{upscale(`"RealESRGAN_x4.ptn"`), "value_not_in_list", `"RealESRGAN_x4.pth"`},
		{upscale(`"something quite different.safetensors"`), "value_not_in_list", "is not on the deployment"},
		{upscale(`{"__value__":"y"}`), "value_not_in_list", "is not on the deployment"},
		{blurred(`0`, `1`, `1`), "value_smaller_than_min", "width is 0; the least is 1"},
		{blurred(`64`, `32`, `1`), "value_bigger_than_max", "blur_radius is 32; the most is 31"},
		{blurred(`64`, `"32"`, `1`), "value_bigger_than_max", "the most is 31"},
		{blurred(`64`, `1`, `0.05`), "value_smaller_than_min", "the least is 0.1"},
		{blurred(`64`, `"many"`, `1`), "invalid_input_type", "blur_radius is no number"},
		{blurred(`64`, `null`, `1`), "invalid_input_type", "blur_radius is no number"},
		{blurred(`64`, `1`, `["1",0]`), "return_type_mismatch", "received_type(IMAGE)"},
		{through(`"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sdxl_base_1.0.safetensors"}},
			"2":{"class_type":"VAEDecode","inputs":{"samples":["4",0],"vae":["4",2]}}`), "return_type_mismatch", "received_type(MODEL) mismatch input_type(LATENT)"},
	} {
		r := refusalOf(c.raw, info)
		if r == nil || r.Code != "bad_inputs" || r.Status != 400 || !strings.Contains(r.Message, c.says) || r.Hint == "" {
			t.Errorf("%s: %v, want it to say %q", c.raw, r, c.says)
			continue
		}
		all, err := json.Marshal(r.NodeErrors)
		if err != nil || !strings.Contains(string(all), `"type":"`+c.errType+`"`) || !strings.Contains(string(all), `"dependent_outputs":["9"]`) {
			t.Errorf("%s: node errors %s", c.raw, all)
		}
		if r := refusalOf(c.raw, info.Unsure()); r != nil {
			t.Errorf("%s: refused by a list that is not sure: %v", c.raw, r)
		}
		if r := refusalOf(c.raw, nil); r != nil {
			t.Errorf("%s: refused without a list: %v", c.raw, r)
		}
	}
}

func TestRow05ValuesThatTheServerTakes(t *testing.T) {
	info := listed(t, sampler)
	for _, raw := range []string{
		blurred(`"64"`, `1.9`, `"1e0"`), blurred(`true`, `" 3 "`, `10`), blurred(`1_6`[:1], `31`, `0.1`),
		through(`"2":{"class_type":"LoadImage","inputs":{"image":"just uploaded.png"}}`),
		through(`"5":{"class_type":"LoadLatent","inputs":{"latent":"new.latent"}},"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sd/v1.safetensors"}},
			"2":{"class_type":"VAEDecode","inputs":{"samples":["5",0],"vae":["4",2]}}`),
		through(`"4":{"class_type":"CustomCombo","inputs":{"choice":"whatever"}},"3":{"class_type":"UpscaleModelLoader","inputs":{"model_name":["4",0]}},
			"2":{"class_type":"ImageUpscaleWithModel","inputs":{"upscale_model":["3",0],"image":["1",0]}}`),
		through(`"3":{"class_type":"AnySwitch","inputs":{"a":["1",0],"mode":"z"}},"2":{"class_type":"ImageBlur","inputs":{"image":["3",0],"blur_radius":1,"sigma":1}}`),
		through(`"2":{"class_type":"ResizeImageMaskNode","inputs":{"input":["1",0],"resize_type":"anything","resize_type.factor":4}}`),
		through(`"2":{"class_type":"BatchImagesNode","inputs":{"images.image0":["1",0],"images.image1":["1",0]}}`),
		`{"1":{"class_type":"GLB","inputs":{"n":-1}},"9":{"class_type":"Saver3D","inputs":{"model_3d":["1",0],"filename_prefix":"x"}}}`,
	} {
		if r := refusalOf(raw, info); r != nil {
			t.Errorf("%s: %v", raw, r)
		}
	}
}

// One save node that can run is enough, as in ComfyUI.
func TestRow05OneSaveNodeThatRunsIsEnough(t *testing.T) {
	raw := strings.TrimSuffix(blurred(`64`, `99`, `1`), "}") + `,"10":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x"}}}`
	if r := refusalOf(raw, listed(t, sampler)); r != nil {
		t.Error(r)
	}
}

func TestRow05CustomNodesAreDoubtedOnly(t *testing.T) {
	p, err := ParsePrompt([]byte(through(`"3":{"class_type":"AnySwitch","inputs":{"a":["1",0],"mode":"z"}},
		"2":{"class_type":"ImageBlur","inputs":{"image":["3",0],"blur_radius":1,"sigma":1}}`)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	info := listed(t, sampler)
	if got := p.DoubtfulInputs(info); len(got) != 1 || !strings.Contains(got[0], `"3" (AnySwitch)`) || !strings.Contains(got[0], "mode") {
		t.Errorf("doubts %q", got)
	}
	if got := p.DoubtfulInputs(info.Unsure()); got != nil {
		t.Errorf("doubts of a list that is not sure: %q", got)
	}
}

func TestRow05MergedLists(t *testing.T) {
	const class = `"output":["IMAGE"],"python_module":"comfy_extras.x"`
	a := listed(t, `{"A":{"input":{"required":{"m":[["one"]],"n":["INT",{"min":1,"max":5}],"new":["INT",{}]}},`+class+`},"OnlyA":{"input":{}}}`)
	b := listed(t, `{"A":{"input":{"required":{"m":["COMBO",{"options":["two"]}],"n":["INT",{"min":1,"max":9}]}},`+class+`},"OnlyB":{"input":{}}}`)
	info := MergeObjectInfo(a, nil, b)
	for _, name := range []string{"A", "OnlyA", "OnlyB"} {
		if info.lacks(name) || !strings.Contains(string(info.JSON()), `"`+name+`"`) {
			t.Errorf("%s is missing", name)
		}
	}
	got, _ := info.Class("A")
	if m, _ := got.input("m"); len(m.Choices) != 2 {
		t.Errorf("choices %v", m.Choices)
	}
	if n, _ := got.input("n"); n.Min != "1" || n.Max != "" {
		t.Errorf("bounds %+v", n)
	}
	if _, optional := got.optional("new"); !optional {
		t.Error("an input that one of them lacks is required")
	}
	if a.Len() != 2 || MergeObjectInfo(nil, a) != a || MergeObjectInfo() != nil {
		t.Error("merging one is not that one")
	}
}

func TestRow25ReplacedClasses(t *testing.T) {
	info := listed(t, sampler)
	raw := through(`"2":{"class_type":"ImageBatch","inputs":{"image1":["1",0],"image2":["1",0]}}`)
	if r := refusalOf(raw, info); r == nil || r.Code != "unknown_class" {
		t.Errorf("without a replacement: %v", r)
	}
	if r := refusalOf(raw, info.Replacing([]string{"ImageBatch"})); r != nil {
		t.Errorf("with one: %v", r)
	}
}
