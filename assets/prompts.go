// Package assets holds what is built into the binary.
package assets

import "embed"

// Prompts are the example prompts, in API format, below "prompts/". All can be
// run but preview-only.json, which is refused.
//
//go:embed prompts/*.json
var Prompts embed.FS

// FirstPicture is the example in Prompts that needs no model: any ComfyUI can run it.
const FirstPicture = "first-picture.json"
