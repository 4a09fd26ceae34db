package doctor

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

const (
	nfsLine  = "40 30 0:52 / /mnt/sfs rw,relatime shared:5 - nfs4 10.0.0.5:/SFS-1 rw,vers=4.2,hard,nconnect=16"
	ext4Line = "30 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw"
)

// goodShare is a healthy share: NFS, short caches, half empty.
func goodShare() ShareSeen {
	m, _ := parseMount(nfsLine + ",actimeo=1,lookupcache=pos")
	return ShareSeen{Path: "/mnt/sfs/outputs", Known: true, Mount: m, Took: 3 * time.Millisecond, Remote: true, Watch: "auto", Settle: 3 * time.Second,
		Folder: FolderSeen{Path: "/mnt/sfs/outputs", Writable: true, Space: SpaceSeen{Total: 1000 * gib, Free: 500 * gib, Inodes: 100, IFree: 90}},
		Clock:  ClockSeen{Probed: true, Skew: 40 * time.Millisecond}}
}

// changed is the healthy share with one thing broken.
func changed(break_ func(*ShareSeen)) ShareSeen {
	o := goodShare()
	break_(&o)
	return o
}

func localShare(o *ShareSeen) { o.Mount, _ = parseMount(ext4Line); o.OnRoot = true; o.Remote = false }

func TestHealthyShareRaisesNoAlarm(t *testing.T) {
	for _, r := range judgeShare(goodShare()) {
		if r.Verdict != OK {
			t.Errorf("%s: %s %s", r.Name, r.Code, r.Reason)
		}
	}
}

// shareCase judges a share with one thing broken.
func shareCase(judge func(ShareSeen) Result, name, want string, break_ func(*ShareSeen)) ruled {
	return ruled{name, judge(changed(break_)), want}
}

func mountedCases() []ruled {
	j := judgeMounted
	return []ruled{
		shareCase(j, "healthy", "mounted", func(*ShareSeen) {}),
		shareCase(j, "a folder here", "local", localShare),
		shareCase(j, "missing, and made by itself", "new", func(o *ShareSeen) { o.Folder, o.Made = FolderSeen{Missing: true}, true }),
		shareCase(j, "missing", "missing", func(o *ShareSeen) { o.Folder = FolderSeen{Missing: true} }),
		shareCase(j, "a file", "not_folder", func(o *ShareSeen) { o.Folder = FolderSeen{NotDir: true} }),
		shareCase(j, "denied", "unreadable", func(o *ShareSeen) { o.Folder.Error = "permission denied" }),
		shareCase(j, "must be a mount", "not_mounted", func(o *ShareSeen) { localShare(o); o.RequireMount = true }),
		shareCase(j, "sentinel", "not_mounted", func(o *ShareSeen) { o.Sentinel = "no such file or directory" }),
		shareCase(j, "workers elsewhere", "suspect", func(o *ShareSeen) { localShare(o); o.Remote = true }),
	}
}

func aliveCases() []ruled {
	j := judgeAlive
	return []ruled{
		shareCase(j, "healthy", "alive", func(*ShareSeen) {}),
		shareCase(j, "slow", "slow", func(o *ShareSeen) { o.Took = 2 * time.Second }),
		shareCase(j, "hung", "stalled", func(o *ShareSeen) { o.Stalled = 5 * time.Second }),
		shareCase(j, "stale", "stale", func(o *ShareSeen) { o.Folder.Stale = true }),
		shareCase(j, "missing", "not_there", func(o *ShareSeen) { o.Folder.Missing = true }),
	}
}

func typeCases() []ruled {
	j := judgeType
	return []ruled{
		shareCase(j, "nfs", "remote", func(*ShareSeen) {}),
		shareCase(j, "ext4", "local", localShare),
		shareCase(j, "notify on nfs", "deaf", func(o *ShareSeen) { o.Watch = "notify" }),
		shareCase(j, "notify on sshfs", "deaf", func(o *ShareSeen) { o.Watch, o.Mount.Type = "notify", "fuse.sshfs" }),
		shareCase(j, "no table", "unknown", func(o *ShareSeen) { o.Known = false }),
	}
}

// options judges the cache of an NFS mount with more options.
func options(name, more, want string) ruled {
	return shareCase(judgeCache, name, want, func(o *ShareSeen) { o.Mount, _ = parseMount(nfsLine + more) })
}

func cacheCases() []ruled {
	return []ruled{
		options("recommended", ",actimeo=1,lookupcache=pos", "short"),
		options("the other way", ",acdirmax=1,lookupcache=pos", "short"),
		options("no cache", ",noac", "short"),
		options("defaults", "", "long"),
		options("files only", ",acregmax=1", "long"),
		options("names", ",actimeo=1", "negative"),
		options("nocto", ",nocto,actimeo=1,lookupcache=pos", "nocto"),
		options("soft", ",soft,actimeo=1,lookupcache=pos", "soft"),
		options("softerr", ",softerr", "soft"),
		shareCase(judgeCache, "cifs", "short", func(o *ShareSeen) {
			o.Mount, _ = parseMount("40 30 0:52 / /mnt rw - cifs //srv/share rw,actimeo=1")
		}),
		shareCase(judgeCache, "slow cifs", "long", func(o *ShareSeen) {
			o.Mount, _ = parseMount("40 30 0:52 / /mnt rw - cifs //srv/share rw,actimeo=30")
		}),
		shareCase(judgeCache, "ext4", "no_cache", localShare),
		shareCase(judgeCache, "no table", "unknown", func(o *ShareSeen) { o.Known = false }),
	}
}

