package simulator

import (
	"bytes"
	_ "embed"
	"encoding/binary"
)

// The video, WebM and audio files are small ones that a real ComfyUI 0.8.0
// wrote; each output gets its own metadata in place of theirs.
//
//go:embed fixtures/video.mp4
var fixtureMP4 []byte

// box is an MP4 box of any kind.
func box(kind string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(be(uint32(8+len(body))), kind...), body...)
}

// boxes cuts a run of boxes into name and body.
func boxes(b []byte, visit func(kind string, body []byte)) {
	for len(b) >= 8 {
		n := int(binary.BigEndian.Uint32(b))
		if n < 8 || n > len(b) {
			return
		}
		visit(string(b[4:8]), b[8:n])
		b = b[n:]
	}
}

// encodeMP4 is SaveVideo's file: mdat first, moov with the metadata last.
func encodeMP4(s scene) ([]byte, error) {
	var out []byte
	boxes(fixtureMP4, func(kind string, body []byte) {
		switch kind {
		case "mdat":
			body = signed(body, s.markText())
		case "moov":
			body = withUserData(body, s)
		}
		out = append(out, box(kind, body)...)
	})
	return out, nil
}

// signed overwrites the licence note that the encoder leaves in the stream's
// user data, which no decoder reads, with the mark.
func signed(mdat []byte, mark string) []byte {
	out := bytes.Clone(mdat)
	if i := bytes.Index(out, []byte("Copyleft 2003-2023")); i >= 0 {
		copy(out[i:i+16], mark+"................")
	}
	return out
}

func withUserData(moov []byte, s scene) []byte {
	var out []byte
	boxes(moov, func(kind string, body []byte) {
		if kind != "udta" {
			out = append(out, box(kind, body)...)
		}
	})
	return append(out, box("udta", userData(s))...)
}

// userData is FFmpeg's "mdta" metadata: keys, then values by number.
func userData(s scene) []byte {
	pairs := append(append([]entry{}, s.extra...), entry{key: "prompt", json: dumps(s.prompt)}, entry{key: "encoder", json: libavformat})
	handler := box("hdlr", be(0, 0), []byte("mdta"), make([]byte, 13))
	keys, values := be(0, uint32(len(pairs))), []byte{}
	for i, e := range pairs {
		keys = append(keys, box("mdta", []byte(e.key))...)
		value := box("data", be(1, 0), []byte(e.json))
		values = append(values, be(uint32(8+len(value)), uint32(i+1))...)
		values = append(values, value...)
	}
	return box("meta", be(0), handler, box("keys", keys), box("ilst", values))
}
