package simulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// exampleFile is what every replica has in its input folder.
const exampleFile = "example.png"

// pictures are the classes that read a picture from the input folder, with the
// input that names it.
var pictures = map[string]string{"LoadImage": "image", "LoadImageMask": "image", "Painter": "mask"}

// picture is the name of the picture that a node reads; empty for none.
func (c *class) picture(in map[string]any) string {
	name, _ := in[pictures[c.name]].(string)
	return name
}

// loads reports a node that reads a picture.
func (c *class) loads(in map[string]any) bool { return c.picture(in) != "" }

// inputPath is where a replica finds what a node names; false when it is
// nowhere that it knows. As in ComfyUI a name may lead out of the folder
// (0.8.0, folder_paths.get_annotated_filepath): keeping it in is the sender's.
func (f *Fleet) inputPath(name string) (string, bool) {
	folder := f.cfg.Inputs
	switch {
	case strings.HasSuffix(name, "[output]"):
		folder, name = f.cfg.Outputs, name[:max(0, len(name)-len(" [output]"))]
	case strings.HasSuffix(name, "[input]"):
		name = name[:max(0, len(name)-len(" [input]"))]
	}
	if folder == "" || name == "" {
		return "", false
	}
	return filepath.Join(folder, name), true
}

// hasInput says whether a node that loads a picture finds one of this name.
func (f *Fleet) hasInput(name string) bool {
	if strings.TrimSuffix(name, " [input]") == exampleFile {
		return true
	}
	p, ok := f.inputPath(name)
	if !ok {
		return false
	}
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// changed is IS_CHANGED of LoadImage: the file's content.
func (f *Fleet) changed(c *class, inputs *object) string {
	if !c.loads(inputs.values) {
		return ""
	}
	body, err := f.readInput(c.picture(inputs.values))
	if err != nil {
		return ""
	}
	return checksum(body)
}

// readInput reads what a node names as the node does.
func (f *Fleet) readInput(name string) ([]byte, error) {
	p, ok := f.inputPath(name)
	if ok {
		body, err := os.ReadFile(p)
		if err == nil || strings.TrimSuffix(name, " [input]") != exampleFile {
			return body, err
		}
	}
	return []byte(exampleFile), nil
}

// load makes the material of a picture that a node reads: what is rendered
// from it looks like it, and remembers which bytes it was.
func (f *Fleet) load(c *class, in map[string]any) (material, error) {
	name := c.picture(in)
	body, err := f.readInput(name)
	if errors.Is(err, os.ErrNotExist) {
		p, _ := f.inputPath(name)
		return material{}, &raised{"FileNotFoundError", fmt.Sprintf("[Errno 2] No such file or directory: '%s'", p)}
	}
	if err != nil {
		return material{}, &raised{"OSError", err.Error()}
	}
	m := blend(c, in)
	m.seed, m.loaded = xxhash.Sum64(body), checksum(body)
	return m, nil
}

// both joins two lists of checksums, each once.
func both(a, b string) string {
	all := append(strings.Fields(a), strings.Fields(b)...)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}
