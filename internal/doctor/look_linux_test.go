package doctor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAsUser: as root the kernel is asked with the manager's rights, so that a
// folder that root may write to anyway is seen as it is. Case 6 of the field.
func TestAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may take on another user's rights")
	}
	dir := openWay(t)
	closed, shared := filepath.Join(dir, "user001"), filepath.Join(dir, "user002")
	for _, d := range []string{closed, shared} {
		if err := errors.Join(os.Mkdir(d, 0o755), os.Chmod(d, 0o755)); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	if err := unix.Chown(shared, 0, 4321); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o775); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  Who
		path string
		want bool
	}{
		{Who{UID: 1000, GID: 1000, Manager: true}, closed, false},
		{Who{UID: 1000, GID: 1000, Manager: true}, shared, false},
		{Who{UID: 1000, GID: 1000, Groups: []int{4321}, Manager: true}, shared, true},
		{Who{UID: 1000, GID: 4321, Manager: true}, shared, true},
		{Who{UID: 0, Manager: true}, closed, true},
	} {
		if got := lookFolder(c.path, c.who); got.Writable != c.want || !got.there() {
			t.Errorf("%+v in %s: %+v", c.who, filepath.Base(c.path), got)
		}
	}
	if err := os.WriteFile(filepath.Join(closed, "after"), nil, 0o600); err != nil {
		t.Errorf("the rights did not come back: %v", err)
	}
}

// openWay is a folder that every user can reach.
func openWay(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestLookClockLeavesNothing: the probe has no name, or loses it at once.
func TestLookClockLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if o := lookClock(dir, Who{UID: os.Geteuid()}); !o.Probed || o.Skew.Abs() > time.Minute {
		t.Errorf("it saw %+v", o)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("it left %v", names)
	}
	future := filepath.Join(dir, "a.png")
	if err := os.WriteFile(future, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(future, later, later); err != nil {
		t.Fatal(err)
	}
	if o := newestOf(dir); !o.Newest || o.Skew < 59*time.Minute {
		t.Errorf("the newest is %+v", o)
	}
}

// TestLockHeld looks at a lock that another open file holds.
func TestLockHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if lockHeld(path) {
		t.Error("nobody holds it")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if !lockHeld(path) || lockHeld(path+"x") {
		t.Error("it is held, and the other is not there")
	}
}

// TestHungShare stops the process behind a FUSE mount: every call on it hangs,
// as on a dead NFS server, and the look ends all the same.
func TestHungShare(t *testing.T) {
	bindfs, err := exec.LookPath("bindfs")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs bindfs and root")
	}
	if testing.Short() {
		t.Skip("waits for a deadline")
	}
	behind, point := t.TempDir(), t.TempDir()
	c := exec.Command(bindfs, "-f", behind, point)
	if err := c.Start(); err != nil {
		t.Skip("bindfs does not start: ", err)
	}
	defer func() {
		_ = c.Process.Signal(unix.SIGCONT)
		_ = unix.Unmount(point, unix.MNT_DETACH)
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	if !mountedWithin(point, 30*time.Second) {
		t.Skip("nothing was mounted: no FUSE here")
	}
	if err := c.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	v := Visit{}
	v.Config.Share.Outputs = point
	began := time.Now()
	o := v.seeShare(Who{UID: 0})
	if took := time.Since(began); took > 10*diskPatience || o.Stalled == 0 {
		t.Errorf("after %s: %+v", took, o)
	}
	for _, r := range judgeShare(o) {
		if r.Name == shareAlive.Name && r.Code != "stalled" || r.Name != shareAlive.Name && r.Verdict == Fail {
			t.Errorf("%s: %s %s", r.Name, r.Code, r.Reason)
		}
	}
}

// mountedWithin waits until a path is a mount point.
func mountedWithin(point string, d time.Duration) bool {
	tick, over := time.NewTicker(20*time.Millisecond), time.After(d)
	defer tick.Stop()
	for {
		mounts, _ := readMounts("self")
		if m, ok := mountOf(mounts, point); ok && m.Point == point {
			return true
		}
		select {
		case <-tick.C:
		case <-over:
			return false
		}
	}
}
