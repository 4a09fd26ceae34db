package comfy

// loader is an input that names a file for a node to load.
type loader struct {
	input string
	noun  string
	// parts are the keys that name files when the input is an object.
	parts []string
	// below is the folder in which a class without a check of its own lists its choices.
	below    string
	optional bool // it may be empty, or "none"
	text     bool // any text may stand there, not only a choice
}

// loaders are ComfyUI's own nodes that load a file from its input folder
// (0.8.0 and 0.33.0, with the older Load3DAnimation), and the most used ones that are not.
// Those of the API nodes are left out: they need an account's token, which is
// never passed on.
var loaders = map[string][]loader{
	"LoadImage":       {{input: "image", noun: "image"}},
	"LoadImageMask":   {{input: "image", noun: "image"}},
	"LoadImageOutput": {{input: "image", noun: "image"}},
	"WebcamCapture":   {{input: "image", noun: "image"}},
	"LoadLatent":      {{input: "latent", noun: "latent"}},
	"LoadAudio":       {{input: "audio", noun: "audio"}},
	"RecordAudio":     {{input: "audio", noun: "audio"}},
	"LoadVideo":       {{input: "file", noun: "video"}},
	"Load3D":          {model3D, views3D},
	"Load3DAdvanced":  {model3D},
	"Painter":         {{input: "mask", noun: "image", optional: true}},

	"Load3DAnimation": {model3D, views3D},

	"VHS_LoadVideo":       {{input: "video", noun: "video"}},
	"VHS_LoadVideoFFmpeg": {{input: "video", noun: "video"}},
	"VHS_LoadAudioUpload": {{input: "audio", noun: "audio"}},
}

// Load3D takes a model out of the folder 3d, and pictures that the page has
// taken of it (comfy_extras/nodes_load_3d.py).
var (
	model3D = loader{input: "model_file", below: "3d", optional: true}
	views3D = loader{input: "image", noun: "image", parts: []string{"image", "mask", "normal", "recording"}}
)

// folderLoaders are nodes that load every file of a folder below the input
// folder, by the input that names it.
var folderLoaders = map[string]string{
	"LoadImageDataSetFromFolder": "folder", "LoadImageTextDataSetFromFolder": "folder", "LoadImageSetFromFolderNode": "folder",
	"LoadImageTextSetFromFolderNode": "folder", "LoadVideoDataSetFromFolder": "folder", "LoadVideoTextDataSetFromFolder": "folder",
	"VHS_LoadImages": "directory",
}

// uploads are the options by which a class declares that a choice, or a text, is a
// file that people upload (comfy_api/latest/_io.py, UploadType; the last is older).
var uploads = []string{"image_upload", "video_upload", "audio_upload", "file_upload", "animated_image_upload"}

// loadersOf are the inputs of a class that name files.
func loadersOf(class string, info *ObjectInfo) []loader {
	if known, ok := loaders[class]; ok {
		return known
	}
	declared, ok := info.Class(class)
	if !ok {
		return nil
	}
	var all []loader
	for _, in := range declared.Required {
		if in.Upload {
			text := in.Type == "STRING"
			all = append(all, loader{input: in.Name, optional: text, text: text})
		}
	}
	for _, in := range declared.Optional {
		if in.Upload {
			all = append(all, loader{input: in.Name, optional: true, text: in.Type == "STRING"})
		}
	}
	return all
}
