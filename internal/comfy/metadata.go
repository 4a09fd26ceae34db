package comfy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// maxMetadata bounds what Metadata keeps of one file, keys and values together.
const maxMetadata = 16 << 20

// Metadata returns what ComfyUI wrote into a file: "prompt" and every key of
// extra_data.extra_pnginfo, with the raw JSON text as value. Keys are as ComfyUI wrote
// them; those of WebM, which upper-cases them, are lowered. The container's own tags
// ("encoder", "duration") come along. (ComfyUI 0.8.0, transcripts 07-metadata.)
//
// It is tolerant: what cannot be read is left out, a file without metadata gives an
// empty map. More than 16 MiB in all is cut at a whole tag. The bytes are the
// user's: a tag is evidence to weigh, never proof. The error is that of r.
func Metadata(r io.ReaderAt, size int64, name string) (map[string]string, error) {
	s := &source{r: r, size: max(size, 0)}
	t := &tags{values: map[string]string{}, room: maxMetadata}
	if f := sniff(s.upTo(0, SniffLength)); f != nil && f.metadata != nil {
		f.metadata(s, t)
		t.unfold()
	}
	if s.err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", name, s.err)
	}
	return t.values, nil
}

// PromptIn is the API-format prompt in the metadata of a file, and the workflow that
// the ComfyUI frontend shows; nil for what is not there.
func PromptIn(metadata map[string]string) (prompt, workflow []byte) {
	for key, to := range map[string]*[]byte{"prompt": &prompt, "workflow": &workflow} {
		if text := CleanPrompt([]byte(metadata[key])); bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			*to = text
		}
	}
	return prompt, workflow
}

// tags collects metadata within a fixed room in bytes.
type tags struct {
	values map[string]string
	room   int
	read   int // bytes that were unpacked or searched for JSON, see may
}

// may counts bytes that are to be unpacked or searched, whatever comes of them; false
// when it is too much for one file.
func (t *tags) may(n int) bool {
	t.read += n
	return t.read <= maxMetadata
}

// tagCost is what one tag takes of the room beside its text, so that a million empty
// tags are bounded too.
const tagCost = 64

func (t *tags) add(key, value string) {
	cost := len(key) + len(value) + tagCost
	if key == "" || cost > t.room {
		return
	}
	t.room -= cost
	t.values[key] = value
}

// unfold adds what stands as one object in the comment, as older versions of
// VHS_VideoCombine write it. A tag of its own counts more.
func (t *tags) unfold() {
	comment := t.values["comment"]
	if !strings.HasPrefix(comment, "{") {
		return
	}
	in := &tags{values: map[string]string{}, room: t.room}
	_ = in.addObject(json.NewDecoder(strings.NewReader(comment)))
	for key, value := range in.values {
		if _, has := t.values[key]; !has {
			t.add(key, value)
		}
	}
}
