package share

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

func TestPace(t *testing.T) {
	live, late := livePace(time.Second), latePace(time.Second)
	for _, c := range []struct {
		name  string
		p     pace
		last  time.Duration
		moved bool
		want  time.Duration
	}{
		{"first", live, 0, false, 125 * time.Millisecond},
		{"something moved", live, time.Second, true, 125 * time.Millisecond},
		{"backs off", live, 200 * time.Millisecond, false, 300 * time.Millisecond},
		{"as far as poll", live, 900 * time.Millisecond, false, time.Second},
		{"late ones further", late, 900 * time.Millisecond, false, 1350 * time.Millisecond},
		{"late ones as far as ten polls", late, 9 * time.Second, false, 10 * time.Second},
		{"a quick poll has a floor", livePace(40 * time.Millisecond), 0, true, 20 * time.Millisecond},
		{"a slow poll is fast while something moves", livePace(time.Hour), time.Hour, true, 250 * time.Millisecond},
		{"a poll below the floor is kept", livePace(time.Millisecond), 0, true, time.Millisecond},
	} {
		if got := c.p.next(c.last, c.moved); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJudgeAgain(t *testing.T) {
	for quiet, want := range map[time.Duration]time.Duration{
		0: 0, 1999 * time.Millisecond: 0, 4 * time.Second: time.Second, time.Hour: recheck,
	} {
		if got := judgeAgain(quiet); got != want {
			t.Errorf("quiet for %v: %v, want %v", quiet, got, want)
		}
	}
}

// TestObserve walks files through looks one second apart.
func TestObserve(t *testing.T) {
	const seen, grew, whole, settling, hostile = job.MarkSeen, job.MarkGrew, job.MarkWhole, job.MarkSettling, job.MarkHostile
	at := func(size int64, v comfy.Verdict) observation {
		return observation{id: inode{1, 1}, size: size, verdict: v}
	}
	one := func(o observation) observation { o.oneWrite = true; return o }
	sampled := func(o observation, n uint64) observation { o.sample = n; return o }
	link := observation{hostile: "a symbolic link"}
	for _, c := range []struct {
		name  string
		looks []observation
		want  [][]job.Mark
	}{
		{"whole at the second look", []observation{at(9, comfy.Complete), at(9, comfy.Complete), at(9, comfy.Complete)},
			[][]job.Mark{{seen}, {whole}, nil}},
		{"grows first", []observation{at(0, comfy.Partial), at(5, comfy.Partial), at(9, comfy.Complete), at(9, comfy.Complete)},
			[][]job.Mark{{seen}, {grew}, {grew}, {whole}}},
		{"never whole", []observation{at(5, comfy.Partial), at(5, comfy.Partial), at(5, comfy.Partial)},
			[][]job.Mark{{seen}, nil, nil}},
		{"changes after being whole", []observation{at(9, comfy.Complete), at(9, comfy.Complete), at(12, comfy.Partial), at(20, comfy.Complete), at(20, comfy.Complete)},
			[][]job.Mark{{seen}, {whole}, {grew}, {grew}, {whole}}},
		{"no end mark: when quiet", []observation{at(9, comfy.Settling), at(9, comfy.Settling)},
			[][]job.Mark{{seen}, {whole}}},
		{"no end mark, other bytes", []observation{sampled(at(9, comfy.Settling), 1), sampled(at(9, comfy.Settling), 2), sampled(at(9, comfy.Settling), 2)},
			[][]job.Mark{{seen}, nil, {whole}}},
		{"written at once: at the second look", []observation{one(at(9, comfy.Settling)), one(at(9, comfy.Settling))},
			[][]job.Mark{{seen}, {whole}}},
		{"written at once, and then once more", []observation{one(at(9, comfy.Settling)), one(at(12, comfy.Settling)), one(at(12, comfy.Settling))},
			[][]job.Mark{{seen}, {grew}, {whole}}},
		{"unknown format waits for the guard", []observation{at(9, comfy.Unknown), at(9, comfy.Unknown), at(9, comfy.Unknown), at(9, comfy.Unknown), at(9, comfy.Unknown)},
			[][]job.Mark{{seen}, nil, nil, {settling}, nil}},
		{"hostile once", []observation{link, link, {hostile: "a device"}},
			[][]job.Mark{{hostile}, nil, {hostile}}},
		{"becomes hostile", []observation{at(9, comfy.Complete), at(9, comfy.Complete), link, link},
			[][]job.Mark{{seen}, {whole}, {hostile}, nil}},
		{"becomes a file", []observation{link, at(9, comfy.Complete), at(9, comfy.Complete)},
			[][]job.Mark{{hostile}, {seen}, {whole}}},
		{"another file under the name", []observation{at(9, comfy.Complete), {id: inode{1, 2}, size: 9, verdict: comfy.Complete}, {id: inode{1, 2}, size: 9, verdict: comfy.Complete}},
			[][]job.Mark{{seen}, nil, {whole}}},
	} {
		f, now, settle := &file{}, time.Unix(1000, 0), time.Second
		if c.looks[0].oneWrite {
			settle = time.Hour // it does not wait for that
		}
		for i, o := range c.looks {
			got := f.observe(o, now, patience{settling: settle, unknown: 3 * time.Second})
			if !slices.Equal(got, c.want[i]) {
				t.Errorf("%s, look %d: %v, want %v", c.name, i+1, got, c.want[i])
			}
			now = now.Add(time.Second)
		}
	}
}

func TestDoubt(t *testing.T) {
	nfs, root := identity{dev: 7}, identity{dev: 1}
	for _, c := range []struct {
		name string
		opt  Options
		was  identity
		now  survey
		sure bool
	}{
		{"a local folder", Options{}, identity{}, survey{id: root, root: 1, above: 1}, true},
		{"a mount", Options{}, identity{}, survey{id: nfs, root: 1, above: 1}, true},
		{"still mounted", Options{}, nfs, survey{id: nfs, root: 1, above: 1}, true},
		{"mounted now", Options{}, root, survey{id: nfs, root: 1, above: 1}, true},
		{"mounted again under another number", Options{}, nfs, survey{id: identity{dev: 8}, root: 1, above: 1}, true},
		{"unmounted", Options{}, nfs, survey{id: root, root: 1, above: 1}, false},
		{"unmounted above a second disk", Options{}, nfs, survey{id: identity{dev: 3}, root: 1, above: 3}, false},
		{"a mount is asked for", Options{RequireMount: true}, identity{}, survey{id: root, root: 1, above: 1}, false},
		{"and is there", Options{RequireMount: true}, identity{}, survey{id: nfs, root: 1, above: 1}, true},
		{"sentinel away", Options{Sentinel: ".share"}, identity{}, survey{id: nfs, root: 1, above: 1, sentinel: unix.ENOENT}, false},
	} {
		if why := doubt(c.opt, c.was, c.now); (why == "") != c.sure {
			t.Errorf("%s: doubt %q", c.name, why)
		}
	}
}

func TestHinting(t *testing.T) {
	for _, c := range []struct {
		watch, kind string
		want        bool
	}{
		{"auto", "ext4", true}, {"auto", "xfs", true}, {"auto", "btrfs", true}, {"auto", "tmpfs", true}, {"auto", "zfs", true},
		{"auto", "nfs", false}, {"auto", "cifs", false}, {"auto", "fuse", false}, {"auto", "9p", false}, {"auto", "overlay", false},
		{"auto", "unknown", false}, {"poll", "ext4", false}, {"notify", "nfs", true},
	} {
		if got := hinting(c.watch, c.kind); got != c.want {
			t.Errorf("%s on %s: %v", c.watch, c.kind, got)
		}
	}
}

func TestCacheGuard(t *testing.T) {
	for _, c := range []struct {
		kind, options string
		want          time.Duration
	}{
		{"ext4", "", 2 * time.Second},
		{"nfs", "rw,vers=4.2,hard", 62 * time.Second},
		{"nfs", "rw,acregmin=1,acregmax=5,acdirmax=5", 7 * time.Second},
		{"nfs", "rw,actimeo=1", 3 * time.Second},
		{"nfs", "rw,acregmax=many", 62 * time.Second},
		{"cifs", "rw,actimeo=30", 32 * time.Second},
		{"cifs", "", 3 * time.Second},
		{"fuse", "", 22 * time.Second},
		{"unknown", "", 62 * time.Second},
	} {
		if got := cacheGuard(c.kind, c.options); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.kind, c.options, got, c.want)
		}
	}
}

