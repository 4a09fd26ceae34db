package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/comfyume/qmtui/internal/comfy"
)

// pieces and pause shape a write: a file comes in so many chunks with a pause
// (before Speed) between them, straight into its final name.
const (
	pieces = 6
	pause  = 2 * time.Millisecond
)

// visibility is how late a file can become visible.
const visibility = 1500 * time.Millisecond

// file is one output on its way to the share.
type file struct {
	path string // absolute
	body []byte
	node string
	last bool // of its node
	cut  bool // it stays incomplete, and what the plan says happens
	// sidecar: history does not report it. again: it was there before.
	sidecar, again bool
	// planted: history does not know it
	planted bool
	loaded  string // what it was made from, as in material
	seed    uint64 // with which, as in material
}

// write puts a file on the share the way ComfyUI does, and lets the plan's
// faults strike.
func (x *execution) write(ctx context.Context, out file) error {
	if err := pythonName(out.path); err != nil {
		return err
	}
	f := x.replica.dep.fleet
	entry := x.entry(out)
	half := out.cut && !entry.Marker
	if x.task.plan.has(slowVisibility) && !half && !out.again {
		return x.writeLate(ctx, out, entry)
	}
	body := out.body
	switch {
	case half && comfy.OneWrite(out.path, entry.Size):
		body = nil // all of it or nothing
	case half:
		body = body[:len(body)*2/3]
	}
	seq, err := f.put(ctx, entry, out.path, body)
	if err != nil {
		return err
	}
	switch {
	case half && x.task.plan.has(diskFull):
		return &raised{"OSError", "[Errno 28] No space left on device"}
	case half:
		x.replica.die()
		return errDied
	}
	f.manifest.finish(seq)
	return nil
}

func (x *execution) entry(out file) Written {
	root := x.replica.outputFolder()
	rel, err := filepath.Rel(root, out.path)
	if err != nil {
		rel = out.path
	}
	rel = filepath.ToSlash(rel)
	return Written{Deployment: x.replica.dep.spec.Name, Replica: x.replica.name, PromptID: x.task.id, Node: out.node,
		Path: rel, Size: int64(len(out.body)), Checksum: checksum(out.body), Planted: out.planted, Loaded: out.loaded, Seed: cmp.Or(out.seed, x.seed()), Again: out.again,
		Marker: strings.Contains("/"+rel, "/"+comfy.StartedFolder), ContainerDisk: x.replica.outputFolder() != x.replica.dep.fleet.cfg.Outputs}
}

// seed is that of the prompt's sampler, for a file that no sampler made: it tells
// whose the prompt was, also when nothing else of it was written. Zero for none.
func (x *execution) seed() uint64 {
	var m material
	for _, id := range x.task.prompt.keys {
		node, _ := x.task.prompt.get(id)
		if n, ok := node.(*object); ok {
			if inputs, ok := n.values["inputs"].(*object); ok {
				m.widgets(inputs.values)
			}
		}
	}
	return m.seed
}

func checksum(body []byte) string { return fmt.Sprintf("xxh64:%016x", xxhash.Sum64(body)) }

// writeLate is a share whose listing lags: the worker goes on, the file is
// seen up to visibility later. The share keeps it even if the worker dies.
func (x *execution) writeLate(ctx context.Context, out file, entry Written) error {
	f := x.replica.dep.fleet
	f.lateBy(+1)
	delay := time.Duration((0.3 + 0.7*roll(f.cfg.Seed, "visibility", out.path, 0)) * float64(visibility))
	started := f.start(ctx, func(ctx context.Context) {
		defer f.lateBy(-1)
		f.sleep(ctx, delay)
		if seq, err := f.put(context.WithoutCancel(ctx), entry, out.path, out.body); err == nil {
			f.manifest.finish(seq)
		}
	})
	if !started {
		f.lateBy(-1)
		return errDied
	}
	return nil
}

func (f *Fleet) lateBy(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late += n
}

// put writes body in pieces, or at once where ComfyUI does: O_CREAT|O_TRUNC on the final name, no temporary,
// no rename, no sync. When ctx ends it stops where it is. Once the file is
// open it has the entry's number in the manifest.
func (f *Fleet) put(ctx context.Context, entry Written, path string, body []byte) (seq int, err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, osError(err)
	}
	defer out.Close()
	seq = f.manifest.begin(entry)
	size := max(len(body)/pieces, 512)
	if comfy.OneWrite(path, entry.Size) {
		size = len(body)
	}
	for len(body) > 0 {
		n := min(size, len(body))
		if _, err := out.Write(body[:n]); err != nil {
			return seq, osError(err)
		}
		if body = body[n:]; len(body) > 0 && !f.sleep(ctx, pause) {
			return seq, errDied
		}
	}
	return seq, nil
}

// pythonName refuses what Python refuses before it asks the system.
func pythonName(path string) error {
	if strings.Contains(path, "\x00") {
		return &raised{"ValueError", "embedded null byte"}
	}
	if !utf8.ValidString(path) {
		return &raised{"UnicodeEncodeError", "'utf-8' codec can't encode a character: surrogates not allowed"}
	}
	return nil
}

var pythonErrors = map[syscall.Errno]string{
	syscall.ENOTDIR: "NotADirectoryError", syscall.EACCES: "PermissionError", syscall.EISDIR: "IsADirectoryError",
	syscall.EEXIST: "FileExistsError", syscall.ENOENT: "FileNotFoundError",
}

// osError says a system's error as Python does: OSError: [Errno 28] No space
// left on device: 'path'.
func osError(err error) error {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return &raised{"OSError", err.Error()}
	}
	kind := pythonErrors[number]
	if kind == "" {
		kind = "OSError"
	}
	words := number.Error()
	message := fmt.Sprintf("[Errno %d] %s%s", int(number), strings.ToUpper(words[:1]), words[1:])
	var where *fs.PathError
	if errors.As(err, &where) {
		message += ": " + quoted(where.Path)
	}
	return &raised{kind, message}
}
