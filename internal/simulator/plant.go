package simulator

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/comfy"
)

// plant leaves behind what a hostile or careless neighbour of the share
// would: links, pipes, strangers' files, impossible names. It never fails the
// node; what cannot be planted is not there.
func (x *execution) plant(ctx context.Context, id string, path savePath, s saver, base scene) {
	plan := x.task.plan
	if plan.has(foreignFile) {
		x.plantForeign(ctx, base)
	}
	if plan.has(symbolicLink) {
		x.plantSymlink(path, s.ext)
	}
	if plan.has(hardLink) {
		x.plantHardLink(ctx, path, s.ext, base)
	}
	if plan.has(pipe) {
		_ = makePipe(filepath.Join(path.folder, path.name+"_00097_"+s.ext))
	}
	if plan.has(hostileName) {
		x.plantHostile(ctx, id, path, s, base)
	}
}

// plantForeign writes one file at the share's root and one in the folder of a
// prompt that nobody sent.
func (x *execution) plantForeign(ctx context.Context, base scene) {
	name := fmt.Sprintf("holiday_%s_00001_.png", base.markText())
	x.writeForeign(ctx, name, base)
	x.writeForeign(ctx, comfy.Folder(strayID(base.mark))+"/9/ComfyUI_00001_.png", base)
}

// strayID is a prompt id that no manager ever gave out.
func strayID(mark uint64) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, binary.BigEndian.AppendUint64(nil, mark)).String()
}

func (x *execution) writeForeign(ctx context.Context, rel string, base scene) string {
	f := x.replica.dep.fleet
	base.prompt, base.extra = nil, nil
	base.seed, base.mark = base.mark, base.mark^uint64(len(rel))
	full := filepath.Join(x.replica.outputFolder(), filepath.FromSlash(rel))
	body, err := encodePNG(base)
	if err != nil || os.MkdirAll(filepath.Dir(full), 0o755) != nil {
		return ""
	}
	entry := x.entry(file{path: full, body: body})
	entry.Foreign, entry.PromptID, entry.Node = true, "", ""
	seq, err := f.put(ctx, entry, full, body)
	if err != nil {
		return ""
	}
	f.manifest.finish(seq)
	return full
}

// plantSymlink points at another job's file, or at the start of the share
// when there is none yet.
func (x *execution) plantSymlink(path savePath, ext string) {
	target := filepath.Join(x.replica.outputFolder(), x.replica.dep.fleet.manifest.stranger(x.task.id))
	_ = os.Symlink(target, filepath.Join(path.folder, path.name+"_00099_"+ext))
}

// plantHardLink gives a stranger's file a second name here. It never links a
// job's own output: that would rightly be refused to its owner.
func (x *execution) plantHardLink(ctx context.Context, path savePath, ext string, base scene) {
	base.mark += 7
	if full := x.writeForeign(ctx, comfy.Folder(strayID(base.mark))+"/1/private_00001_.png", base); full != "" {
		_ = os.Link(full, filepath.Join(path.folder, path.name+"_00098_"+ext))
	}
}

// hostileNames are file names ComfyUI would write when asked to: newlines and
// escape sequences are taken literally.
var hostileNames = []string{
	"line\nbreak_00001_",
	"\x1b]0;owned\x07\x1b[31mred\x1b[0m_00001_",
	"\u202egnp.exe_00001_",
	strings.Repeat("L", 240) + "_00001_",
	"$(reboot);'\"`&|_00001_",
}

// plantHostile writes one more whole output under a name that hurts.
func (x *execution) plantHostile(ctx context.Context, id string, path savePath, s saver, base scene) {
	base.mark += 1 << 32
	body, err := s.encoder()(base)
	if err != nil {
		return
	}
	name := hostileNames[base.mark%uint64(len(hostileNames))]
	if over := len(name) + len(s.ext) - 255; over > 0 {
		name = name[over:]
	}
	_ = x.write(ctx, file{path: filepath.Join(path.folder, name+s.ext), body: body, node: id, planted: true, loaded: base.loaded, seed: base.seed})
}
