package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// readMounts is the mount table of a process; "self" for this one.
func readMounts(pid string) ([]Mount, error) {
	f, err := os.Open("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parseMounts(f), nil
}

// lookFolder looks at one folder, with the rights of who where that is asked.
// It may hang.
func lookFolder(path string, who Who) FolderSeen {
	o := FolderSeen{Path: path}
	var st unix.Stat_t
	if err := again(func() error { return unix.Stat(path, &st) }); err != nil {
		o.Missing, o.Stale = errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESTALE)
		if !o.Missing && !o.Stale {
			o.Error = err.Error()
		}
		return o
	}
	if o.NotDir = st.Mode&unix.S_IFMT != unix.S_IFDIR; o.NotDir {
		return o
	}
	o.Mode, o.UID = uint32(st.Mode)&0o7777, int(st.Uid)
	AsUser(who, func() { o.access(path) })
	o.Space = lookSpace(path)
	return o
}

// access asks the kernel what the thread's user may do; nothing is made.
func (o *FolderSeen) access(path string) {
	may := func(mode uint32) error {
		return again(func() error { return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) })
	}
	o.Writable = may(unix.W_OK|unix.X_OK) == nil
	if err := may(unix.R_OK | unix.X_OK); err != nil {
		o.Stale = errors.Is(err, unix.ESTALE)
		o.Error = err.Error()
	}
}

func lookSpace(path string) SpaceSeen {
	var st unix.Statfs_t
	if again(func() error { return unix.Statfs(path, &st) }) != nil {
		return SpaceSeen{}
	}
	size := uint64(st.Bsize)
	return SpaceSeen{Total: uint64(st.Blocks) * size, Free: uint64(st.Bavail) * size, Inodes: uint64(st.Files), IFree: uint64(st.Ffree)}
}

// again repeats a call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// onRoot reports that a path lies on the file system of "/".
func onRoot(path string) bool {
	var a, b unix.Stat_t
	return unix.Stat(path, &a) == nil && unix.Stat("/", &b) == nil && a.Dev == b.Dev
}

// lookAlive opens a folder anew and reads a name: only that asks the server,
// where stat may answer from a cache (docs of NFS, close-to-open).
func lookAlive(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if _, err = d.Readdirnames(1); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// lookClock makes a file without a name, or one that the manager's sweep
// leaves out, and reads its time stamp, which the server of a share sets. When
// it may not write it takes the newest file of the folder.
func lookClock(path string, who Who) ClockSeen {
	var o ClockSeen
	AsUser(who, func() {
		if stamp, now, err := probeClock(path); err == nil {
			o = ClockSeen{Probed: true, Skew: stamp.Sub(now)}
		}
	})
	if o.Probed {
		return o
	}
	return newestOf(path)
}

func probeClock(dir string) (stamp, now time.Time, err error) {
	f, err := probeFile(dir)
	if err != nil {
		return stamp, now, err
	}
	defer func() { _ = f.Close() }()
	before := time.Now()
	if _, err := f.Write([]byte("qmtui doctor\n")); err != nil {
		return stamp, now, err
	}
	if err := f.Sync(); err != nil {
		return stamp, now, err
	}
	info, err := f.Stat()
	if err != nil {
		return stamp, now, err
	}
	return info.ModTime(), before.Add(time.Since(before) / 2), nil
}

// probeFile is a file that is gone when it is closed. A name that begins with
// .nfs is left out by the manager's sweep, as an NFS client's own remains are.
func probeFile(dir string) (*os.File, error) {
	if fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600); err == nil {
		return os.NewFile(uintptr(fd), dir), nil
	}
	name := filepath.Join(dir, fmt.Sprintf(".nfs-qmtui-doctor-%d", os.Getpid()))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(name)
}

// newestOf is the newest of the first thousand entries.
func newestOf(dir string) ClockSeen {
	var o ClockSeen
	d, err := os.Open(dir)
	if err != nil {
		return o
	}
	defer func() { _ = d.Close() }()
	entries, _ := d.ReadDir(1000)
	now := time.Now()
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		if skew := info.ModTime().Sub(now); !o.Newest || skew > o.Skew {
			o.Newest, o.Skew = true, skew
		}
	}
	return o
}
