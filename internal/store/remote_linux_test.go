package store

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

func TestRemoteFileSystems(t *testing.T) {
	for _, magic := range []uint32{unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC} {
		var e *job.Error
		if err := remoteError("/state", magic); !errors.As(err, &e) || e.Code != "state_on_remote_fs" || e.Hint == "" {
			t.Errorf("%#x: %v", magic, err)
		}
	}
	for _, magic := range []uint32{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC} {
		if err := remoteError("/state", magic); err != nil {
			t.Errorf("%#x: %v", magic, err)
		}
	}
	if err := refuseRemote(t.TempDir()); err != nil {
		t.Errorf("the disk of this test: %v", err)
	}
}