func TestOrigin(t *testing.T) {
	for path, want := range map[string][2]string{
		"qm/p/9/cat_00001_.png":        {"p", "9"},
		"qm/p/12_3a3/video/cat.mp4":    {"p", "12:3"},
		"qm/p/_started/s_00001_.png":   {"p", ""},
		"qm/p/cat.png":                 {"p", ""},
		"qm/cat.png":                   {"", ""},
		"cat.png":                      {"", ""},
		"qmx/p/9/cat.png":              {"", ""},
		"qm/p/9/\xff\n/cat_00001_.png": {"p", "9"},
	} {
		if id, node := origin(path); id != want[0] || node != want[1] {
			t.Errorf("%q: %q %q, want %q", path, id, node, want)
		}
	}
}

func TestSweepWorth(t *testing.T) {
	then := time.Unix(5, 0)
	s := &sweep{round: 20, known: map[string]sweptFolder{
		"settled": {modified: then, settled: true, since: 3}, "open": {modified: then, since: 3}, "young": {modified: then, settled: true, since: 19}}}
	for _, c := range []struct {
		f    foundFolder
		want bool
	}{
		{foundFolder{"new", then}, true}, {foundFolder{"open", then}, true}, {foundFolder{"young", then}, true},
		{foundFolder{"settled", then.Add(1)}, true},
	} {
		if got := s.worth(c.f); got != c.want {
			t.Errorf("%v: %v", c.f, got)
		}
	}
	looks := 0
	for range sweepTurns {
		if s.round++; s.worth(foundFolder{"settled", then}) {
			looks++
		}
	}
	if looks != 1 {
		t.Errorf("an old folder was looked into %d times in %d sweeps", looks, sweepTurns)
	}
}

