package share

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// replace delivers a newer version of a file in the place of the delivered one.
// The two are exchanged in one step, and what came out is looked at: when it is
// not what was delivered, byte for byte, its user has changed it, it is put back
// and the error is dest_taken. A mere touch of the source copies nothing. After a
// crash at any point a complete file stands at Dest, and the same call goes on.
//
// The names in between say whose bytes are whose: the checksum in the name of
// the swap file is that of the newer version, so that other bytes under it are
// what came out of the exchange.
func (c *copying) replace() (job.Receipt, error) {
	if err := c.steps(copyStep{"check", c.check}, copyStep{"source", c.openSource}, copyStep{"compare", c.compare}); err != nil {
		return job.Receipt{}, err
	}
	if c.checksumText() == c.t.Replaces {
		return c.receipt(true), nil
	}
	if err := c.steps(copyStep{"folder", c.openTarget}, copyStep{"recover", c.recover}, copyStep{"stale", c.removeTemporary}); err != nil {
		return job.Receipt{}, err
	}
	newer := c.checksumText()
	switch there, err := c.standing(c.to.name); {
	case errors.Is(err, fs.ErrNotExist): // its user has moved it
		return c.fresh(copyStep{"publish", c.publish})
	case err != nil:
		return job.Receipt{}, err
	case there == newer: // an earlier try came as far as that
		return c.repeated()
	case there != c.t.Replaces:
		return job.Receipt{}, errDestTaken(c.t.Dest)
	}
	r, err := c.fresh(copyStep{"swap name", c.nameSwap}, copyStep{"exchange", c.exchange}, copyStep{"came out", c.cameOut},
		copyStep{"exchange sync", c.to.sync}, copyStep{"remove", func() error { return c.to.remove(c.swap) }})
	if c.swap != "" && (err != nil || r.Repeated) {
		c.ctx = context.WithoutCancel(c.ctx)
		_ = c.recover() // what it leaves, the next try ends
	}
	return r, err
}

// compare reads the source for its checksum.
func (c *copying) compare() (err error) {
	c.sum, c.size, err = c.checksum(c.src)
	return c.onShare(err)
}

// standing is the checksum of what stands under a name in the user's folder;
// empty for what is no regular file.
func (c *copying) standing(name string) (string, error) {
	f, err := c.to.open(name)
	if err != nil || f == nil {
		return "", err
	}
	defer f.Close()
	sum, _, err := c.checksum(f)
	return checksumText(sum), err
}

func checksumText(sum uint64) string { return fmt.Sprintf("xxh64:%016x", sum) }

func (c *copying) checksumText() string { return checksumText(c.sum) }

func swapName(id job.OutputID, sum string) string {
	return ".qmtui-" + string(id) + "-" + strings.TrimPrefix(sum, "xxh64:") + ".swap"
}

func oldName(id job.OutputID) string { return ".qmtui-" + string(id) + ".old" }

func (c *copying) nameSwap() error {
	c.swap = swapName(c.t.Output, c.checksumText())
	return c.to.rename(temporaryName(c.t.Output), c.swap)
}

// exchange puts the newer version at Dest and what stood there under the name
// of the swap file. File systems that cannot do both at once have a moment
// without a file at Dest; the complete one has another name then.
func (c *copying) exchange() error {
	err := c.s.swap(int(c.to.dir.Fd()), c.swap, c.to.name)
	if !notSupported(err) {
		return wrapRename(c.swap, c.to.name, err)
	}
	old := oldName(c.t.Output)
	return c.steps(
		copyStep{"move away", func() error { return c.to.rename(c.to.name, old) }},
		copyStep{"moved away", func() error {
			if there, err := c.standing(old); err != nil || there == c.t.Replaces {
				return err
			}
			return errDestTaken(c.t.Dest)
		}},
		copyStep{"publish", func() error { return c.to.publish(c.swap) }},
		copyStep{"remove old", func() error { return c.to.rename(old, c.swap) }})
}

// cameOut looks at what the exchange brought out, and puts back what is not ours.
func (c *copying) cameOut() error {
	out, err := c.standing(c.swap)
	if err != nil || out == c.t.Replaces {
		return err
	}
	if err := c.putBack(c.checksumText()); err != nil {
		return err
	}
	return errDestTaken(c.t.Dest)
}

// putBack gives its user the file back that came out of the exchange, when the
// newer version still stands in its place; otherwise both stay.
func (c *copying) putBack(newer string) error {
	there, err := c.standing(c.to.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if there != newer {
		return c.keep(c.swap)
	}
	if err := c.s.swap(int(c.to.dir.Fd()), c.swap, c.to.name); notSupported(err) {
		return c.keep(c.swap)
	} else if err != nil {
		return wrapRename(c.swap, c.to.name, err)
	}
	if there, err = c.standing(c.swap); err != nil {
		return err
	}
	if there != newer {
		return c.keep(c.swap)
	}
	if err := c.to.remove(c.swap); err != nil {
		return err
	}
	return c.to.sync()
}

// keep gives a file of the user's a name that people see: that of Dest, or one
// like it when something stands there.
func (c *copying) keep(name string) error {
	stem, suffix := splitSuffix(c.to.name)
	for n := 1; ; n++ {
		to := c.to.name
		if n > 1 {
			to = fmt.Sprintf("%s-%d%s", stem, n, suffix)
		}
		if err := c.to.publishAs(name, to); !errors.Is(err, unix.EEXIST) {
			return errors.Join(err, c.to.sync())
		}
	}
}

// recover ends what an earlier try of this file began: what is ours is removed,
// what is its user's goes back.
func (c *copying) recover() error {
	names, err := c.to.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		newer, swap := strings.CutPrefix(name, ".qmtui-"+string(c.t.Output)+"-")
		newer, isSwap := strings.CutSuffix(newer, ".swap")
		if name != oldName(c.t.Output) && !(swap && isSwap) {
			continue
		}
		there, err := c.standing(name)
		switch {
		case err != nil:
			return err
		case name == oldName(c.t.Output):
			err = c.recoverOld(there)
		case there == "xxh64:"+newer || there == c.t.Replaces:
			err = c.to.remove(name)
		default:
			c.swap = name
			err = c.putBack("xxh64:" + newer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recoverOld deals with the file that was moved away from Dest.
func (c *copying) recoverOld(sum string) error {
	_, err := c.to.root.Lstat(c.to.name)
	if sum == c.t.Replaces && err == nil {
		return c.to.remove(oldName(c.t.Output))
	}
	return c.keep(oldName(c.t.Output))
}

func notSupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP)
}

func (to *target) names() ([]string, error) {
	d, err := to.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (to *target) rename(from, name string) error { return to.root.Rename(from, name) }
