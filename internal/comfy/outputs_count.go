package comfy

import (
	"encoding/json"
	"path"
	"strconv"
	"strings"
)

// maxCount is the largest batch that is believed.
const maxCount = 1 << 20

// batch is how many items the first output of each node holds, once known.
type batch map[string]int

// batchRule computes the size of a node's first output; 0 means unknown. A
// number that is too high would let a job wait for files that never come, so a
// rule says a number only where no model and no file can change it.
type batchRule func(b batch, n *node) int

var batchRules = map[string]batchRule{
	"EmptyImage":                     fresh,
	"EmptyLatentImage":               fresh,
	"EmptySD3LatentImage":            fresh,
	"EmptyChromaRadianceLatentImage": fresh,
	"EmptyLatentAudio":               fresh,
	"EmptyAudio":                     func(batch, *node) int { return 1 },
	"EmptyAceStepLatentAudio":        fresh,
	"EmptyFlux2LatentImage":          fresh,
	"EmptyHiDreamO1LatentImage":      fresh,
	"EmptyHunyuanImageLatent":        fresh,
	"EmptyAceStep1.5LatentAudio":     fresh,
	"EmptyMiniMaxMusic3LatentAudio":  fresh,
	"LoadImage":                      still,
	"LoadAudio":                      func(batch, *node) int { return 1 },

	"KSampler":              keep("latent_image"),
	"KSamplerAdvanced":      keep("latent_image"),
	"SamplerCustom":         keep("latent_image"),
	"SamplerCustomAdvanced": keep("latent_image"),
	"LatentUpscale":         keep("samples"),
	"LatentUpscaleBy":       keep("samples"),
	"LatentFlip":            keep("samples"),
	"LatentRotate":          keep("samples"),
	"LatentCrop":            keep("samples"),
	"SetLatentNoiseMask":    keep("samples"),
	"VAEDecode":             keep("samples"),
	"VAEDecodeTiled":        keep("samples"),
	"VAEDecodeAudio":        keep("samples"),

	"VAEEncode":           keepOne("pixels"),
	"VAEEncodeTiled":      keepOne("pixels"),
	"VAEEncodeForInpaint": keepOne("pixels"),
	"VAEEncodeAudio":      keepOne("audio"),

	"ImageScale":              keep("image"),
	"ImageScaleBy":            keep("image"),
	"ImageScaleToTotalPixels": keep("image"),
	"ImageUpscaleWithModel":   keep("image"),
	"ImageInvert":             keep("image"),
	"ImageBlur":               keep("image"),
	"ImageSharpen":            keep("image"),
	"ImageQuantize":           keep("image"),
	"ImageCrop":               keep("image"),
	"ImageCropV2":             keep("image"),
	"ResizeImageMaskNode":     keep("input"),
	"ImageFlip":               keep("image"),
	"ImageRotate":             keep("image"),
	"ImageAddNoise":           keep("image"),
	"ImagePadForOutpaint":     keep("image"),

	// Save nodes and previews pass on what they take since 0.33.
	"SaveImage":         keep("images"),
	"SaveImageAdvanced": keep("images"),
	"SaveAnimatedPNG":   keep("images"),
	"SaveAnimatedWEBP":  keep("images"),
	"SaveWEBM":          keep("images"),
	"PreviewImage":      keep("images"),
	"SaveAudio":         keep("audio"),
	"SaveAudioMP3":      keep("audio"),
	"SaveAudioOpus":     keep("audio"),
	"SaveAudioAdvanced": keep("audio"),
	"PreviewAudio":      keep("audio"),
	"SaveLatent":        keep("samples"),

	"RepeatImageBatch":  times("image"),
	"RepeatLatentBatch": times("samples"),
	"BatchImagesNode":   all("images."),
	"BatchLatentsNode":  all("latents."),
	"ImageBatch":        plus("image1", "image2"),
	"LatentBatch":       plus("samples1", "samples2"),
	"ImageFromBatch":    part("image"),
	"LatentFromBatch":   part("samples"),
}

