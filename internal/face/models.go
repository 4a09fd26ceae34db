package face

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// modelLoaders are ComfyUI's own nodes that choose a file of one models folder
// (0.8.0 and 0.33.0), by class and input. A worker's list of nodes has all that
// its GET /models/{folder} would have, so it is not asked for both.
var modelLoaders = []struct{ class, input, folder string }{
	{"CheckpointLoaderSimple", "ckpt_name", "checkpoints"},
	{"LoraLoader", "lora_name", "loras"},
	{"VAELoader", "vae_name", "vae"},
	{"CLIPLoader", "clip_name", "text_encoders"},
	{"UNETLoader", "unet_name", "diffusion_models"},
	{"CLIPVisionLoader", "clip_name", "clip_vision"},
	{"StyleModelLoader", "style_model_name", "style_models"},
	{"ControlNetLoader", "control_net_name", "controlnet"},
	{"GLIGENLoader", "gligen_name", "gligen"},
	{"UpscaleModelLoader", "model_name", "upscale_models"},
	{"LatentUpscaleModelLoader", "model_name", "latent_upscale_models"},
	{"HypernetworkLoader", "hypernetwork_name", "hypernetworks"},
	{"PhotoMakerLoader", "photomaker_model_name", "photomaker"},
	{"AudioEncoderLoader", "audio_encoder_name", "audio_encoders"},
	{"ModelPatchLoader", "name", "model_patches"},
	{"LoadBackgroundRemovalModel", "bg_removal_name", "background_removal"},
	{"FrameInterpolationModelLoader", "model_name", "frame_interpolation"},
	{"OpticalFlowLoader", "model_name", "optical_flow"},
	{"LoadMoGeModel", "model_name", "geometry_estimation"},
	{"LoadMediaPipeFaceLandmarker", "model_name", "detection"},
}

// formerFolders are older names of models folders, which ComfyUI takes as well.
var formerFolders = map[string]string{"clip": "text_encoders", "unet": "diffusion_models"}

// modelFolders lists the models by folder, as the loaders offer them.
func modelFolders(classes map[string]json.RawMessage) map[string][]string {
	folders := map[string][]string{}
	for _, l := range modelLoaders {
		var class struct {
			Input struct{ Required, Optional map[string]json.RawMessage }
		}
		if json.Unmarshal(classes[l.class], &class) != nil {
			continue
		}
		spec, ok := class.Input.Required[l.input]
		if !ok {
			if spec, ok = class.Input.Optional[l.input]; !ok {
				continue
			}
		}
		// A choice without an ending is no file: VAELoader's "taesd", or "None".
		folders[l.folder] = slices.DeleteFunc(choicesOf(spec), func(name string) bool { return path.Ext(name) == "" || strings.HasPrefix(name, ".") })
	}
	return folders
}

// choicesOf are the texts that a declared input offers; none for anything else.
func choicesOf(raw json.RawMessage) []string {
	var spec []json.RawMessage
	var choices []string
	if json.Unmarshal(raw, &spec) != nil || len(spec) == 0 || json.Unmarshal(spec[0], &choices) == nil {
		return append([]string{}, choices...)
	}
	var options struct{ Options []string }
	if len(spec) > 1 && json.Unmarshal(spec[1], &options) == nil {
		choices = options.Options
	}
	return append([]string{}, choices...)
}

// Folders are the models folders that the list tells of, in a fixed order.
func (n *Nodes) Folders() []string {
	all := []string{}
	for _, l := range modelLoaders {
		if _, ok := n.folders[l.folder]; ok {
			all = append(all, l.folder)
		}
	}
	return all
}

// Models are the files of one models folder, as GET /models/{folder} has them;
// false when the list tells nothing of it.
func (n *Nodes) Models(folder string) ([]string, bool) {
	if now, ok := formerFolders[folder]; ok {
		folder = now
	}
	files, ok := n.folders[folder]
	return files, ok
}
