package demo

import (
	"math/rand/v2"
	"strings"
)

// saverPrompts are prompts with the custom save nodes of the simulated fleet,
// and with those of ComfyUI 0.33. NAME stands for a name that nobody else
// uses; every other name is the same for all users, so that only the manager
// keeps them apart. Each is added to a picture, node 8, or stands alone.
var saverPrompts = []struct {
	title, nodes string
	modern       bool // for the deployment of 0.33
}{
	{"flat-prefix", `"9":{"class_type":"StudioFlatSave","inputs":{"images":["8",0],"output_path":"posters","filename_prefix":"poster"}}`, false},
	{"was-image-save", `"9":{"class_type":"Image Save","inputs":{"images":["8",0],"output_path":"posters","filename_prefix":"poster","filename_delimiter":"_","filename_number_padding":4,"filename_number_start":"false","extension":"png","dpi":300,"quality":100,"optimize_image":"true","lossless_webp":"false","overwrite_mode":"false","show_history":"false","show_history_by_prefix":"true","embed_workflow":"true","show_previews":"true"}}`, false},
	{"image-saver", `"9":{"class_type":"Image Saver","inputs":{"images":["8",0],"filename":"poster","path":"saver","extension":"png","lossless_webp":true,"quality_jpeg_or_webp":100,"optimize_png":false,"embed_workflow":true,"save_workflow_as_json":false}}`, false},
	{"kj-image-save", `"9":{"class_type":"SaveImageKJ","inputs":{"images":["8",0],"filename_prefix":"stills/poster","output_folder":"output"}}`, false},
	{"own-name", `"9":{"class_type":"StudioNamedSave","inputs":{"images":["8",0],"filename":"poster","path":""}}`, false},
	{"silent-own-name", `"9":{"class_type":"StudioSilentSave","inputs":{"images":["8",0],"filename":"NAMEsilent","path":"silent"}}`, false},
	{"odd-prefix", `"9":{"class_type":"StudioPrefixSave","inputs":{"images":["8",0],"save_prefix":"odd/poster"}}`, false},
	{"folder-and-prefix", `"9":{"class_type":"StudioFolderSave","inputs":{"images":["8",0],"filename_prefix":"poster","output_folder":"output"}}`, false},
	{"sidecars", `"9":{"class_type":"StudioSidecarSave","inputs":{"images":["8",0],"filename_prefix":"poster"}}`, false},
	{"video-and-audio", `"9":{"class_type":"StudioVideoSave","inputs":{"images":["8",0],"filename_prefix":"clips/poster"}}`, false},
	{"pass-through", `"9":{"class_type":"StudioPassThrough","inputs":{"images":["8",0],"filename_prefix":"mid"}},"10":{"class_type":"SaveImage","inputs":{"images":["9",0],"filename_prefix":"end"}}`, false},
	{"watermark", `"9":{"class_type":"StudioWatermark","inputs":{"images":["8",0],"filename_prefix":"poster"}}`, false},
	{"drip", `"9":{"class_type":"StudioDripSave","inputs":{"images":["8",0],"filename_prefix":"poster","length":3,"seconds":0.7}}`, false},
	{"shown-and-saved", `"9":{"class_type":"SaveImage","inputs":{"images":["8",0],"filename_prefix":"poster"}},"10":{"class_type":"StudioShowText","inputs":{"text":"a note"}},"11":{"class_type":"StudioSendImage","inputs":{"images":["8",0]}},"12":{"class_type":"ETN_SendImageWebSocket","inputs":{"images":["8",0],"format":"PNG"}}`, false},
	{"advanced-png", `"9":{"class_type":"SaveImageAdvanced","inputs":{"images":["8",0],"filename_prefix":"adv/poster","format":"png","format.bit_depth":"16-bit","format.input_color_space":"sRGB"}}`, true},
	{"advanced-exr-in-a-chain", `"9":{"class_type":"SaveImage","inputs":{"images":["8",0],"filename_prefix":"poster"}},"10":{"class_type":"SaveImageAdvanced","inputs":{"images":["9",0],"filename_prefix":"adv/poster","format":"exr","format.bit_depth":"32-bit float","format.input_color_space":"HDR"}}`, true},
	{"text-and-compare", `"9":{"class_type":"PrimitiveString","inputs":{"value":"NAME"}},"10":{"class_type":"SaveText","inputs":{"text":["9",0],"filename_prefix":"text/NAMEtext","format":"json"}},"11":{"class_type":"ImageCompare","inputs":{"image_a":["8",0],"image_b":["8",0],"compare_view":{"__value__":[]}}}`, true},
	{"advanced-opus", `"9":{"class_type":"EmptyAudio","inputs":{"duration":1.0,"sample_rate":44100,"channels":2}},"10":{"class_type":"SaveAudioAdvanced","inputs":{"audio":["9",0],"filename_prefix":"audio/NAMEsound","format":"opus","format.quality":"128k"}}`, true},
	{"files-in-3d", `"9":{"class_type":"QMFile3D","inputs":{"k":1,"format":"spz"}},"10":{"class_type":"SaveGaussianSplat","inputs":{"model_3d":["9",0],"filename_prefix":"m3/NAMEsplat","viewport_state":{},"width":64,"height":64}},"11":{"class_type":"QMMesh","inputs":{"k":2}},"12":{"class_type":"MeshToFile3D","inputs":{"mesh":["11",0]}},"13":{"class_type":"Save3DAdvanced","inputs":{"model_3d":["12",0],"filename_prefix":"m3/NAMEmesh","viewport_state":{},"width":64,"height":64}}`, true},
	{"previewed-in-3d", `"9":{"class_type":"SaveImage","inputs":{"images":["8",0],"filename_prefix":"poster"}},"10":{"class_type":"QMFile3D","inputs":{"k":3,"format":"glb"}},"11":{"class_type":"Preview3D","inputs":{"model_file":["10",0]}}`, true},
}

const saverPicture = `"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sd_xl_base_1.0.safetensors"}},
"5":{"class_type":"EmptyLatentImage","inputs":{"width":768,"height":512,"batch_size":1}},
"6":{"class_type":"CLIPTextEncode","inputs":{"text":"a poster for a workshop","clip":["4",1]}},
"3":{"class_type":"KSampler","inputs":{"seed":1,"steps":20,"cfg":7.0,"sampler_name":"euler","scheduler":"normal","denoise":1.0,"model":["4",0],"positive":["6",0],"negative":["6",0],"latent_image":["5",0]}},
"8":{"class_type":"VAEDecode","inputs":{"samples":["3",0],"vae":["4",2]}}`

// saverRequest is a user's request of one of them.
func saverRequest(user string, n int, dice *rand.Rand) (Request, error) {
	p := saverPrompts[dice.IntN(len(saverPrompts))]
	nodes := strings.ReplaceAll(p.nodes, "NAME", Prefix(user, n, ""))
	if strings.Contains(nodes, `["8",0]`) {
		nodes = saverPicture + "," + nodes
	}
	r, err := personal([]byte("{"+nodes+"}"), user, n, p.title, false, dice)
	if p.modern {
		r.Deployment = ModernDeployment
	}
	return r, err
}
