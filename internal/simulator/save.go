package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
)

// saver is a node class that writes to the output folder. It need not be an
// output node.
type saver struct {
	naming naming
	prefix string // the input that holds the prefix, or the whole name
	folder string // the input that holds the folder; empty: none
	ext    string
	chosen bool   // the node's format, or that of the File3D, decides the extension when it is known
	key    string // where history reports the files; empty: nowhere
	// animated and batch: the files move; one file for each image of the batch.
	animated, batch bool
	// paths: history has the absolute paths as well, under "files".
	paths bool
	// bare files carry no metadata.
	bare bool
	// plain: since 0.33 no underscore stands between the number and the dot.
	plain bool
	// sidecars are written beside each file, with its stem; history is silent
	// about them.
	sidecars []string
	// rewritten: each file is written again, rewriteAfter later, with more in it.
	rewritten bool
	// drips is the input with the seconds that pass before each file; empty: none.
	drips string
	// encode makes one file's bytes; nil: the encoder of the extension.
	encode func(s scene) ([]byte, error)
}

// naming is how a save node finds its files' names.
type naming int

const (
	counted naming = iota // ComfyUI's own: folder/name_00001_.png
	flat                  // the folder is another input, and the number has four digits
	named                 // the user's whole name: overwritten the next time
	unique                // preview3d_<uuid> at the root, for a File3D
	dataset               // counts from zero in a folder of its own
	outside               // in datasets/ beside the output folder
)

