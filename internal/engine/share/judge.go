package share

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// finding is an observation and, when it was asked for, what the file's own
// metadata say of its origin.
type finding struct {
	observation
	claim      *job.Claim
	marker     bool // it is a start marker
	unreadable bool // only its folder's entry could be seen
}

// examine opens the file under name and judges it by its bytes. was is what is
// remembered of it; what has not changed is not read again before its time.
// The error is of the disk; a hostile file is a finding.
func examine(d *folder, name string, was *file, now time.Time, claims bool, p *pulse) (finding, error) {
	f, st, err := d.file(name)
	var h errHostile
	if errors.As(err, &h) {
		return finding{observation: observation{hostile: string(h), id: inodeOf(&st)}}, nil
	}
	if errors.Is(err, fs.ErrPermission) && st.Ino != 0 {
		o := observation{id: inodeOf(&st), size: st.Size, modified: modified(&st), verdict: comfy.Partial}
		return finding{observation: o, unreadable: true}, nil
	}
	if err != nil {
		return finding{}, err
	}
	defer f.Close()
	return judge(f, st, was, now, claims, p)
}

func judge(f *os.File, st unix.Stat_t, was *file, now time.Time, claims bool, p *pulse) (finding, error) {
	size, err := readableSize(f, st.Size)
	if err != nil {
		return finding{}, err
	}
	o := observation{id: inodeOf(&st), size: size, modified: modified(&st)}
	o.verdict, o.sample, o.oneWrite = was.last.verdict, was.last.sample, was.last.oneWrite
	if was.seen && o.same(was.last) && (was.settled() || now.Before(was.judgeAt)) {
		return finding{observation: o}, nil
	}
	o.sample = 0
	if o.verdict, err = comfy.Whole(p.reader(f), size, f.Name()); err != nil {
		return finding{}, err
	}
	o.oneWrite = o.verdict == comfy.Settling && comfy.OneWrite(f.Name(), size)
	if o.verdict == comfy.Settling || o.verdict == comfy.Unknown {
		if o.sample, err = sample(f, size); err != nil {
			return finding{}, err
		}
	}
	found := finding{observation: o}
	if claims {
		found.claim = claimOf(f, size)
		found.marker = found.claim != nil && comfy.IsStartMarker(f, path.Base(f.Name()))
	}
	return found, nil
}

// readableSize is how many bytes can really be read. The size by stat may be
// old on a network share, while a read past it asks the server (measured:
// size by stat 15 s late, bytes right at once).
func readableSize(f *os.File, stat int64) (int64, error) {
	size := stat
	for {
		var b [1]byte
		n, err := f.ReadAt(b[:], size)
		if n == 0 {
			return size, ignoreEOF(err)
		}
		var st unix.Stat_t
		if err := fstat(f, &st); err != nil {
			return 0, err
		}
		if st.Size <= size { // stat does not learn it: count by reading
			return countFrom(f, size)
		}
		size = st.Size
	}
}

func countFrom(f *os.File, off int64) (int64, error) {
	buf := make([]byte, copyBuffer)
	for {
		n, err := f.ReadAt(buf, off)
		off += int64(n)
		if err != nil {
			return off, ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

const sampleLength = 64 << 10

// sample is a hash of the first and the last bytes: enough to see that a file
// of unknown format is still being written, at a bounded cost.
func sample(f *os.File, size int64) (uint64, error) {
	h, buf := xxhash.New(), make([]byte, sampleLength)
	for _, off := range []int64{0, max(0, size-sampleLength)} {
		n, err := f.ReadAt(buf, off)
		if err = ignoreEOF(err); err != nil {
			return 0, err
		}
		h.Write(buf[:n])
	}
	return h.Sum64(), nil
}

// claimOf reads the qm key of the embedded metadata; nil when there is none
// that makes sense. Whatever the file says is a claim and no proof.
func claimOf(f *os.File, size int64) *job.Claim {
	meta, err := comfy.Metadata(f, size, f.Name())
	if err != nil {
		return nil
	}
	var c job.Claim
	if json.Unmarshal([]byte(meta[metadataKey]), &c) != nil || c.Job == "" && c.PromptID == "" {
		return nil
	}
	return &c
}

// metadataKey is where a tagged prompt says of itself whose it is.
const metadataKey = "qm"

func inodeOf(st *unix.Stat_t) inode { return inode{uint64(st.Dev), uint64(st.Ino)} }

// modified is the time of a file; zero for one that no record could hold.
func modified(st *unix.Stat_t) time.Time {
	sec, nsec := st.Mtim.Unix()
	if t := time.Unix(sec, nsec); t.Year() >= 1 && t.Year() <= 9999 {
		return t
	}
	return time.Time{}
}
