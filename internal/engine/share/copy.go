package share

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	copyBuffer = 128 << 10 // bytes; beats 1 MiB, measured with a checksum on the way
	rangeChunk = 8 << 20   // bytes that the kernel copies at once
	copyStall  = 6         // times Options.Stall: one fsync of a large file may take long
)

// Copy makes the file durable at t.Dest, never overwriting: a temporary file
// beside it, checksum on the way, the copied bytes judged again, fsync, a rename
// that replaces nothing, fsync of the folders. After a crash at any point the
// same call ends with exactly one file. When t.Replaces is set the file at
// t.Dest is replaced, if it is still the delivered one; a receipt with the
// checksum t.Replaces says that the source has the same bytes as before. The error is a *job.Error: dest_taken
// (choose again), not_whole (look again), source_vanished, hostile_source,
// disk_full, not_writable, folder_blocked, share_stalled, share_not_mounted or copy_failed;
// transient ones heal.
func (s *Share) Copy(ctx context.Context, t job.Transfer) (job.Receipt, error) {
	work := task{name: "copy " + t.Source.String(), stall: copyStall * s.opt.Stall}
	r, err := errand(ctx, s, work, func(p *pulse) (job.Receipt, error) {
		c := &copying{s: s, ctx: ctx, t: t, pulse: p}
		defer c.close()
		if t.Replaces != "" {
			return c.replace()
		}
		return c.run()
	}, nil)
	if err != nil {
		return job.Receipt{}, s.classify("copy to", filepath.Join(s.opt.Users, t.User, t.Dest), err)
	}
	return r, nil
}

// copying is one copy under way, owned by its errand's goroutine.
type copying struct {
	s     *Share
	ctx   context.Context
	t     job.Transfer
	pulse *pulse

	src    *os.File
	before unix.Stat_t // of the source, when it was opened
	to     *target
	tmp    *os.File
	swap   string // the name of the swap file, once there is one
	size   int64
	sum    uint64
}

func (c *copying) close() {
	for _, f := range []*os.File{c.src, c.tmp} {
		if f != nil {
			f.Close()
		}
	}
	if c.to != nil {
		c.to.close()
	}
}

func (c *copying) run() (job.Receipt, error) {
	if err := c.steps(copyStep{"check", c.check}, copyStep{"source", c.openSource}, copyStep{"folder", c.openTarget},
		copyStep{"stale", c.removeTemporary}, copyStep{"existing", c.existing}); err != nil {
		return job.Receipt{}, err
	}
	if c.sum != 0 || c.size != 0 { // the existing file is ours
		return c.repeated()
	}
	return c.fresh(copyStep{"publish", c.publish})
}

// fresh copies; whatever goes wrong, the temporary file does not stay.
func (c *copying) fresh(publish ...copyStep) (job.Receipt, error) {
	err := c.steps(copyStep{"reserve", c.reserve}, copyStep{"create", c.create}, copyStep{"bytes", c.bytes},
		copyStep{"judge", c.judge}, copyStep{"sync", c.sync})
	if err == nil {
		err = c.steps(publish...)
	}
	if err != nil {
		_ = c.removeTemporary()
		return c.taken(err)
	}
	err = c.step("folder sync", c.to.sync)
	if err == nil {
		err = c.step("finished", func() error { return nil })
	}
	return c.receipt(false), err
}

// taken looks once more when somebody was quicker to stand at Dest.
func (c *copying) taken(err error) (job.Receipt, error) {
	if !errors.Is(err, unix.EEXIST) {
		return job.Receipt{}, err
	}
	if err := c.existing(); err != nil {
		return job.Receipt{}, err
	}
	return c.repeated()
}

// copyStep is one step, at which a copy can end or be killed.
type copyStep struct {
	name string
	do   func() error
}

func (c *copying) steps(all ...copyStep) error {
	for _, s := range all {
		if err := c.step(s.name, s.do); err != nil {
			return err
		}
	}
	return nil
}

func (c *copying) step(name string, do func() error) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := c.s.at(name); err != nil {
		return err
	}
	c.pulse.beat()
	return do()
}

func (c *copying) receipt(repeated bool) job.Receipt {
	return job.Receipt{Dest: c.t.Dest, Size: c.size, Checksum: c.checksumText(), Modified: modified(&c.before).UTC(), Repeated: repeated}
}

