package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// The share behind FUSE, written to from the backing side: no event ever
// comes, and everything is delivered.
func TestShareBehindFUSE(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		mount := p.mkdir(t, "mount")
		p.config.Share.Outputs = mount
		// Nothing else may bring a look forward: no history, no sweep.
		p.workers.Balance = simulator.Never
		p.config.Share.Sweep = 0
		p.before = func(p plan) { bindFS(t, p.workers.Outputs, mount, "") }
	})
	var jobs []api.Job
	for n := range 4 {
		for u := 1; u <= 3; u++ {
			prefix := fmt.Sprintf("fuse/%s", demo.Prefix(demo.User(u), n, "take"))
			jobs = append(jobs, s.submit(demo.User(u), savingBatch(prefix, 1+n)))
		}
	}
	for _, j := range jobs {
		s.awaitEnd(j.ID, job.Done)
	}
	s.judge()
	q, err := s.client.QueueStatus(t.Context())
	check(t, err)
	if q.Share.FSType != "fuse" || q.Share.Watch != "poll" || q.Share.Error != nil {
		t.Errorf("the share is %+v", q.Share)
	}
}

// bindFS mounts backing at mount through FUSE for the time of the test;
// without FUSE the test is skipped.
func bindFS(t *testing.T, backing, mount, options string) {
	t.Helper()
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("no FUSE here: %v", err)
	} else {
		_ = f.Close()
	}
	bin, err := exec.LookPath("bindfs")
	if err != nil {
		t.Skipf("no bindfs here: %v", err)
	}
	args := []string{backing, mount}
	if options != "" {
		args = append([]string{"-o", options}, args...)
	}
	if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
		t.Skipf("bindfs does not mount here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		for _, umount := range [][]string{{"fusermount3", "-u"}, {"fusermount", "-u"}, {"umount"}, {"umount", "-l"}} {
			if exec.Command(umount[0], append(umount[1:], mount)...).Run() == nil {
				return
			}
		}
		t.Errorf("%s stays mounted", mount)
	})
}
