package api

import (
	"path"
	"strings"
)

// Media that are more than a key of ComfyUI's executed message.
const (
	MediumResult = "result" // plain paths: [path, camera, model info]
	MediumFiles  = "files"  // files beside which SaveText tells its "text"
)

// mediumOf is the key under which ComfyUI's executed message and history list a file of a
// node class, and whether it is told to move. What is no class of ComfyUI's own is told by
// its name. Recorded from 0.8.0 and 0.33.0, testdata/kinds.json.
func mediumOf(class, name string) (medium string, animated bool) {
	switch class {
	case "VHS_VideoCombine":
		return "gifs", false
	case "Save3DAdvanced", "SaveGaussianSplat", "SavePointCloud", "Preview3D", "Preview3DAdvanced", "PreviewGaussianSplat", "PreviewPointCloud":
		return MediumResult, false
	case "SaveText":
		return MediumFiles, false
	case "SaveAnimatedPNG", "SaveAnimatedWEBP":
		return "images", true // of an animated PNG only the class tells
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".flac", ".mp3", ".opus", ".ogg", ".wav", ".m4a", ".aac":
		return "audio", false
	case ".latent":
		return "latents", false
	case ".glb", ".gltf", ".obj", ".fbx", ".stl", ".usdz", ".ply", ".splat", ".ksplat", ".spz":
		return "3d", false
	case ".txt", ".md", ".json", ".csv", ".safetensors", ".sft", ".ckpt", ".pt", ".pkl":
		return MediumFiles, false
	case ".mp4", ".webm", ".mkv", ".mov":
		return "images", true
	}
	return "images", false
}
