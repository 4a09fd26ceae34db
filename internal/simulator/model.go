package simulator

import (
	"encoding/binary"
	"fmt"
	"html"
	"math"
	"math/rand/v2"
	"strings"
)

// encodeLatent is SaveLatent's file, and stands for the other safetensors
// that carry metadata: a header, then one small tensor.
func encodeLatent(s scene) ([]byte, error) {
	meta := dict()
	for _, e := range s.pairs() {
		meta.set(e.key, e.json)
	}
	return safetensors(s, meta), nil
}

// encodeBareTensors is a LoRA: safetensors without metadata.
func encodeBareTensors(s scene) ([]byte, error) { return safetensors(s, nil), nil }

func safetensors(s scene, meta *object) []byte {
	const floats = 4 * 8 * 8
	header := dict()
	if meta != nil {
		header.set("__metadata__", meta)
	}
	header.set("latent_format_version_0", tensor([]any{number(0)}, 0))
	header.set("latent_tensor", tensor([]any{number(1), number(4), number(8), number(8)}, floats*4))
	text := dumps(header)
	text += strings.Repeat(" ", (8-len(text)%8)%8)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), noise(s.mark, floats)...)
}

func tensor(shape []any, size int) *object {
	return dict("dtype", "F32", "shape", shape, "data_offsets", []any{number(0), number(size)})
}

func noise(seed uint64, floats int) []byte {
	dice := rand.New(rand.NewPCG(seed, 1))
	var b []byte
	for range floats {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(dice.NormFloat64())))
	}
	return b
}

const glbTail = `, "buffers": [{"byteLength": 48}], "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 36, "target": 34962}, {"buffer": 0, "byteOffset": 36, "byteLength": 12, "target": 34963}], "accessors": [{"bufferView": 0, "byteOffset": 0, "componentType": 5126, "count": 3, "type": "VEC3", "max": [1.0, 1.0, 1.0], "min": [0.0, 0.0, 0.0]}, {"bufferView": 1, "byteOffset": 0, "componentType": 5125, "count": 3, "type": "SCALAR"}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "mode": 4}]}], "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}], "scene": 0}`

// encodeGLB is SaveGLB's file: one triangle, a different one for each output.
func encodeGLB(s scene) ([]byte, error) {
	extras := dict()
	for _, e := range s.pairs() {
		extras.set(e.key, e.json)
	}
	text := `{"asset": ` + dumps(dict("version", "2.0", "generator", "ComfyUI", "extras", extras)) + glbTail
	text += strings.Repeat(" ", (4-len(text)%4)%4)
	body := append(glbChunk("JSON", []byte(text)), glbChunk("BIN\x00", triangle(s.mark))...)
	out := binary.LittleEndian.AppendUint32([]byte("glTF\x02\x00\x00\x00"), uint32(12+len(body)))
	return append(out, body...), nil
}

func glbChunk(kind string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	return append(append(b, kind...), body...)
}

func triangle(mark uint64) []byte {
	dice := rand.New(rand.NewPCG(mark, 2))
	var b []byte
	for range 9 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(dice.Float32()))
	}
	for i := range uint32(3) {
		b = binary.LittleEndian.AppendUint32(b, i)
	}
	return b
}

// encodeSVG is SaveSVGNode's file: the metadata first, as indented JSON in a
// CDATA section, then the drawing.
func encodeSVG(s scene) ([]byte, error) {
	meta := dict()
	for _, e := range s.pairs() {
		meta.set(e.key, e.raw)
	}
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256">`)
	fmt.Fprintf(&b, "\n  <metadata>\n                <![CDATA[\n            %s\n                ]]>\n            </metadata>\n",
		strings.ReplaceAll(indented(meta, ""), "]]>", `]]\u003e`))
	dice := rand.New(rand.NewPCG(s.hash(), s.mark))
	tones := palettes[s.hash()%uint64(len(palettes))]
	for range 12 {
		r, g, bl := tones.at(dice.Float64())
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="%d" fill="#%02x%02x%02x" fill-opacity="0.6"/>`,
			dice.IntN(256), dice.IntN(256), 10+dice.IntN(60), channel(r), channel(g), channel(bl))
	}
	fmt.Fprintf(&b, `<text x="8" y="248" font-size="10">%s</text></svg>`, html.EscapeString(s.text))
	return []byte(b.String()), nil
}

// indented is json.dumps(indent=2) of Python.
func indented(v any, indent string) string {
	deeper := indent + "  "
	var parts []string
	open, closing := "[", "]"
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			parts = append(parts, deeper+indented(e, deeper))
		}
	case *object:
		open, closing = "{", "}"
		for _, k := range v.keys {
			parts = append(parts, deeper+dumps(k)+": "+indented(v.values[k], deeper))
		}
	default:
		return dumps(v)
	}
	if parts == nil {
		return open + closing
	}
	return open + "\n" + strings.Join(parts, ",\n") + "\n" + indent + closing
}
