package simulator

import (
	"context"

	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// saver is a class of output node that writes to the output folder.
type saver struct {
	prefix   string // the input that holds the prefix
	ext      string
	key      string // where history reports the files
	animated bool
	batch    bool // one file for each image of the batch
	// encode makes one file's bytes.
	encode func(s scene) ([]byte, error)
}

var savers = map[string]saver{
	"SaveImage":               {"filename_prefix", ".png", "images", false, true, encodePNG},
	"SaveAnimatedPNG":         {"filename_prefix", ".png", "images", true, false, encodeAPNG},
	"SaveAnimatedWEBP":        {"filename_prefix", ".webp", "images", true, false, encodeWEBP},
	"SaveVideo":               {"filename_prefix", ".mp4", "images", true, false, encodeMP4},
	"SaveWEBM":                {"filename_prefix", ".webm", "images", true, false, encodeWEBM},
	"SaveAudio":               {"filename_prefix", ".flac", "audio", false, false, encodeFLAC},
	"SaveAudioMP3":            {"filename_prefix", ".mp3", "audio", false, false, encodeMP3},
	"SaveAudioOpus":           {"filename_prefix", ".opus", "audio", false, false, encodeOpus},
	"SaveLatent":              {"filename_prefix", ".latent", "latents", false, false, encodeLatent},
	"SaveGLB":                 {"filename_prefix", ".glb", "3d", false, false, encodeGLB},
	"SaveSVGNode":             {"filename_prefix", ".svg", "images", false, false, encodeSVG},
	"CheckpointSave":          {"filename_prefix", ".safetensors", "", false, false, encodeLatent},
	"ImageOnlyCheckpointSave": {"filename_prefix", ".safetensors", "", false, false, encodeLatent},
	"CLIPSave":                {"filename_prefix", ".safetensors", "", false, false, encodeLatent},
	"VAESave":                 {"filename_prefix", ".safetensors", "", false, false, encodeLatent},
	"ModelSave":               {"filename_prefix", ".safetensors", "", false, false, encodeLatent},
	"LoraSave":                {"filename_prefix", ".safetensors", "", false, false, encodeBareTensors},
	"SaveLoRA":                {"prefix", ".safetensors", "", false, false, encodeBareTensors},
}

// scene is everything an encoder needs for one file.
type scene struct {
	material
	index  int    // of the image in its batch
	mark   uint64 // differs for every output; makes the file's bytes unique
	prompt *object
	extra  []entry
}

// entry is one key of extra_pnginfo with its JSON text.
type entry struct {
	key  string
	json string
	raw  any
}

// save runs an output node: it writes its files and says what history will.
func (x *execution) save(ctx context.Context, id string, c *class, in map[string]any) (*object, error) {
	s, ok := savers[c.name]
	if !ok {
		return x.otherOutput(ctx, id, c, in)
	}
	m := x.subject(c, in)
	base, err := x.scene(id, m)
	if err != nil {
		return nil, err
	}
	path, err := savePathOf(x.replica.outputFolder(), text(in[s.prefix]), m.width, m.height, time.Now())
	if err != nil {
		return nil, err
	}
	files, err := x.encodeAll(base, s, path)
	if err != nil {
		return nil, err
	}
	if err := x.writeAll(ctx, id, files); err != nil {
		return nil, err
	}
	x.plant(ctx, id, path, s, base)
	return report(s, path, files, m), nil
}

// subject is what a save node saves.
func (x *execution) subject(c *class, in map[string]any) material {
	m := blend(c, in)
	m.count = max(m.count, 1)
	if m.width <= 0 || m.height <= 0 {
		m.width, m.height = 512, 512
	}
	return m
}

// scene reads extra_pnginfo as Python's loop over its keys does.
func (x *execution) scene(id string, m material) (scene, error) {
	s := scene{material: m, prompt: x.task.prompt}
	s.mark = xxhash.Sum64String(x.task.id + "\x00" + id)
	switch info := x.task.extra.values["extra_pnginfo"].(type) {
	case nil:
	case *object:
		for _, k := range info.keys {
			s.extra = append(s.extra, entry{k, dumps(info.values[k]), info.values[k]})
		}
	case []any:
		if len(info) > 0 {
			return s, &raised{"TypeError", "list indices must be integers or slices, not str"}
		}
	case string:
		if info != "" {
			return s, &raised{"TypeError", "string indices must be integers, not 'str'"}
		}
	default:
		return s, &raised{"TypeError", "'" + typeName(info) + "' object is not iterable"}
	}
	return s, nil
}

func (x *execution) encodeAll(base scene, s saver, path savePath) ([]file, error) {
	count := 1
	if s.batch {
		count = base.count
	}
	files := make([]file, count)
	for i := range files {
		one := base
		one.index, one.mark = i, base.mark+uint64(i)
		body, err := s.encode(one)
		if err != nil {
			return nil, err
		}
		files[i] = file{path: filepath.Join(path.folder, path.file(i, i, s.ext)), body: body, loaded: base.loaded}
	}
	return files, nil
}

// writeAll writes a node's files in order, or last to first.
func (x *execution) writeAll(ctx context.Context, id string, files []file) error {
	for i := range files {
		out := files[i]
		if x.task.plan.has(wrongOrder) {
			out = files[len(files)-1-i]
		}
		out.node, out.last = id, i == len(files)-1
		if err := x.write(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// report is a node's "ui": the files, and [true] for what moves.
func report(s saver, path savePath, files []file, m material) *object {
	if s.key == "" {
		return nil
	}
	list := make([]any, len(files))
	for i, f := range files {
		list[i] = dict("filename", filepath.Base(f.path), "subfolder", path.subfolder, "type", "output")
	}
	ui := dict(s.key, list)
	if s.animated && (m.count > 1 || s.ext == ".mp4" || s.ext == ".webm") {
		ui.set("animated", []any{true})
	}
	return ui
}

// otherOutput is an output node that leaves nothing on the share, or writes
// into a folder of its own making.
func (x *execution) otherOutput(ctx context.Context, id string, c *class, in map[string]any) (*object, error) {
	switch c.name {
	case "SaveImageDataSetToFolder", "SaveImageTextDataSetToFolder":
		return nil, x.saveDataset(ctx, id, c, in)
	case "PreviewAny":
		return dict("text", []any{fmt.Sprint("simulated ", c.name)}), nil
	case "PreviewAudio":
		return dict("audio", x.preview(id, c, in, ".flac", encodeFLAC)), nil
	case "PreviewImage":
		return dict("images", x.preview(id, c, in, ".png", encodePNG)), nil
	case "MaskPreview":
		return dict("images", x.preview(id, c, in, ".png", encodePNG), "animated", []any{false}), nil
	}
	return nil, nil
}

// preview keeps an output in the replica's own temporary folder, which is
// never on the share.
func (x *execution) preview(id string, c *class, in map[string]any, ext string, encode func(scene) ([]byte, error)) []any {
	base, err := x.scene(id, x.subject(c, in))
	if err != nil {
		return []any{}
	}
	r := x.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	name := "ComfyUI_temp_" + r.temp + "_" + fmt.Sprintf("%05d", len(r.previews)+1) + "_" + ext
	body, err := encode(base)
	if err == nil {
		r.previews[name] = body
	}
	return []any{dict("filename", name, "subfolder", "", "type", "temp")}
}

// saveDataset counts from zero, overwrites, and reports nothing.
func (x *execution) saveDataset(ctx context.Context, id string, c *class, in map[string]any) error {
	base, err := x.scene(id, x.subject(c, in))
	if err != nil {
		return err
	}
	folder := text(in["folder_name"]) + "/" + text(in["filename_prefix"])
	path, err := savePathOf(x.replica.outputFolder(), folder, 0, 0, time.Now())
	if err != nil {
		return err
	}
	var files []file
	for i := range base.count {
		one := base
		one.index, one.mark, one.prompt, one.extra = i, base.mark+uint64(i), nil, nil
		body, err := encodePNG(one)
		if err != nil {
			return err
		}
		files = append(files, file{path: filepath.Join(path.folder, path.name+"_"+fmt.Sprintf("%05d", i)+".png"), body: body, loaded: base.loaded})
	}
	return x.writeAll(ctx, id, files)
}

// markText is a scene's mark as a tag.
func (s scene) markText() string { return strconv.FormatUint(s.mark, 16) }

// pairs are the metadata in the order files carry them: the prompt first,
// then every key of extra_pnginfo. None without a prompt.
func (s scene) pairs() []entry {
	if s.prompt == nil {
		return nil
	}
	return append([]entry{{"prompt", dumps(s.prompt), s.prompt}}, s.extra...)
}