func TestClassify(t *testing.T) {
	s := newDisks(t).share()
	for _, c := range []struct {
		err       error
		code      string
		transient bool
	}{
		{unix.ENOSPC, "disk_full", true},
		{&fs.PathError{Op: "write", Path: "/x", Err: unix.EDQUOT}, "disk_full", true},
		{unix.EACCES, "not_writable", true}, {unix.EPERM, "not_writable", true}, {unix.EROFS, "not_writable", true},
		{errHostile("a device"), "hostile_source", false},
		{unix.EIO, "copy_failed", true}, {unix.ESTALE, "copy_failed", true}, {context.Canceled, "copy_failed", true},
		{errDestTaken("x"), "dest_taken", false}, {errors.New("odd"), "copy_failed", true},
	} {
		e := s.classify("copy to", "/outputs/u\n/x", c.err)
		if e.Code != c.code || e.Transient != c.transient || e.Hint == "" || strings.ContainsAny(e.Error(), "\n") {
			t.Errorf("%v: %v transient %v", c.err, e, e.Transient)
		}
	}
	if e := s.classify("copy to", "/x", unix.EACCES); !strings.Contains(e.Message, "user id") {
		t.Errorf("no user id in %q", e.Message)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := newDisks(t).opt
	for name, spoil := range map[string]func(*Options){
		"relative share": func(o *Options) { o.Outputs = "outputs" },
		"relative users": func(o *Options) { o.Users = "" },
		"aside outside":  func(o *Options) { o.Aside = "../x" },
		"sentinel away":  func(o *Options) { o.Sentinel = "/etc/passwd" },
		"watch":          func(o *Options) { o.Watch = "sometimes" },
		"negative":       func(o *Options) { o.Poll = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
