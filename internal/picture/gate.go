package picture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/comfyume/qmtui/internal/job"
)

// Bounds in bytes. What a picture needs is its file, what its header says that
// the decoder holds, the result, and the helper process itself.
const (
	MaxFile      = 96 << 20  // of a picture's file
	maxPicture   = 256 << 20 // that one picture may need
	largePicture = 64 << 20  // from here on, pictures share largeMemory
	largeMemory  = 256 << 20
	allMemory    = 384 << 20 // that all helpers have together
	helperMemory = 24 << 20  // of a helper without a picture
	maxResult    = 100 << 20 // of a masked picture: the largest upload
)

// What a helper may take.
const (
	cpuLimit  = 15 * time.Second
	wallLimit = 45 * time.Second
)

// perCaller is how many pictures of one caller are decoded at once.
const perCaller = 2

// HelperCommand is the hidden command that makes the program a helper, and
// helperMark is in the environment of one.
const (
	HelperCommand = "preview-helper"
	helperMark    = "QMTUI_PREVIEW_HELPER"
)

// Options of a Gate. The zero value is useful.
type Options struct {
	Refused func(code string) // hears of each picture that is refused; nil: nobody counts
	Logger  *slog.Logger      // nil discards
}

// Gate decodes pictures within limits. Make it with New; its methods may be
// called from any goroutine.
type Gate struct {
	opts       Options
	all, large *semaphore.Weighted

	mu      sync.Mutex
	callers map[string]*places
}

// places are the pictures of one caller.
type places struct {
	taken chan struct{}
	users int // who hold or want one
}

