package store

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// remote names the file systems on which a mapped database tears: another
// machine, or a process in between, may cache or reorder its pages. The
// numbers are those of statfs(2) and linux/magic.h.
var remote = map[uint32]string{
	0x6969: "nfs", 0x517b: "smb", 0xff534d42: "cifs", 0xfe534d42: "smb2", 0x65735546: "fuse", 0x01021997: "9p",
	0x00c36400: "ceph", 0x5346414f: "afs", 0x6b414653: "afs", 0x73757245: "coda", 0x564c: "ncp", 0x786f4256: "vboxsf",
	0xbacbacbc: "vmhgfs", 0x0bd00bd0: "lustre", 0x47504653: "gpfs", 0x01161970: "gfs2", 0x7461636f: "ocfs2", 0x19830326: "beegfs",
}

// refuseRemote reports a state folder on a file system of another machine.
func refuseRemote(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return trouble("look at the state folder's file system", err)
	}
	return remoteError(dir, uint32(st.Type))
}

func remoteError(dir string, magic uint32) error {
	name, ok := remote[magic]
	if !ok {
		return nil
	}
	return &job.Error{Code: "state_on_remote_fs", Class: job.Invalid,
		Message: fmt.Sprintf("%s is on %s, where a database can be damaged", dir, name),
		Hint:    "set state.dir to a folder on a local disk"}
}
