package simulator

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
)

// material is what flows through the simulated graph in place of tensors: a
// model, a conditioning, a latent, images, audio. It remembers what a picture
// of it must look like.
type material struct {
	text     string // what was asked for; decides palette and kind of picture
	seed     uint64
	width    int // as the prompt says; pictures are painted smaller
	height   int
	count    int // images in the batch, or frames
	flat     int // a plain colour 0xRRGGBB, or -1
	inverted bool
	format   string // of a File3D, or the one that was chosen
	loaded   string // checksums of the input files it was made from, with spaces between
}

// evaluate runs one node: what its slots carry, and for an output node what
// it reports. Errors are *raised, or errDied.
func (x *execution) evaluate(ctx context.Context, id string) ([]any, *object, error) {
	c := x.class(id)
	if err := x.strike(id); err != nil {
		return nil, nil, err
	}
	in, err := x.arguments(id, c)
	if err != nil {
		return nil, nil, err
	}
	if _, saves := savers[c.name]; saves || c.output {
		ui, err := x.save(ctx, id, c, in)
		return slots(c, blend(c, in)), ui, err // since 0.33 save nodes pass on what they get
	}
	if c.loads(in) {
		m, err := x.replica.dep.fleet.load(c, in)
		return slots(c, m), nil, err
	}
	return produce(c, in), nil, nil
}

// strike raises in the heaviest node when the dice say so.
func (x *execution) strike(id string) error {
	if !x.task.plan.has(executionError) || id != x.heaviest() {
		return nil
	}
	return &raised{"torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory. (out of memory)\nCurrently allocated     : 138.42 GiB\nRequested               : 4.50 GiB\nDevice limit            : 139.80 GiB"}
}

// arguments resolves a node's inputs: literals as they are, links to what
// came before.
func (x *execution) arguments(id string, c *class) (map[string]any, error) {
	inputs, args := x.inputs(id), map[string]any{}
	for _, in := range taken(c.inputs, inputs) {
		value, has := inputs.get(in.name)
		if !has {
			continue
		}
		if link, ok := value.([]any); ok && len(link) == 2 {
			slots := x.values[text(link[0])]
			slot := intOf(link[1])
			if slot < 0 {
				slot += len(slots)
			}
			if slot < 0 || slot >= len(slots) {
				return nil, &raised{"IndexError", "list index out of range"}
			}
			value = slots[slot]
		} else if in.kind == "IMAGE" {
			return nil, &raised{"AttributeError", "'" + typeName(value) + "' object has no attribute 'shape'"}
		}
		args[in.name] = value
	}
	return args, nil
}

// produce is what a node that saves nothing makes of its inputs.
func produce(c *class, in map[string]any) []any {
	switch c.name {
	case "StringConcatenate":
		return []any{text(in["string_a"]) + text(in["delimiter"]) + text(in["string_b"])}
	case "StringReplace":
		return []any{strings.ReplaceAll(text(in["string"]), text(in["find"]), text(in["replace"]))}
	case "PrimitiveString", "PrimitiveInt", "PrimitiveFloat":
		return []any{in["value"]}
	}
	return slots(c, blend(c, in))
}

// slots gives every slot of a node the same material.
func slots(c *class, m material) []any {
	all := make([]any, len(c.returns))
	for i, kind := range c.returns {
		all[i] = any(m)
		switch kind {
		case "FLOAT":
			all[i] = 24.0
		case "STRING":
			all[i] = m.text
		}
	}
	return all
}

// blend merges everything that flows in, first come first served, and then
// lets the node's own widgets speak.
func blend(c *class, in map[string]any) material {
	m := material{flat: -1}
	for _, declared := range c.inputs {
		if from, ok := in[declared.name].(material); ok {
			m.absorb(from, c.name == "ImageBatch")
		}
	}
	m.widgets(in)
	switch {
	case c.name == "ImageInvert":
		m.inverted = !m.inverted
	case c.name == "RepeatImageBatch", c.name == "RepeatLatentBatch":
		m.count = max(m.count, 1) * max(intOf(in["amount"]), 1)
	case c.name == "KSampler", c.name == "KSamplerAdvanced", c.name == "SamplerCustomAdvanced":
		m.flat = -1
	case c.loads(in):
		m.text, m.width, m.height, m.count = c.picture(in), 768, 512, 1
	case c.name == "MeshToFile3D":
		m.format = "glb"
	}
	return m
}

func (m *material) absorb(from material, batch bool) {
	if m.text == "" {
		m.text = from.text
	}
	if m.seed == 0 {
		m.seed = from.seed
	}
	if m.width == 0 {
		m.width, m.height = from.width, from.height
	}
	if m.flat < 0 {
		m.flat = from.flat
	}
	if m.format == "" {
		m.format = from.format
	}
	if batch {
		m.count += max(from.count, 1)
	} else {
		m.count = max(m.count, from.count)
	}
	m.inverted = m.inverted || from.inverted
	m.loaded = both(m.loaded, from.loaded)
}

func (m *material) widgets(in map[string]any) {
	if s, ok := in["text"].(string); ok {
		m.text = s
	}
	if s, ok := in["format"].(string); ok {
		m.format = s
	}
	for _, name := range []string{"seed", "noise_seed"} {
		if n, ok := in[name].(integer); ok {
			m.seed, _ = strconv.ParseUint(string(n), 10, 64)
		}
	}
	if w, h := intOf(in["width"]), intOf(in["height"]); w > 0 && h > 0 {
		m.width, m.height = w, h
	}
	if n := intOf(in["batch_size"]); n > 0 {
		m.count = n
	}
	if n := intOf(in["length"]); n > 0 {
		m.count = n
	}
	if _, has := in["color"]; has {
		m.flat = intOf(in["color"])
	}
	if by, ok := in["scale_by"].(float64); ok {
		m.width, m.height = max(1, int(float64(m.width)*by)), max(1, int(float64(m.height)*by))
	}
}

// hash is a number that stands for what was asked for.
func (m material) hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.text)) // never fails
	return h.Sum64()
}