// New makes a gate. It starts nothing.
func New(o Options) *Gate {
	if o.Refused == nil {
		o.Refused = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Gate{opts: o, all: semaphore.NewWeighted(allMemory), large: semaphore.NewWeighted(largeMemory), callers: map[string]*places{}}
}

// Enter waits until the caller decodes fewer pictures than one may at once, or
// ctx ends. Call it before a file is opened or a body is read, and leave once.
func (g *Gate) Enter(ctx context.Context, caller string) (leave func(), err error) {
	g.mu.Lock()
	p := g.callers[caller]
	if p == nil {
		p = &places{taken: make(chan struct{}, perCaller)}
		g.callers[caller] = p
	}
	p.users++
	g.mu.Unlock()
	forget := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if p.users--; p.users == 0 {
			delete(g.callers, caller)
		}
	}
	select {
	case p.taken <- struct{}{}:
		return func() { <-p.taken; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}

// Preview returns a PNG of at most width pixels across, never larger than the
// picture, of which only the first frame counts. An error wraps ErrUnreadable,
// is a *job.Error without a hint, or is that of f or ctx.
func (g *Gate) Preview(ctx context.Context, f io.ReaderAt, size int64, width int) ([]byte, error) {
	out, err := g.preview(ctx, f, size, width)
	return out, g.counted(err)
}

func (g *Gate) preview(ctx context.Context, f io.ReaderAt, size int64, width int) ([]byte, error) {
	if size > MaxFile {
		return nil, tooLarge(fmt.Sprintf("the picture's file has %d MB, and %d MB is the limit", size>>20, MaxFile>>20))
	}
	h, err := ReadHeader(f, size)
	if err != nil {
		return nil, err
	}
	j := task{Preview: width, Sizes: []int64{size}, Memory: helperMemory + size + h.Memory + h.previewMemory(width)}
	if err := j.check(h); err != nil {
		return nil, err
	}
	return g.run(ctx, j, previewResult, io.NewSectionReader(f, 0, size))
}

// Mask returns the original, as a PNG with its texts, with the transparency of
// the mask, which must be of its size. Errors are those of Preview; one about the
// mask is a MaskError.
func (g *Gate) Mask(ctx context.Context, original, mask []byte) ([]byte, error) {
	out, err := g.mask(ctx, original, mask)
	return out, g.counted(err)
}

// MaskError is what is wrong with the mask and not with the picture.
type MaskError struct{ Err error }

func (e MaskError) Error() string { return e.Err.Error() }

// Unwrap makes errors.Is and errors.As see the error.
func (e MaskError) Unwrap() error { return e.Err }

// ErrOtherSize says that a mask is not of the size of its picture.
var ErrOtherSize = errors.New("it is not of the size of the picture that it masks")

func (g *Gate) mask(ctx context.Context, original, mask []byte) ([]byte, error) {
	from, err := ReadHeader(bytes.NewReader(original), int64(len(original)))
	if err != nil {
		return nil, err
	}
	alpha, err := ReadHeader(bytes.NewReader(mask), int64(len(mask)))
	if err != nil {
		return nil, MaskError{err}
	}
	j := task{Sizes: []int64{int64(len(original)), int64(len(mask))}}
	j.Memory = helperMemory + int64(len(original)+len(mask)) + min(4*from.pixels(), maxResult) +
		max(alpha.Memory, alpha.pixels()+from.Memory+from.maskedMemory())
	if err := j.check(alpha, from); err != nil {
		return nil, err
	}
	return g.run(ctx, j, maxResult, bytes.NewReader(original), bytes.NewReader(mask))
}

// counted tells the metrics of a picture that was refused.
func (g *Gate) counted(err error) error {
	e := (*job.Error)(nil)
	switch {
	case errors.Is(err, ErrUnreadable):
		g.opts.Refused("unreadable")
	case errors.As(err, &e):
		g.opts.Refused(e.Code)
	}
	return err
}

// task is what a helper is asked for, one line of JSON before the files.
type task struct {
	Preview int     `json:"preview,omitempty"` // the width; zero for a mask
	Sizes   []int64 `json:"sizes"`             // of the files that follow
	Memory  int64   `json:"memory"`            // that the helper may take, in bytes
}

// check refuses what needs too much; the last header decides the error.
func (j task) check(of ...Header) error {
	if j.Memory <= maxPicture {
		return nil
	}
	h := of[len(of)-1]
	for _, other := range of {
		if other.Memory > h.Memory {
			h = other
		}
	}
	return tooLarge(fmt.Sprintf("decoding %d x %d pixels of %d bytes takes %d MB of memory, and %d MB is the limit", h.Width, h.Height, h.Pixel, j.Memory>>20, maxPicture>>20))
}

// run takes the memory from the budget and lets a helper do the task.
func (g *Gate) run(ctx context.Context, j task, most int64, files ...io.Reader) ([]byte, error) {
	if j.Memory > largePicture {
		if err := g.large.Acquire(ctx, min(j.Memory, largeMemory)); err != nil {
			return nil, err
		}
		defer g.large.Release(min(j.Memory, largeMemory))
	}
	if err := g.all.Acquire(ctx, j.Memory); err != nil {
		return nil, err
	}
	defer g.all.Release(j.Memory)
	line, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	limited, stop := context.WithTimeout(ctx, wallLimit)
	defer stop()
	path, err := self()
	if err != nil {
		return nil, helperFailed(err)
	}
	if os.Getenv(helperMark) != "" {
		return nil, helperFailed(errors.New("a helper starts no other"))
	}
	cmd := exec.CommandContext(limited, path, HelperCommand)
	cmd.Args[0] = "qmtui"
	cmd.Env = []string{helperMark + "=1", "GOMAXPROCS=1"} // nothing of ours: no keys, no passwords
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, helperFailed(err)
	}
	out, said := &pieces{most: most}, &pieces{most: 4 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Start(); err != nil {
		return nil, helperFailed(err)
	}
	go func() { // on its own: a share that does not answer must not hold the request
		_, _ = io.Copy(in, io.MultiReader(append([]io.Reader{bytes.NewReader(append(line, '\n'))}, files...)...))
		_ = in.Close()
	}()
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil || cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime() >= cpuLimit-time.Second/2:
		return nil, tooCostly(fmt.Sprintf("the picture takes more than %s of a processor, or %s, to be decoded", cpuLimit, wallLimit))
	case out.full:
		return nil, tooLarge(fmt.Sprintf("the resulting picture has more than %d MB", most>>20))
	case err != nil: // out of memory: a decoder's mistake ends in an answer
		g.opts.Logger.Warn("preview helper failed", "error", err, "memory", j.Memory, "stderr", string(said.join()))
		return nil, tooLarge(fmt.Sprintf("the picture takes more memory to be decoded than the %d MB that its header stands for", j.Memory>>20))
	}
	return readAnswer(out.join())
}

func helperFailed(err error) error {
	return &job.Error{Code: "preview_helper_failed", Class: job.Unavailable, Transient: true,
		Message: "the process that decodes pictures could not be started: " + err.Error(),
		Hint:    "try again; an admin checks TasksMax and the memory limit of the service"}
}

// self is the program that runs, also when its file was replaced meanwhile.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// pieces collects at most so many bytes without copying what it has.
type pieces struct {
	most int64
	full bool
	n    int64
	held [][]byte
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.n+int64(len(b)) > p.most {
		p.full = true
		return 0, errors.New("too much")
	}
	p.n += int64(len(b))
	for rest := b; len(rest) > 0; {
		if n := len(p.held); n == 0 || len(p.held[n-1]) == cap(p.held[n-1]) {
			p.held = append(p.held, make([]byte, 0, min(1<<20, max(4<<10, p.n))))
		}
		last := &p.held[len(p.held)-1]
		n := min(len(rest), cap(*last)-len(*last))
		*last, rest = append(*last, rest[:n]...), rest[n:]
	}
	return len(b), nil
}

func (p *pieces) join() []byte { return bytes.Join(p.held, nil) }
