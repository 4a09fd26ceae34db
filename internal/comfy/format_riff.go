package comfy

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
)

// wholeRIFF compares the length in the header with the file and walks the chunks.
// Writers that stream leave a placeholder there until they close the file.
func wholeRIFF(s *source) Verdict {
	head := s.bytes(0, 12)
	if head == nil || int64(binary.LittleEndian.Uint32(head[4:]))+8 != s.size {
		return Partial
	}
	end := walkRIFF(s, func(string, int64, int64) {})
	// The last chunk of an odd length may miss its padding byte.
	if end == s.size || end == s.size+1 {
		return Complete
	}
	return Partial
}

// wholeWebP also looks for whole pages of NUL, which compressed pictures do not
// contain but a page cache that is still filling does.
func wholeWebP(s *source) Verdict {
	if v := wholeRIFF(s); v != Complete {
		return v
	}
	if hasEmptyPage(s) {
		return Partial
	}
	return Complete
}

// walkRIFF calls visit with kind, offset and length of each chunk's body, and returns
// where the walk ended: the size of the file when all is well.
func walkRIFF(s *source, visit func(kind string, off, n int64)) int64 {
	off := int64(12)
	for off < s.size {
		head := s.bytes(off, 8)
		if head == nil || !s.part() || !printable(head[:4]) {
			return -1
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		visit(string(head[:4]), off+8, n)
		off += 8 + n + n%2
	}
	return off
}

// hasEmptyPage reads the file in pages of 4 KiB, the grain at which caches fill.
func hasEmptyPage(s *source) bool {
	const page = 4096
	in := s.stream(0, s.size)
	for left := s.size; left >= page; left -= page {
		b, err := in.Peek(page)
		if err != nil {
			s.note(err)
			return true
		}
		if b[0] == 0 && allZero(b) {
			return true
		}
		if _, err := in.Discard(page); err != nil {
			s.note(err)
			return true
		}
	}
	return false
}

// metadataWebP reads the EXIF chunk, where each text is "key:json" under tags that
// descend from 0x0110 (prompt).
func metadataWebP(s *source, t *tags) {
	walkRIFF(s, func(kind string, off, n int64) {
		if kind == "EXIF" && n <= maxMetadata {
			t.addEXIF(bytes.TrimPrefix(s.bytes(off, int(n)), []byte("Exif\x00\x00")))
		}
	})
}

// addEXIF reads the ASCII entries of the first directory of a TIFF block.
func (t *tags) addEXIF(b []byte) {
	order := tiffOrder(b)
	if order == nil {
		return
	}
	dir := int64(order.Uint32(b[4:]))
	if dir > int64(len(b))-2 {
		return
	}
	count := int64(order.Uint16(b[dir:]))
	for i := range count {
		at := dir + 2 + 12*i
		if at+12 > int64(len(b)) {
			return
		}
		t.addKeyed(tiffText(order, b, b[at:at+12]))
	}
}

func tiffOrder(b []byte) binary.ByteOrder {
	switch {
	case len(b) < 8:
		return nil
	case string(b[:4]) == "MM\x00*":
		return binary.BigEndian
	case string(b[:4]) == "II*\x00":
		return binary.LittleEndian
	}
	return nil
}

// tiffText returns the text of one directory entry: tag, type 2, count, value or offset.
func tiffText(order binary.ByteOrder, b, entry []byte) string {
	if order.Uint16(entry[2:]) != 2 {
		return ""
	}
	n, at := int64(order.Uint32(entry[4:])), int64(order.Uint32(entry[8:]))
	if n <= 4 {
		return string(entry[8 : 8+n])
	}
	if at+n > int64(len(b)) {
		return ""
	}
	return string(b[at : at+n])
}

// addKeyed takes "key:json"; other texts, a date for example, are no metadata of ours.
// Packs write "Prompt:" and "Workflow:", and WAS "Image Save" all of extra_pnginfo as one
// "Workflow:" without its keys: what each object is, its own keys tell then.
func (t *tags) addKeyed(text string) {
	key, value, found := strings.Cut(strings.TrimRight(text, "\x00"), ":")
	if !found {
		return
	}
	if key == "Prompt" || key == "Workflow" {
		key = strings.ToLower(key)
	}
	if !t.may(len(value)) {
		return
	}
	clean := nullBareNumbers([]byte(value))
	if json.Valid(clean) {
		t.add(key, value)
		return
	}
	dec := json.NewDecoder(bytes.NewReader(clean))
	for t.may(1 << 10) { // an object costs more than its bytes
		var object json.RawMessage
		var has struct {
			Nodes    json.RawMessage `json:"nodes"`
			Job      json.RawMessage `json:"job"`
			PromptID json.RawMessage `json:"prompt_id"`
		}
		if dec.Decode(&object) != nil {
			return
		}
		_ = json.Unmarshal(object, &has) // no object has none of them
		switch {
		case has.Nodes != nil:
			t.add(key, string(object))
		case has.Job != nil && has.PromptID != nil:
			t.add(MetadataKey, string(object))
		}
	}
}
