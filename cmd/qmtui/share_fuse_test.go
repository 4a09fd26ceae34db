package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// The process behind the mount stops, as a dead NFS server does, and every call
// on the share hangs: the manager answers all the same and says so, and goes on
// by itself when the share does.
func TestHungShareHoldsUpNobody(t *testing.T) {
	t.Parallel()
	var helper *os.Process
	s := openSite(t, func(p *plan) {
		mount := p.mkdir(t, "mount")
		p.config.Share.Outputs = mount
		p.before = func(p plan) { helper = bindFS(t, p.workers.Outputs, mount, "") }
	})
	s.awaitEnd(s.submit("user001", saving(demo.Prefix("user001", 1, "before"))).ID, job.Done)
	check(t, helper.Signal(unix.SIGSTOP))
	t.Cleanup(func() { _ = helper.Signal(unix.SIGCONT) }) // or nothing could unmount it
	meanwhile := s.submit("user002", saving(demo.Prefix("user002", 1, "meanwhile")))
	s.eventually("a warning of the queue", func() bool { return s.warns("share_stalled") })
	page, err := s.client.Jobs(t.Context(), api.Query{})
	check(t, err)
	if page.Total != 2 {
		t.Errorf("%d jobs are listed", page.Total)
	}
	check(t, helper.Signal(unix.SIGCONT))
	s.awaitEnd(meanwhile.ID, job.Done)
	s.eventually("the warning is gone", func() bool { return !s.warns("share_stalled") })
	s.judge()
}

// bindFS mounts backing at mount through FUSE for the time of the test;
// without FUSE the test is skipped. It returns the process behind the mount.
func bindFS(t *testing.T, backing, mount, options string) *os.Process {
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
	args := []string{"-f", backing, mount}
	if options != "" {
		args = append([]string{"-o", options}, args...)
	}
	said := &logbook{}
	cmd := exec.Command(bin, args...)
	cmd.Stderr = said
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	over := time.After(patience)
	for below := deviceOf(t, filepath.Dir(mount)); deviceOf(t, mount) == below; {
		select {
		case err := <-ended:
			t.Skipf("bindfs does not mount here: %v: %s", err, said.tail(5))
		case <-over:
			t.Skipf("bindfs mounts nothing here in %s", patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Cleanup(func() {
		for _, umount := range [][]string{{"fusermount3", "-u"}, {"fusermount", "-u"}, {"umount"}, {"umount", "-l"}} {
			if exec.Command(umount[0], append(umount[1:], mount)...).Run() == nil {
				return
			}
		}
		t.Errorf("%s stays mounted", mount)
	})
	return cmd.Process
}

func deviceOf(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Stat(path, &st))
	return uint64(st.Dev)
}