func (c *copying) check() error {
	if err := checkDest(c.t.Dest); err != nil {
		return err
	}
	if err := component(string(c.t.Output)); err != nil {
		return err
	}
	return belongs(c.t)
}

func (c *copying) openSource() error {
	d, name, err := c.s.sourceFolder(string(c.t.Source))
	if err == nil {
		c.src, c.before, err = d.file(name)
		d.close()
	}
	if errors.Is(err, unix.ENOENT) {
		return c.vanished()
	}
	if err == nil && !c.t.Version.IsZero() && !modified(&c.before).Equal(c.t.Version) {
		return errWrittenAgain(c.t.Source.String())
	}
	return c.onShare(err)
}

// vanished believes that the source is gone only while the share is there.
func (c *copying) vanished() error {
	if _, err := c.s.prove(); err != nil {
		return err
	}
	if c.s.proveFor(string(c.t.Source)) {
		return errVanished(c.t.Source.String())
	}
	return errNotMounted(c.s.opt.Outputs + " is empty")
}

// onShare names the share, not the user's folder, as what is in trouble.
func (c *copying) onShare(err error) error {
	if err == nil {
		return nil
	}
	path := filepath.Join(c.s.opt.Outputs, string(c.t.Source))
	if errors.Is(err, fs.ErrPermission) {
		return errNotReadable(path)
	}
	return c.s.classify("read", path, err)
}

func (c *copying) openTarget() error {
	var err error
	c.to, err = c.s.openTarget(c.t)
	return err
}

func (c *copying) removeTemporary() error { return c.to.remove(temporaryName(c.t.Output)) }

func temporaryName(id job.OutputID) string { return ".qmtui-" + string(id) + ".part" }

func (c *copying) create() error {
	var err error
	c.tmp, err = c.to.create(temporaryName(c.t.Output))
	return err
}

// room reports ENOSPC when that many bytes more in a folder would leave less
// free than is to stay free.
func (s *Share) room(dir *os.File, size int64) error {
	if s.opt.Reserve <= 0 {
		return nil
	}
	free, err := freeSpace(int(dir.Fd()))
	if err != nil {
		return err
	}
	if free-size < s.opt.Reserve {
		return fmt.Errorf("%d bytes free, %d are to stay free: %w", free, s.opt.Reserve, unix.ENOSPC)
	}
	return nil
}

func (c *copying) reserve() error { return c.s.room(c.to.dir, c.before.Size) }

// bytes copies and counts. Within one file system the kernel copies (for
// nothing where it can share blocks), and the checksum is of what arrived.
func (c *copying) bytes() error {
	h := xxhash.New()
	n, err := c.kernelCopy()
	if err != nil {
		return err
	}
	if err := c.pump(h, io.NewSectionReader(c.tmp, 0, n)); err != nil {
		return err
	}
	if _, err = c.tmp.Seek(n, io.SeekStart); err != nil {
		return err
	}
	c.size = n
	rest := io.NewSectionReader(c.src, n, 1<<62)
	err = c.pump(io.MultiWriter(c.tmp, h, (*counter)(&c.size)), rest)
	c.sum = h.Sum64()
	return err
}

type counter int64

func (n *counter) Write(b []byte) (int, error) {
	*n += counter(len(b))
	return len(b), nil
}

// kernelCopy returns how many bytes the kernel copied; the rest is for pump.
// It refuses across file systems, and some file systems refuse it.
func (c *copying) kernelCopy() (int64, error) {
	if uint64(c.before.Dev) != c.to.dev {
		return 0, nil
	}
	var total int64
	for {
		n, err := copyRange(c.tmp, c.src, total)
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EIO) {
			return total, err
		}
		if err != nil || n == 0 {
			return total, nil
		}
		total += n
		c.pulse.beat()
		if err := c.ctx.Err(); err != nil {
			return total, err
		}
	}
}

func (c *copying) pump(w io.Writer, r io.Reader) error { return pump(c.ctx, c.pulse, w, r) }

