package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestDoctorOnMounts runs doctor on disks that are mounted for it, in mount
// namespaces of its own: root may write anywhere, so a read-only mount stands
// for a folder that is closed, and a small tmpfs for a disk that is full.
func TestDoctorOnMounts(t *testing.T) {
	const try = "mount -t tmpfs -o size=64k none /mnt && mount -o remount,ro,bind /mnt"
	if out, err := exec.Command("unshare", "-m", "sh", "-c", try).CombinedOutput(); err != nil || os.Geteuid() != 0 {
		t.Skipf("this process may not mount: %v %s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/doctor", UpdateScripts: *updateScripts, RequireExplicitExec: true, RequireUniqueNames: true, Setup: prepareScript, Condition: scriptCondition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "until": until, "await": await, "capture": capture, "expand": expand},
	})
}
