package doctor

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lookPeer asks the kernel who listens on a socket (SO_PEERCRED); a pid of 0
// when it is in a namespace that this process cannot see, -1 when nobody is known.
func lookPeer(socket string) (pid, uid int) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0, -1
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, -1
	}
	pid, uid = 0, -1
	_ = raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid, uid = int(c.Pid), int(c.Uid)
		}
	})
	return pid, uid
}

// lookWho is the user of a process with its groups. Without a process to ask
// it is uid with the groups that the system gives that user, and without that
// doctor's own.
func lookWho(pid, uid int) Who {
	own := Who{UID: os.Geteuid(), GID: os.Getegid()}
	if own.Groups, _ = os.Getgroups(); uid < 0 {
		return own
	}
	w := Who{UID: uid, GID: uid, Manager: true}
	if uid == own.UID {
		w.GID, w.Groups = own.GID, own.Groups
	} else if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		ids, _ := u.GroupIds()
		w.GID, _ = strconv.Atoi(u.Gid)
		w.Groups = numbers(ids)
	}
	if gid, groups, ok := statusGroups(pid); ok {
		w.GID, w.Groups = gid, groups
	}
	return w
}

// ServiceUser is as whom a manager with that state folder will run, seen from
// root: the folder's owner. For others it is themselves.
func ServiceUser(state string) Who {
	own := lookWho(0, -1)
	info, err := os.Stat(state)
	if err != nil || own.UID != 0 {
		return own
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return own
	}
	w := lookWho(0, int(st.Uid))
	w.Manager, w.State = false, true
	return w
}

// statusGroups reads /proc/PID/status: the file system's group is the fourth of Gid.
func statusGroups(pid int) (gid int, groups []int, ok bool) {
	if pid <= 0 {
		return 0, nil, false
	}
	b, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return 0, nil, false
	}
	for line := range strings.Lines(string(b)) {
		key, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		switch {
		case key == "Gid" && len(f) == 4:
			gid, err = strconv.Atoi(f[3])
			ok = err == nil
		case key == "Groups":
			groups = numbers(f)
		}
	}
	return gid, groups, ok
}

func numbers(words []string) []int {
	var out []int
	for _, w := range words {
		if n, err := strconv.Atoi(w); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func procFile(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// lookProcess reads the limits of the manager's process; of this one's, when
// it is not known. What it may not read stays unknown.
func lookProcess(pid int) ProcessSeen {
	o := ProcessSeen{Who: "the manager", Files: -1}
	if pid <= 0 {
		o.Who, pid = "a process started from here", os.Getpid()
	}
	o.Limit, o.FilesKnown = softFiles(procFile(pid, "limits"))
	if names, err := os.ReadDir(procFile(pid, "fd")); err == nil && pid != os.Getpid() {
		o.Files = len(names)
	}
	watches, err1 := readNumber("/proc/sys/fs/inotify/max_user_watches")
	instances, err2 := readNumber("/proc/sys/fs/inotify/max_user_instances")
	o.Watches, o.Instances, o.WatchKnown = watches, instances, errors.Join(err1, err2) == nil
	o.WatchesUsed = countWatches(procFile(pid, "fdinfo"))
	return o
}

// softFiles reads "Max open files  1024  524288  files".
func softFiles(path string) (uint64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		f := strings.Fields(rest)
		if !ok || len(f) < 2 {
			continue
		}
		if f[0] == "unlimited" {
			return 1 << 62, true
		}
		n, err := strconv.ParseUint(f[0], 10, 64)
		return n, err == nil
	}
	return 0, false
}

func readNumber(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// countWatches counts the lines "inotify wd:..." of a process.
func countWatches(dir string) int {
	files, _ := os.ReadDir(dir)
	n := 0
	for _, e := range files {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			if strings.HasPrefix(s.Text(), "inotify ") {
				n++
			}
		}
		_ = f.Close()
	}
	return n
}

// lockHeld reports that a process holds the lock file. It takes a shared lock
// for a moment, which a manager that starts in that moment waits for.
func lockHeld(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(again(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) }), unix.EWOULDBLOCK)
}

// readableBy is why a user may not read a file; nil when it may.
func readableBy(path string, who Who) error {
	err := errors.New("its user could not be taken on")
	AsUser(who, func() {
		err = again(func() error { return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS) })
	})
	return err
}
