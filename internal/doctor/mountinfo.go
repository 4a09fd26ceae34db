package doctor

import (
	"bufio"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// Mount is one line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	Device  string // major:minor
	Root    string // of the file system, as mounted: not "/" for a bind mount of a folder
	Point   string
	Options []string // of the mount, then of the file system
	Type    string   // nfs4, ext4, fuse.sshfs, ...
	Source  string
}

// same reports that a path is the same folder of the same file system in both,
// whichever mounts lead to it.
func (m Mount) same(o Mount, path string) bool {
	return m.Device == o.Device && m.folder(path) == o.folder(path)
}

// folder is where a path in this mount stands in the file system itself.
func (m Mount) folder(path string) string {
	rel, err := filepath.Rel(m.Point, path)
	if err != nil {
		return m.Root
	}
	return filepath.Join(m.Root, rel)
}

// has reports an option, such as "ro" or "soft".
func (m Mount) has(name string) bool {
	for _, o := range m.Options {
		if o == name {
			return true
		}
	}
	return false
}

// value is that of the last option name=value.
func (m Mount) value(name string) (string, bool) {
	found, ok := "", false
	for _, o := range m.Options {
		if v, is := strings.CutPrefix(o, name+"="); is {
			found, ok = v, true
		}
	}
	return found, ok
}

// seconds is a number of seconds among the options; false when it is not set.
func (m Mount) seconds(name string) (int, bool) {
	v, ok := m.value(name)
	n, err := strconv.Atoi(v)
	return n, ok && err == nil
}

// parseMounts reads a mount table. Lines that it does not understand are left out.
func parseMounts(in io.Reader) []Mount {
	var out []Mount
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m, ok := parseMount(lines.Text()); ok {
			out = append(out, m)
		}
	}
	return out
}

// parseMount reads "36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/sda rw".
func parseMount(line string) (Mount, bool) {
	left, right, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(left), strings.Fields(right)
	if !ok || len(f) < 6 || len(g) < 2 {
		return Mount{}, false
	}
	m := Mount{Device: f[2], Root: unescape(f[3]), Point: unescape(f[4]), Type: g[0], Source: unescape(g[1])}
	m.Options = strings.Split(f[5], ",")
	if len(g) > 2 {
		m.Options = append(m.Options, strings.Split(g[2], ",")...)
	}
	return m, true
}

// unescape undoes the kernel's \040 for space, tab, newline and backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// mountOf is the mount in which an absolute path lies: the longest point that
// leads to it, and of several at the same point the last, which lies on top.
func mountOf(mounts []Mount, path string) (Mount, bool) {
	var best Mount
	found := false
	for _, m := range mounts {
		if inside(path, m.Point) && (!found || len(m.Point) >= len(best.Point)) {
			best, found = m, true
		}
	}
	return best, found
}

// inside: path is dir or below it, by name.
func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// remoteType reports a file system that another machine, or a process in
// between, serves: its changes raise no event here and its attributes are cached.
func remoteType(kind string) bool {
	switch kind {
	case "nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "afs", "virtiofs", "vboxsf":
		return true
	}
	return kind == "fuse" || strings.HasPrefix(kind, "fuse.")
}