// fileCounts gives a function from save node to its number of files, 0 when
// unknown.
func (p *Prompt) fileCounts(info *ObjectInfo) func(save) int {
	sizes := batch{}
	for _, id := range p.sorted() {
		if rule, ok := batchRules[p.nodes[id].class]; ok {
			sizes[id] = bounded(rule(sizes, p.nodes[id]))
		}
	}
	unsure := p.unsure(info)
	return func(s save) int {
		from, slot, _ := LinkOf(s.node.inputs[s.row.Batch])
		switch {
		case unsure[s.node.id]:
			return 0
		case s.row.Batch == "":
			return s.row.Count
		case isFile3D(p.typeOf(from, slot, info)):
			return 1
		}
		return sizes.of(s.node, s.row.Batch)
	}
}

// unsure marks every node that may run several times or not at all: one behind
// a node that is not ComfyUI's own, or that gives a list. The core's nodes of
// the tables, and of which the server says that they come with it, do neither.
func (p *Prompt) unsure(info *ObjectInfo) map[string]bool {
	var foreign []string
	for id, n := range p.nodes {
		class, _ := info.Class(n.class)
		row, known := p.row(n.class)
		counts := known && (row.Count > 0 || row.Batch != "")
		if !isCore(n.class) && !counts && (!class.Core || class.Lists) {
			foreign = append(foreign, id)
		}
	}
	consumers := p.consumers()
	return reach(foreign, func(id string) []string { return consumers[id] })
}

// of is the size of what an input takes in, when it takes a first output.
func (b batch) of(n *node, input string) int {
	from, slot, ok := LinkOf(n.inputs[input])
	if !ok || slot != 0 {
		return 0
	}
	return b[from]
}

func bounded(n int) int {
	if n < 0 || n > maxCount {
		return 0
	}
	return n
}

// number reads a literal whole number of at least least; linked or odd is false.
func number(n *node, input string, least int) (int, bool) {
	text, ok := n.inputs[input].(json.Number)
	if !ok {
		return 0, false
	}
	value, err := strconv.Atoi(text.String())
	return value, err == nil && value >= least && value <= maxCount
}

func fresh(_ batch, n *node) int {
	size, ok := number(n, "batch_size", 1)
	if !ok {
		return 0
	}
	return size
}

// still is 1 for formats that hold one picture. PNG, WebP and GIF may be
// animated, and LoadImage gives every frame.
func still(_ batch, n *node) int {
	name, _ := n.inputs["image"].(string)
	name, _, _ = strings.Cut(name, " [") // "x.jpg [input]" names the folder
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".bmp":
		return 1
	}
	return 0
}

func keep(input string) batchRule {
	return func(b batch, n *node) int { return b.of(n, input) }
}

// keepOne trusts a single item only: a video VAE takes a batch for frames.
func keepOne(input string) batchRule {
	return func(b batch, n *node) int {
		if b.of(n, input) == 1 {
			return 1
		}
		return 0
	}
}

func times(input string) batchRule {
	return func(b batch, n *node) int {
		amount, ok := number(n, "amount", 1)
		if !ok {
			return 0
		}
		return b.of(n, input) * amount
	}
}

func plus(first, second string) batchRule {
	return func(b batch, n *node) int {
		x, y := b.of(n, first), b.of(n, second)
		if x == 0 || y == 0 {
			return 0
		}
		return x + y
	}
}

// all adds up inputs that grow: images.image0, images.image1, ...
func all(prefix string) batchRule {
	return func(b batch, n *node) int {
		sum := 0
		for _, l := range n.links {
			if !strings.HasPrefix(l.input, prefix) {
				continue
			}
			size := b.of(n, l.input)
			if size == 0 {
				return 0
			}
			sum += size
		}
		return sum
	}
}

func part(input string) batchRule {
	return func(b batch, n *node) int {
		size := b.of(n, input)
		from, ok1 := number(n, "batch_index", 0)
		length, ok2 := number(n, "length", 1)
		if size == 0 || !ok1 || !ok2 {
			return 0
		}
		return min(size-min(size-1, from), length)
	}
}
