package doctor

import (
	"strings"
	"testing"
)

func TestMountOf(t *testing.T) {
	table := strings.Join([]string{
		ext4Line,
		"31 30 0:5 / /proc rw - proc proc rw",
		"not a line",
		nfsLine,
		`41 40 0:60 / /mnt/sfs/with\040space rw - tmpfs tmpfs rw,size=1m`,
		"42 30 8:1 /srv/clone /mnt/sfs rw - ext4 /dev/vda1 rw",
	}, "\n")
	mounts := parseMounts(strings.NewReader(table))
	if len(mounts) != 5 {
		t.Fatalf("%d mounts were read", len(mounts))
	}
	for path, want := range map[string]string{
		"/etc": "/dev/vda1:/", "/mnt/sfsx": "/dev/vda1:/", "/mnt/sfs": "/dev/vda1:/srv/clone", "/mnt/sfs/outputs/a": "/dev/vda1:/srv/clone",
		"/mnt/sfs/with space/x": "tmpfs:/",
	} {
		m, ok := mountOf(mounts, path)
		if got := m.Source + ":" + m.Root; !ok || got != want {
			t.Errorf("%s lies in %s, want %s", path, got, want)
		}
	}
	if _, ok := mountOf(nil, "/"); ok {
		t.Error("an empty table has a mount")
	}
}

// FuzzParseMounts: the kernel escapes names, and a FUSE file system chooses its
// own type and source.
func FuzzParseMounts(f *testing.F) {
	f.Add(nfsLine)
	f.Add("1 2 3 4 5 6 - ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMounts(strings.NewReader(text)) {
			if m.Device == "" || m.Type == "" || len(m.Options) == 0 {
				t.Errorf("%q gave %+v", text, m)
			}
		}
	})
}
