package share

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// kinds names the file systems by their magic numbers (statfs(2)).
var kinds = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", 0x2fc12fc1: "zfs", unix.NFS_SUPER_MAGIC: "nfs", unix.SMB_SUPER_MAGIC: "cifs",
	unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "cifs", unix.FUSE_SUPER_MAGIC: "fuse",
	unix.V9FS_MAGIC: "9p", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.CEPH_SUPER_MAGIC: "ceph",
}

// fileSystem fills in what statfs and, for attribute caches, the mount table say.
func (v *survey) fileSystem(fd int) error {
	var st unix.Statfs_t
	if _, err := retry(func() (int, error) { return 0, unix.Fstatfs(fd, &st) }); err != nil {
		return err
	}
	kind, ok := kinds[int64(uint32(st.Type))]
	if !ok {
		kind = "unknown"
	}
	v.kind, v.id.fsid = kind, st.Fsid.Val
	v.readOnly = st.Flags&unix.ST_RDONLY != 0
	v.free = int64(st.Bavail) * st.Bsize
	if !hintsWork[kind] {
		v.source, v.options = mountedFrom(v.id.dev)
	}
	return nil
}

// freeSpace is what an ordinary user may still write there, in bytes.
func freeSpace(fd int) (int64, error) {
	var st unix.Statfs_t
	_, err := retry(func() (int, error) { return 0, unix.Fstatfs(fd, &st) })
	return int64(st.Bavail) * st.Bsize, err
}

// mountedFrom reads source and options of the mount with that device number
// from the mount table (proc_pid_mountinfo(5)); empty when they cannot be read.
func mountedFrom(dev uint64) (source, options string) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	defer f.Close()
	number := fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev))
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[2] != number {
			continue
		}
		// Optional fields end at a dash; behind it stand type, source, options.
		if i := slices.Index(fields, "-"); i > 0 && i+3 < len(fields) {
			return fields[i+2], fields[i+3]
		}
	}
	return "", ""
}