var savers = map[string]saver{
	"SaveImage":               {prefix: "filename_prefix", ext: ".png", key: "images", batch: true},
	"SaveAnimatedPNG":         {prefix: "filename_prefix", ext: ".png", key: "images", animated: true, encode: encodeAPNG},
	"SaveAnimatedWEBP":        {prefix: "filename_prefix", ext: ".webp", key: "images", animated: true},
	"SaveVideo":               {prefix: "filename_prefix", ext: ".mp4", chosen: true, key: "images", animated: true},
	"SaveWEBM":                {prefix: "filename_prefix", ext: ".webm", key: "images", animated: true},
	"SaveAudio":               {prefix: "filename_prefix", ext: ".flac", key: "audio", plain: true},
	"SaveAudioMP3":            {prefix: "filename_prefix", ext: ".mp3", key: "audio", plain: true},
	"SaveAudioOpus":           {prefix: "filename_prefix", ext: ".opus", key: "audio", plain: true},
	"SaveLatent":              {prefix: "filename_prefix", ext: ".latent", key: "latents"},
	"SaveGLB":                 {prefix: "filename_prefix", ext: ".glb", chosen: true, key: "3d"},
	"SaveSVGNode":             {prefix: "filename_prefix", ext: ".svg", key: "images"},
	"CheckpointSave":          {prefix: "filename_prefix", ext: ".safetensors"},
	"ImageOnlyCheckpointSave": {prefix: "filename_prefix", ext: ".safetensors"},
	"CLIPSave":                {prefix: "filename_prefix", ext: ".safetensors"},
	"VAESave":                 {prefix: "filename_prefix", ext: ".safetensors"},
	"ModelSave":               {prefix: "filename_prefix", ext: ".safetensors"},
	"LoraSave":                {prefix: "filename_prefix", ext: ".safetensors", encode: encodeBareTensors},
	"SaveLoRA":                {prefix: "prefix", ext: ".safetensors", encode: encodeBareTensors},

	"SaveImageDataSetToFolder":     {naming: dataset, prefix: "filename_prefix", folder: "folder_name", ext: ".png", batch: true, bare: true},
	"SaveImageTextDataSetToFolder": {naming: dataset, prefix: "filename_prefix", folder: "folder_name", ext: ".png", batch: true, bare: true},

	// 0.33
	"SaveImageAdvanced":   {prefix: "filename_prefix", ext: ".png", chosen: true, key: "images", batch: true, plain: true},
	"SaveAudioAdvanced":   {prefix: "filename_prefix", ext: ".flac", chosen: true, key: "audio", plain: true},
	"SaveText":            {prefix: "filename_prefix", ext: ".txt", chosen: true, key: "files", bare: true, plain: true, encode: encodeText},
	"Save3DAdvanced":      {prefix: "filename_prefix", ext: ".glb", chosen: true, key: "result", bare: true, plain: true},
	"SavePointCloud":      {prefix: "filename_prefix", ext: ".ply", chosen: true, key: "result", bare: true, plain: true},
	"SaveGaussianSplat":   {prefix: "filename_prefix", ext: ".splat", chosen: true, key: "result", bare: true, plain: true},
	"Preview3D":           {naming: unique, ext: ".glb", chosen: true, key: "result", bare: true},
	"SaveTrainingDataset": {naming: outside, folder: "folder_name", ext: ".pkl", bare: true, encode: encodeBareTensors},

	// custom nodes
	"Image Save":        {naming: flat, prefix: "filename_prefix", folder: "output_path", ext: ".png", key: "images", batch: true, paths: true},
	"Image Saver":       {naming: named, prefix: "filename", folder: "path", ext: ".png", key: "images", batch: true},
	"SaveImageKJ":       {prefix: "filename_prefix", folder: "output_folder", ext: ".png", batch: true},
	"StudioFlatSave":    {naming: flat, prefix: "filename_prefix", folder: "output_path", ext: ".png", key: "images", batch: true},
	"StudioNamedSave":   {naming: named, prefix: "filename", folder: "path", ext: ".png", key: "images", batch: true, bare: true},
	"StudioSilentSave":  {naming: named, prefix: "filename", folder: "path", ext: ".png", batch: true, bare: true},
	"StudioPrefixSave":  {prefix: "save_prefix", ext: ".jpg", key: "images", batch: true, bare: true},
	"StudioFolderSave":  {prefix: "filename_prefix", folder: "output_folder", ext: ".png", key: "images", batch: true, sidecars: []string{".txt"}},
	"StudioSidecarSave": {prefix: "filename_prefix", ext: ".png", key: "images", batch: true, sidecars: []string{".txt", ".json"}},
	"StudioVideoSave":   {prefix: "filename_prefix", ext: ".mp4", key: "gifs", sidecars: []string{".png", "-audio.mp4"}},
	"StudioPassThrough": {prefix: "filename_prefix", ext: ".png", batch: true},
	"StudioWatermark":   {prefix: "filename_prefix", ext: ".png", key: "images", batch: true, rewritten: true},
	"StudioDripSave":    {prefix: "filename_prefix", ext: ".png", key: "images", batch: true, drips: "seconds"},
}

var encoders = map[string]func(s scene) ([]byte, error){
	".png": encodePNG, ".jpg": encodeJPEG, ".webp": encodeWEBP, ".exr": encodeEXR, ".svg": encodeSVG,
	".mp4": encodeMP4, ".webm": encodeWEBM, ".mkv": encodeWEBM, ".flac": encodeFLAC, ".mp3": encodeMP3, ".opus": encodeOpus,
	".txt": encodeCaption, ".csv": encodeCaption, ".md": encodeCaption, ".json": encodeJSON, ".latent": encodeLatent, ".safetensors": encodeLatent,
	".glb": encodeGLB, ".ply": encodePLY, ".splat": encodeSplat, ".spz": encodeSPZ, ".stl": encodeSTL, ".usdz": encodeUSDZ, ".obj": encodeOBJ,
}

// encodeText is the text that was asked for.
func encodeText(s scene) ([]byte, error) { return []byte(s.text), nil }

// encodeCaption and encodeJSON are sidecars: the text, and a number of their own.
func encodeCaption(s scene) ([]byte, error) { return []byte(s.text + "\n" + s.markText()), nil }

func encodeJSON(s scene) ([]byte, error) {
	return []byte(dumps(dict("text", s.text, "mark", s.markText()))), nil
}

