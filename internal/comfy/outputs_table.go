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
	KindText      Kind = "text"
	KindOther     Kind = "other" // a node that is not ComfyUI's own
)

// isCoreOutput reports a class of ComfyUI's own that the server starts from,
// known without asking it.
func isCoreOutput(class string) bool {
	row, ok := builtIn()[class]
	return ok && row.Pack == packCore && !row.Optional
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
	row, saves := builtIn()[class]
	return counted || plainClasses[class] || saves && row.Pack == packCore
}
