package comfy

// Kind groups what save nodes write, for icons and for choosing a reader.
type Kind string

// The kinds of output.
const (
	KindImage     Kind = "image"
	KindAnimation Kind = "animation" // animated PNG or WebP
	KindVideo     Kind = "video"
	KindAudio     Kind = "audio"
	KindModel     Kind = "model" // checkpoints, LoRA and other weights
	KindLatent    Kind = "latent"
	KindMesh      Kind = "mesh"
	KindVector    Kind = "vector"
	KindDataset   Kind = "dataset"
	KindOther     Kind = "other" // a node that is not ComfyUI's own
)

// saver is what is known of a class that writes to the output folder.
type saver struct {
	input string // the input that names files or their folder
	kind  Kind
	ext   string // usual file extension without dot; "" when it varies
	// per names the input whose batch gives one file an item; single says
	// that one file is written whatever comes in. Neither: unknown.
	per    string
	single bool
	// also names a second input that becomes part of the file's path below
	// the first one, and is checked like a prefix but not tagged.
	also string
	// core says that ComfyUI declares input as required.
	core bool
}

// savers are ComfyUI's own nodes that write to the output folder (0.8.0;
// SaveGLB and SaveSVGNode write one file an item of something that no graph
// tells, CLIPSave one a text encoder), and the most used one that is not.
var savers = map[string]saver{
	"SaveImage":               {input: "filename_prefix", kind: KindImage, ext: "png", per: "images", core: true},
	"SaveAnimatedPNG":         {input: "filename_prefix", kind: KindAnimation, ext: "png", single: true, core: true},
	"SaveAnimatedWEBP":        {input: "filename_prefix", kind: KindAnimation, ext: "webp", single: true, core: true},
	"SaveVideo":               {input: "filename_prefix", kind: KindVideo, ext: "mp4", single: true, core: true},
	"SaveWEBM":                {input: "filename_prefix", kind: KindVideo, ext: "webm", single: true, core: true},
	"SaveAudio":               {input: "filename_prefix", kind: KindAudio, ext: "flac", per: "audio", core: true},
	"SaveAudioMP3":            {input: "filename_prefix", kind: KindAudio, ext: "mp3", per: "audio", core: true},
	"SaveAudioOpus":           {input: "filename_prefix", kind: KindAudio, ext: "opus", per: "audio", core: true},
	"SaveLatent":              {input: "filename_prefix", kind: KindLatent, ext: "latent", single: true, core: true},
	"CheckpointSave":          {input: "filename_prefix", kind: KindModel, ext: "safetensors", single: true, core: true},
	"ImageOnlyCheckpointSave": {input: "filename_prefix", kind: KindModel, ext: "safetensors", single: true, core: true},
	"ModelSave":               {input: "filename_prefix", kind: KindModel, ext: "safetensors", single: true, core: true},
	"VAESave":                 {input: "filename_prefix", kind: KindModel, ext: "safetensors", single: true, core: true},
	"CLIPSave":                {input: "filename_prefix", kind: KindModel, ext: "safetensors", core: true},
	"LoraSave":                {input: "filename_prefix", kind: KindModel, ext: "safetensors", core: true},
	"SaveLoRA":                {input: "prefix", kind: KindModel, ext: "safetensors", single: true, core: true},
	"SaveLoRANode":            {input: "prefix", kind: KindModel, ext: "safetensors", single: true, core: true},
	"SaveGLB":                 {input: "filename_prefix", kind: KindMesh, ext: "glb", core: true},
	"SaveSVGNode":             {input: "filename_prefix", kind: KindVector, ext: "svg", core: true},

	"SaveImageDataSetToFolder":     {input: "folder_name", kind: KindDataset, ext: "png", also: "filename_prefix", core: true},
	"SaveImageTextDataSetToFolder": {input: "folder_name", kind: KindDataset, ext: "png", also: "filename_prefix", core: true},
	"SaveTrainingDataset":          {input: "folder_name", kind: KindDataset, ext: "pkl", core: true},

	"VHS_VideoCombine": {input: "filename_prefix", kind: KindVideo},
}