// encodeJPEG is a picture without metadata.
func encodeJPEG(s scene) ([]byte, error) {
	img := s.frame(s.index, maxSide)
	sign(img, s.mark)
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, nil)
	return append(b.Bytes()[:b.Len()-2], "\xff\xfe\x00\x12"+fmt.Sprintf("%016x", s.mark)+"\xff\xd9"...), err
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

// save runs an output node, or another that saves: it writes its files and
// says what history will.
func (x *execution) save(ctx context.Context, id string, c *class, in map[string]any) (*object, error) {
	s, ok := savers[c.name]
	if !ok {
		return x.show(id, c, in), nil
	}
	m := x.subject(c, in)
	if s.naming == unique && m.format == "" { // a path, and not a File3D: it is only shown
		return x.show(id, c, in), nil
	}
	base, err := x.scene(id, m)
	if err != nil {
		return nil, err
	}
	if s.bare {
		base.prompt, base.extra = nil, nil
	}
	if _, known := encoders["."+m.format]; s.chosen && known {
		s.ext = "." + m.format
	}
	s.plain = s.plain && x.replica.modern()
	path, err := x.target(s, in, base)
	if err != nil {
		return nil, err
	}
	files, err := s.encodeAll(base, path)
	if err != nil {
		return nil, err
	}
	if s.naming == outside {
		x.keep(id, files)
		return nil, nil
	}
	var logged *raised
	if err := x.writeAll(ctx, id, files, in[s.drips]); s.naming == flat && errors.As(err, &logged) {
		files = nil // such nodes print the error and go on
	} else if err != nil {
		return nil, err
	}
	if s.rewritten {
		if err := x.rewrite(ctx, id, files); err != nil {
			return nil, err
		}
	}
	if s.naming == counted && s.folder == "" {
		x.plant(ctx, id, path, s, base)
	}
	return report(s, path, files, base), nil
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

// target is where a save node writes. A folder of the user's must stand in the
// output folder, although custom nodes write anywhere: the simulator runs on
// somebody's machine.
func (x *execution) target(s saver, in map[string]any, base scene) (savePath, error) {
	root, modern := x.replica.outputFolder(), x.replica.modern()
	prefix, folder := text(in[s.prefix]), ""
	if s.folder != "" {
		folder = text(in[s.folder])
	}
	switch s.naming {
	case unique:
		name := "preview3d_" + base.hexID()
		return savePath{folder: root, stem: func(int) string { return name }}, nil
	case outside:
		return savePath{folder: "datasets/" + folder, stem: func(i int) string { return fmt.Sprintf("shard_%04d", i) }}, nil
	case dataset:
		p, err := savePathOf(root, folder+"/"+prefix, 0, 0, time.Now(), modern)
		p.stem = func(i int) string { return fmt.Sprintf("%s_%05d", p.name, i) }
		if in["mode"] == "increment" {
			p.stem = func(i int) string { return p.number(i) + fmt.Sprintf("_%05d", i) }
		}
		return p, err
	case flat, named:
		return plainPath(root, folder, prefix, s.naming, base.count)
	}
	if filepath.IsAbs(folder) && within(root, filepath.Clean(folder)) {
		p, err := savePathOf(folder, prefix, base.width, base.height, time.Now(), modern)
		p.folder = folder
		return p, err
	}
	p, err := savePathOf(root, prefix, base.width, base.height, time.Now(), modern)
	if s.plain {
		p.stem = p.number
	}
	return p, err
}

// plainPath is for nodes that make the folder and take the name as it is: in a
// name with a folder of its own nothing can be written. A flat name gets the
// next number, a named one only its place among count.
func plainPath(root, folder, name string, naming naming, count int) (savePath, error) {
	p := savePath{folder: filepath.Join(root, strings.TrimPrefix(folder, root)), name: name}
	if !within(root, filepath.Join(p.folder, name)) {
		return p, &raised{"PermissionError", "the simulator writes nothing outside the output folder"}
	}
	p.subfolder = strings.TrimPrefix(strings.TrimPrefix(p.folder, root), "/")
	if err := os.MkdirAll(p.folder, 0o755); err != nil {
		return p, osError(err)
	}
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return p, osError(err)
	}
	last := 0
	for _, e := range entries {
		number := strings.TrimPrefix(e.Name(), name+"_")
		n, _ := strconv.Atoi(strings.TrimSuffix(number, filepath.Ext(number))) // another name: zero
		last = max(last, n)
	}
	p.stem = func(i int) string {
		switch {
		case naming == flat:
			return fmt.Sprintf("%s_%04d", name, last+1+i)
		case count > 1:
			return fmt.Sprintf("%s_%02d", name, i+1)
		}
		return name
	}
	return p, nil
}