// pump copies with a pulse for each buffer.
func pump(ctx context.Context, p *pulse, w io.Writer, r io.Reader) error {
	buf := make([]byte, copyBuffer)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			p.beat()
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// judge asks whether the source kept still and whether the bytes that arrived
// are a whole file.
func (c *copying) judge() error {
	if err := c.unchanged(); err != nil {
		return err
	}
	verdict, err := comfy.Whole(c.pulse.reader(c.tmp), c.size, path.Base(string(c.t.Source)))
	switch {
	case err != nil:
		return err
	case verdict == comfy.Partial:
		return errNotWhole(c.t.Source.String(), "is only a part of a file")
	case verdict == comfy.Unknown && !c.t.Settled:
		return errNotWhole(c.t.Source.String(), "has a format that does not tell when it is whole, and its attempt has not ended")
	}
	return nil
}

func (c *copying) unchanged() error {
	var after unix.Stat_t
	if err := fstat(c.src, &after); err != nil {
		return c.onShare(err)
	}
	if after.Nlink > 1 {
		return c.onShare(errHostile("a file with several hard links"))
	}
	size, err := readableSize(c.src, c.size)
	if err != nil {
		return c.onShare(err)
	}
	if size != c.size || after.Size > c.size || !modified(&after).Equal(modified(&c.before)) {
		return errNotWhole(c.t.Source.String(), "changed while it was copied")
	}
	return nil
}

// sync makes the bytes durable. An error is final for the handle: the next try
// copies again from the source.
func (c *copying) sync() error {
	if err := tolerate(c.tmp.Chmod(c.s.opt.FileMode.Perm())); err != nil {
		return err
	}
	if err := c.tmp.Sync(); err != nil {
		return err
	}
	err := c.tmp.Close()
	c.tmp = nil
	return err
}

func (c *copying) publish() error {
	return c.to.publish(temporaryName(c.t.Output))
}

// existing looks what stands at Dest. Nothing leaves size and sum at zero; the
// same bytes fill them in; anything else is dest_taken.
func (c *copying) existing() error {
	c.size, c.sum = 0, 0
	f, err := c.to.openFinal()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || f == nil {
		return errDestTaken(c.t.Dest)
	}
	defer f.Close()
	there, thereSize, err := c.checksum(f)
	if err != nil {
		return err
	}
	if same, err := c.sameAsSource(there, thereSize); err != nil || !same {
		return cmpError(err, errDestTaken(c.t.Dest))
	}
	c.size, c.sum = thereSize, there
	return nil
}

func cmpError(err error, otherwise *job.Error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (c *copying) sameAsSource(sum uint64, size int64) (bool, error) {
	if n, err := readableSize(c.src, c.before.Size); err != nil || n != size {
		return false, c.onShare(err)
	}
	here, _, err := c.checksum(c.src)
	return here == sum, c.onShare(err)
}

func (c *copying) checksum(f *os.File) (sum uint64, size int64, err error) {
	h := xxhash.New()
	err = c.pump(io.MultiWriter(h, (*counter)(&size)), io.NewSectionReader(f, 0, 1<<62))
	return h.Sum64(), size, err
}

// repeated makes sure that what an earlier try left is durable.
func (c *copying) repeated() (job.Receipt, error) {
	f, err := c.to.openFinal()
	if err == nil && f != nil {
		err = f.Sync()
		f.Close()
	}
	if err == nil {
		err = c.to.sync()
	}
	return c.receipt(true), err
}

// sumsAtOnce bounds how many files are read at once for their checksums.
const sumsAtOnce = 4

// Sum reads a file of the share and returns its size in bytes and its checksum,
// as Copy computes it. Only a regular file with one link that no symbolic link
// leads to is read. The error is a *job.Error, as of Copy.
func (s *Share) Sum(ctx context.Context, p job.Path) (size int64, checksum string, err error) {
	c := &copying{s: s, ctx: ctx, t: job.Transfer{Source: p}}
	work := task{name: "read a file for its checksum", limit: sumsAtOnce}
	sum, err := errand(ctx, s, work, func(p *pulse) (job.Receipt, error) {
		c.pulse = p
		defer c.close()
		if err := c.step("source", c.openSource); err != nil {
			return job.Receipt{}, err
		}
		var err error
		c.sum, c.size, err = c.checksum(c.src)
		return c.receipt(false), c.onShare(err)
	}, nil)
	if err != nil {
		return 0, "", s.classify("read", filepath.Join(s.opt.Outputs, string(p)), err)
	}
	return sum.Size, sum.Checksum, nil
}
