package comfy

import (
	"encoding/binary"
	"testing"
)

// exifOf is a TIFF block with one text for each tag.
func exifOf(texts map[uint16]string) []byte {
	head := join("II*\x00", le32(8), binary.LittleEndian.AppendUint16(nil, uint16(len(texts))))
	at := len(head) + 12*len(texts) + 4
	var entries, values []byte
	for _, tag := range []uint16{0x010e, 0x010f, 0x0110} {
		if text, ok := texts[tag]; ok {
			entries = append(entries, join(binary.LittleEndian.AppendUint16(nil, tag), "\x02\x00", le32(len(text)+1), le32(at+len(values)))...)
			values = append(values, text+"\x00"...)
		}
	}
	return join(head, entries, le32(0), values)
}

func jpegWith(exif []byte) []byte {
	body := join("Exif\x00\x00", exif)
	return join("\xff\xd8\xff\xe1", binary.BigEndian.AppendUint16(nil, uint16(len(body)+2)), body, "\xff\xd9")
}

// TestMetadataOfPacks: EXIF as WAS "Image Save" and SaveImageExtended write it, and the
// comment of older VHS_VideoCombine.
func TestMetadataOfPacks(t *testing.T) {
	const prompt, workflow, qm = `{"1": {"class_type": "A", "inputs": {}}}`, `{"nodes": [], "links": []}`, `{"job": "j", "prompt_id": "p", "attempt": 1}`
	was := exifOf(map[uint16]string{0x010f: "Prompt:" + prompt, 0x010e: "Workflow:" + workflow + qm + `["x"]`})
	extended := exifOf(map[uint16]string{0x010f: "Prompt: " + prompt, 0x010e: "Workflow: " + workflow})
	comment := `{"prompt": ` + prompt + `, "workflow": ` + workflow + `, "qm": ` + qm + `}`
	data := mp4Box("data", "\x00\x00\x00\x01\x00\x00\x00\x00", comment)
	video := join(mp4Box("ftyp", "isom\x00\x00\x02\x00"), mp4Box("moov", mp4Box("meta", mp4Box("hdlr", make([]byte, 24)), mp4Box("ilst", join(be32(len(data)+8), "\xa9cmt", data)))))
	for _, c := range []struct {
		name string
		file []byte
		qm   string
	}{
		{"was.webp", riffFile("WEBP", "EXIF", le32(len(was)), was), qm},
		{"was.jpg", jpegWith(was), qm},
		{"extended.jpg", jpegWith(extended), ""},
		{"vhs.mp4", video, qm},
	} {
		got := metadata(t, c.file, c.name)
		p, w := PromptIn(got)
		if compact(t, string(p)) != compact(t, prompt) || compact(t, string(w)) != compact(t, workflow) || got[MetadataKey] != c.qm {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if p, w := PromptIn(map[string]string{"prompt": `"OVERRIDE"`, "workflow": "no"}); p != nil || w != nil {
		t.Errorf("texts are taken for a prompt: %s, %s", p, w)
	}
}