// previews are output nodes that put nothing on the share: they write to the
// temp folder, send to the page, or only show. LossGraphNode has a
// filename_prefix all the same, and fails when there is a folder in it.
var previews = map[string]bool{
	"PreviewImage": true, "MaskPreview": true, "PreviewAudio": true, "Preview3D": true,
	"Preview3DAnimation": true, "PreviewAny": true, "LossGraphNode": true, "SaveImageWebsocket": true,
}

// isCoreOutput reports a class that the server starts from, known without
// asking it.
func isCoreOutput(class string) bool {
	_, saves := savers[class]
	return saves || previews[class]
}

// plainClasses are nodes of ComfyUI that are no output nodes and give every
// output once, never as a list that would make later nodes run several times.
var plainClasses = setOf(
	"CheckpointLoaderSimple", "CheckpointLoader", "ImageOnlyCheckpointLoader", "unCLIPCheckpointLoader", "UNETLoader",
	"VAELoader", "CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader", "CLIPVisionLoader",
	"LoraLoader", "LoraLoaderModelOnly", "ControlNetLoader", "DiffControlNetLoader", "StyleModelLoader", "UpscaleModelLoader",
	"GLIGENLoader", "ModelPatchLoader", "AudioEncoderLoader", "CLIPSetLastLayer", "LoadAudio", "LoadImage", "LoadImageMask", "LoadVideo",
	"CLIPTextEncode", "CLIPTextEncodeSDXL", "CLIPTextEncodeSDXLRefiner", "CLIPTextEncodeSD3", "CLIPTextEncodeFlux",
	"CLIPTextEncodeHiDream", "CLIPTextEncodeLumina2", "CLIPTextEncodeHunyuanDiT", "TextEncodeAceStepAudio",
	"TextEncodeQwenImageEdit", "TextEncodeQwenImageEditPlus", "CLIPVisionEncode", "ConditioningCombine", "ConditioningConcat",
	"ConditioningAverage", "ConditioningSetArea", "ConditioningSetMask", "ConditioningZeroOut", "ConditioningSetTimestepRange",
	"ConditioningStableAudio", "ControlNetApply", "ControlNetApplyAdvanced", "SetUnionControlNetType", "StyleModelApply",
	"unCLIPConditioning", "InpaintModelConditioning", "FluxGuidance", "FluxDisableGuidance", "ReferenceLatent", "FluxKontextImageScale",
	"ModelSamplingDiscrete", "ModelSamplingSD3", "ModelSamplingFlux", "ModelSamplingAuraFlow", "RescaleCFG", "CFGNorm", "CFGZeroStar",
	"FreeU", "FreeU_V2", "DifferentialDiffusion", "PerpNeg", "HyperTile", "EasyCache", "TorchCompileModel",
	"RandomNoise", "DisableNoise", "BasicGuider", "CFGGuider", "DualCFGGuider", "KSamplerSelect", "BasicScheduler", "KarrasScheduler",
	"ExponentialScheduler", "SDTurboScheduler", "AlignYourStepsScheduler", "BetaSamplingScheduler", "SplitSigmas", "FlipSigmas", "LTXVScheduler",
	"Canny", "InvertMask", "GrowMask", "FeatherMask", "SolidMask", "MaskToImage", "ImageToMask", "MaskComposite",
	"CreateVideo", "GetVideoComponents", "EmptyHunyuanLatentVideo", "EmptyLTXVLatentVideo", "EmptyMochiLatentVideo", "EmptyCosmosLatentVideo",
	"LTXVConditioning", "LTXVImgToVideo", "SVD_img2vid_Conditioning", "VideoLinearCFGGuidance", "HunyuanImageToVideo", "TrimVideoLatent",
	"WanImageToVideo", "WanFirstLastFrameToVideo", "WanVaceToVideo", "Wan22ImageToVideoLatent",
	"ModelMergeSimple", "ModelMergeAdd", "ModelMergeSubtract", "ModelMergeBlocks", "CLIPMergeSimple",
	"PrimitiveString", "PrimitiveStringMultiline", "PrimitiveInt", "PrimitiveFloat", "PrimitiveBoolean",
	"StringConcatenate", "StringReplace", "StringTrim", "StringSubstring", "CaseConverter",
)

func setOf(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

// isCore reports a class that this program knows to be ComfyUI's own.
func isCore(class string) bool {
	_, counted := batchRules[class]
	return counted || plainClasses[class] || previews[class] || savers[class].core
}