func writableCases() []ruled {
	j := judgeShareWritable
	closed := func(o *ShareSeen) { o.Folder.Writable = false; o.Mount.Options[0] = "ro" }
	return []ruled{
		shareCase(j, "healthy", "writable", func(*ShareSeen) {}),
		shareCase(j, "read-only", "read_only", closed),
		shareCase(j, "read-only, to be cleaned", "cannot_clean", func(o *ShareSeen) { closed(o); o.Clean = true }),
		shareCase(j, "hung", "not_there", func(o *ShareSeen) { o.Stalled = time.Second }),
	}
}

func spaceCases(c *Check) []ruled {
	of := func(total, free, inodes, ifree uint64, reserve int64) Result {
		return judgeSpace(c, "/d", false, SpaceSeen{total, free, inodes, ifree}, reserve)
	}
	return []ruled{
		{"half", of(100*gib, 50*gib, 10, 5, gib), "enough"},
		{"large with little", of(10000*gib, 900*gib, 0, 0, gib), "enough"},
		{"small and empty", of(gib, gib, 0, 0, 0), "enough"},
		{"a tenth", of(500*gib, 40*gib, 0, 0, gib), "low"},
		{"few inodes", of(500*gib, 400*gib, 1000, 50, gib), "low"},
		{"no inodes", of(500*gib, 400*gib, 1000, 0, gib), "full"},
		{"under the reserve", of(500*gib, 5*gib, 0, 0, 20*gib), "full"},
		{"nothing", of(500*gib, 0, 0, 0, 0), "full"},
		{"no folder", judgeSpace(c, "/d", true, SpaceSeen{}, 0), "not_there"},
	}
}

func clockCases() []ruled {
	j := judgeClock
	seen := func(k ClockSeen) func(*ShareSeen) { return func(o *ShareSeen) { o.Clock = k } }
	return []ruled{
		shareCase(j, "healthy", "agrees", func(*ShareSeen) {}),
		shareCase(j, "server behind", "skewed", seen(ClockSeen{Probed: true, Skew: -time.Minute})),
		shareCase(j, "server ahead", "skewed", seen(ClockSeen{Probed: true, Skew: time.Minute})),
		shareCase(j, "read-only, old files", "agrees", seen(ClockSeen{Newest: true, Skew: -time.Hour})),
		shareCase(j, "read-only, future", "future", seen(ClockSeen{Newest: true, Skew: time.Hour})),
		shareCase(j, "read-only, empty", "not_there", seen(ClockSeen{})),
	}
}

func viewCases() []ruled {
	here, _ := parseMount(nfsLine)
	root, _ := parseMount(ext4Line)
	clone := here
	clone.Root = "/clone"
	const at = "/mnt/sfs/outputs"
	bind := here
	bind.Root, bind.Point = "/outputs", at
	good := ViewSeen{Answers: true, Path: at, Here: here, There: here, Known: true, ThereKnown: true, Alive: true, Status: job.ShareStatus{Path: at, Mounted: true, FSType: "nfs"}}
	with := func(break_ func(*ViewSeen)) Result {
		o := good
		break_(&o)
		return judgeView(o)
	}
	return []ruled{
		{"healthy", judgeView(good), "same"},
		{"table of the other not readable", with(func(o *ViewSeen) { o.ThereKnown = false }), "same"},
		{"nobody", with(func(o *ViewSeen) { o.Answers = false }), "not_known"},
		{"other path", with(func(o *ViewSeen) { o.Status.Path = "/p" }), "other_path"},
		{"container without the mount", with(func(o *ViewSeen) { o.There = root }), "other_mount"},
		{"the same, bound", with(func(o *ViewSeen) { o.There = bind }), "same"},
		{"clone", with(func(o *ViewSeen) { o.There = clone }), "other_mount"},
		{"other type, by its word", with(func(o *ViewSeen) { o.ThereKnown, o.Status.FSType = false, "ext4" }), "other_mount"},
		{"stalled there", with(func(o *ViewSeen) { o.Status.Stalled = true }), "blind"},
		{"away there", with(func(o *ViewSeen) { o.Status.Mounted, o.Status.LookedAt = false, time.Now() }), "blind"},
		{"just started", with(func(o *ViewSeen) { o.Status = job.ShareStatus{Path: at} }), "not_known"},
		{"trouble there", with(func(o *ViewSeen) { o.Status.Mounted, o.Status.Error = false, &job.Error{Message: "it is away"} }), "blind"},
	}
}

func sameCases() []ruled {
	return []ruled{
		{"found", judgeSame(SameSeen{Answers: true, Looked: 5, Found: 5}), "same"},
		{"a part was cleaned by hand", judgeSame(SameSeen{Answers: true, Looked: 5, Found: 1}), "same"},
		{"clone", judgeSame(SameSeen{Answers: true, Looked: 5, Newest: time.Minute}), "elsewhere"},
		{"cleaned", judgeSame(SameSeen{Answers: true, Looked: 5, Cleaned: true}), "not_known"},
		{"nothing yet", judgeSame(SameSeen{Answers: true}), "not_known"},
		{"only lost ones", judgeSame(SameSeen{Answers: true, Fruitless: 3}), "nothing_comes"},
		{"files do not come any more", judgeSame(SameSeen{Answers: true, Looked: 5, Found: 5, Lost: "nothing is sent"}), "nothing_comes"},
		{"no manager", judgeSame(SameSeen{}), "not_known"},
		{"no share", judgeSame(SameSeen{Answers: true, Gone: true, Looked: 3}), "not_known"},
	}
}