// encodeAll makes the files of a node, each with its sidecars behind it.
func (s saver) encodeAll(base scene, path savePath) ([]file, error) {
	count := 1
	if s.batch {
		count = base.count
	}
	var files []file
	for i := range count {
		one := base
		one.index, one.mark = i, base.mark+uint64(i)
		stem := filepath.Join(path.folder, path.stem(i))
		for n, end := range append([]string{s.ext}, s.sidecars...) {
			encode := encoders[filepath.Ext(end)]
			if n == 0 {
				encode = s.encoder()
			}
			body, err := encode(one)
			if err != nil {
				return nil, err
			}
			files = append(files, file{path: stem + end, body: body, loaded: base.loaded, seed: base.seed, sidecar: n > 0})
			one.mark += 1 << 40
		}
	}
	return files, nil
}

func (s saver) encoder() func(scene) ([]byte, error) {
	if s.encode != nil {
		return s.encode
	}
	return encoders[s.ext]
}

// writeAll writes a node's files in order, or last to first; pause is how many
// seconds pass before each.
func (x *execution) writeAll(ctx context.Context, id string, files []file, pause any) error {
	seconds, _ := pause.(float64)
	for i := range files {
		out := files[i]
		if x.task.plan.has(wrongOrder) {
			out = files[len(files)-1-i]
		}
		out.node, out.last = id, i == len(files)-1
		out.cut = out.last && x.task.plan.has(halfFile|diskFull) || i == len(files)-2 && x.task.plan.has(partialBatch)
		if !x.replica.dep.fleet.sleep(ctx, time.Duration(seconds*float64(time.Second))) {
			return errDied
		}
		if err := x.write(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// rewriteAfter is when a rewritten file is complete for the first time.
const rewriteAfter = 1500 * time.Millisecond

// rewrite writes whole pictures again, with a text added, as nodes do that add
// metadata or a watermark.
func (x *execution) rewrite(ctx context.Context, id string, files []file) error {
	if !x.replica.dep.fleet.sleep(ctx, rewriteAfter) {
		return errDied
	}
	for _, out := range files {
		end := len(out.body) - len("\x00\x00\x00\x00IEND....")
		late := chunk{"tEXt", []byte("late\x00added afterwards")}
		out.body = append(late.appendTo(bytes.Clone(out.body[:end])), out.body[end:]...)
		out.node, out.again = id, true
		if err := x.write(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// keep records files that are written to the replica's own disk.
func (x *execution) keep(id string, files []file) {
	m := x.replica.dep.fleet.manifest
	for _, out := range files {
		out.node = id
		entry := x.entry(out)
		entry.Path, entry.ContainerDisk = out.path, true
		m.finish(m.begin(entry))
	}
}

// report is a node's "ui": the files, and [true] for what moves. 3D nodes name
// a file in one string, with the camera and the model's information behind it.
func report(s saver, path savePath, files []file, base scene) *object {
	list, paths := []any{}, []any{}
	for _, f := range files {
		paths = append(paths, f.path)
		name := filepath.Base(f.path)
		switch {
		case f.sidecar:
		case s.key == "result":
			list = append(list, filepath.Join(path.subfolder, name), nil, afterCamera(s.naming != unique))
		default:
			list = append(list, dict("filename", name, "subfolder", path.subfolder, "type", "output"))
		}
	}
	switch {
	case s.key == "":
		return nil
	case s.key == "files":
		return dict("text", []any{base.text}, "files", list)
	}
	ui := dict(s.key, list)
	if s.paths {
		ui.set("files", paths)
	}
	if s.animated && (base.count > 1 || s.ext == ".mp4" || s.ext == ".webm") {
		ui.set("animated", []any{true})
	}
	return ui
}

// afterCamera is the model's information: an empty list where a node has it.
func afterCamera(has bool) any {
	if has {
		return []any{}
	}
	return nil
}

// shown are the classes that leave nothing on the share: where history reports
// what they keep in the temporary folder, under which names. Without an
// extension it is a text, without a name it is sent over the WebSocket.
var shown = map[string]struct{ key, name, ext string }{
	"PreviewImage":         {"images", "ComfyUI_temp_", ".png"},
	"MaskPreview":          {"images", "ComfyUI_temp_", ".png"},
	"LossGraphNode":        {"images", "ComfyUI_temp_", ".png"},
	"PreviewAudio":         {"audio", "ComfyUI_temp_", ".flac"},
	"ImageCompare":         {"a_images", "comfy.compare.a_temp_", ".png"},
	"Preview3DAdvanced":    {"result", "preview3d_advanced_", ".glb"},
	"PreviewGaussianSplat": {"result", "preview_splat_", ".ply"},
	"PreviewPointCloud":    {"result", "preview_pointcloud_", ".ply"},
	"PreviewAny":           {"text", "", ""},
	"StudioShowText":       {"text", "", ""},

	"ETN_SendImageWebSocket": {"images", "", ".png"},
}

// show runs an output node that saves nothing.
func (x *execution) show(id string, c *class, in map[string]any) *object {
	s, ok := shown[c.name]
	switch {
	case c.name == "Preview3D" && x.replica.modern():
		return dict("result", []any{in["model_file"], nil, nil})
	case !ok:
		return nil
	case s.ext == "":
		return dict(s.key, []any{fmt.Sprint("simulated ", c.name)})
	}
	m := x.subject(c, in)
	base, err := x.scene(id, m)
	if err != nil {
		return nil
	}
	count := 1
	if s.ext == ".png" && c.name != "LossGraphNode" {
		count = m.count
	}
	list := []any{}
	r := x.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range count {
		if s.name == "" {
			list = append(list, dict("source", "websocket", "content-type", "image/png", "type", "output"))
			continue
		}
		base.index = i
		name := s.name + base.hexID() + s.ext
		if s.key != "result" {
			end := "_" + s.ext
			if c.name == "PreviewAudio" && r.modern() {
				end = s.ext
			}
			name = fmt.Sprintf("%s%s_%05d%s", s.name, r.temp, len(r.previews)+1, end)
		}
		if body, err := encoders[s.ext](base); err == nil {
			r.previews[name] = body
		}
		if s.key == "result" {
			list = append(list, name, nil, []any{})
		} else {
			list = append(list, dict("filename", name, "subfolder", "", "type", "temp"))
		}
	}
	ui := dict(s.key, list)
	switch c.name {
	case "MaskPreview", "LossGraphNode":
		ui.set("animated", []any{false})
	case "ImageCompare":
		ui.set("b_images", []any{})
	}
	return ui
}

// markText is a scene's mark as a tag.
func (s scene) markText() string { return strconv.FormatUint(s.mark, 16) }

// hexID is a random-looking id that belongs to the scene.
func (s scene) hexID() string {
	return strings.ReplaceAll(uuid.NewSHA1(uuid.NameSpaceOID, []byte(s.markText())).String(), "-", "")
}

// pairs are the metadata in the order files carry them: the prompt first,
// then every key of extra_pnginfo. None without a prompt.
func (s scene) pairs() []entry {
	if s.prompt == nil {
		return nil
	}
	return append([]entry{{"prompt", dumps(s.prompt), s.prompt}}, s.extra...)
}
