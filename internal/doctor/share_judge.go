package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// ShareSeen is what a look at the shared folder found.
type ShareSeen struct {
	Path    string
	Folder  FolderSeen
	Mount   Mount // zero when Known is false
	Known   bool  // the mount table names it
	OnRoot  bool  // on the file system of "/"
	Took    time.Duration
	Stalled time.Duration // longer than zero: it did not answer for that long
	// Sentinel is why the configured sentinel cannot be seen; empty when it can, or there is none.
	Sentinel string
	Clock    ClockSeen

	// What the configuration wants.
	RequireMount bool
	Made         bool // the manager makes the folder at its start
	Remote       bool // every deployment is on another machine
	Watch        string
	Settle       time.Duration
	Clean        bool  // retention.share is on
	Reserve      int64 // bytes
}

// FolderSeen is what stat, statfs and access said of a folder.
type FolderSeen struct {
	Path     string
	Missing  bool
	NotDir   bool
	Error    string // why it cannot be looked into; empty when it can
	Stale    bool
	Writable bool // by the manager's user
	Mode     uint32
	UID      int
	Space    SpaceSeen
}

// there reports that there is a folder that can be looked at.
func (f FolderSeen) there() bool { return !f.Missing && !f.NotDir && f.Error == "" && !f.Stale }

// SpaceSeen is from statfs. The zero value says nothing.
type SpaceSeen struct {
	Total, Free   uint64 // bytes, for an ordinary user
	Inodes, IFree uint64 // zero inodes: the file system has no fixed number
}

// ClockSeen compares the time stamp of a file with this machine's clock.
type ClockSeen struct {
	Probed bool          // a file was made for it; otherwise it is the newest that was found
	Newest bool          // some file was found
	Skew   time.Duration // stamp minus clock
}

// judgeShare says everything that one look at the share tells.
func judgeShare(o ShareSeen) []Result {
	return []Result{judgeMounted(o), judgeAlive(o), judgeType(o), judgeCache(o), judgeShareWritable(o),
		judgeSpace(shareSpace, o.Path, o.gone(), o.Folder.Space, o.Reserve), judgeClock(o)}
}

// gone reports that nothing can be said of what is in the folder.
func (o ShareSeen) gone() bool { return o.Stalled > 0 || !o.Folder.there() }

func judgeMounted(o ShareSeen) Result {
	c, f := shareMounted, o.Folder
	switch {
	case o.Stalled == 0 && f.Missing && o.Made:
		return c.say("new", "%s is not there yet; the manager makes it", o.Path)
	case o.Stalled == 0 && f.Missing:
		return c.say("missing", "%s does not exist", o.Path)
	case f.NotDir:
		return c.say("not_folder", "%s is not a folder", o.Path)
	case f.Error != "":
		return c.say("unreadable", "%s cannot be looked into: %s", o.Path, f.Error)
	case o.RequireMount && o.OnRoot:
		return c.say("not_mounted", "%s is not a mount point: it lies on the root file system", o.Path)
	case o.Sentinel != "" && o.Stalled == 0:
		return c.say("not_mounted", "%s is not the share: its sentinel cannot be seen (%s)", o.Path, o.Sentinel)
	case o.OnRoot && o.Remote:
		return c.say("suspect", "%s is an ordinary folder on the root file system, but the workers are on other machines", o.Path)
	case o.OnRoot || !o.Known:
		return c.say("local", "%s is a folder of this machine", o.Path)
	}
	return c.say("mounted", "%s is mounted from %s at %s", o.Path, o.Mount.Source, o.Mount.Point)
}

func judgeAlive(o ShareSeen) Result {
	c := shareAlive
	switch {
	case o.Stalled > 0:
		return c.say("stalled", "%s has not answered for %s", o.Path, o.Stalled)
	case o.Folder.Stale:
		return c.say("stale", "%s has a stale handle: its server does not know it any more", o.Path)
	case !o.Folder.there():
		return c.say("not_there", "there is no folder to look at")
	case o.Took > time.Second:
		return c.say("slow", "one look at %s took %s", o.Path, o.Took.Round(time.Millisecond))
	}
	return c.say("alive", "%s answered within %s", o.Path, max(o.Took.Round(time.Millisecond), time.Millisecond))
}

func judgeType(o ShareSeen) Result {
	c := shareType
	switch {
	case o.Folder.Missing && o.Stalled == 0:
		return c.say("unknown", "there is no folder to look at")
	case !o.Known:
		return c.say("unknown", "the mount table does not name the file system of %s", o.Path)
	case remoteType(o.Mount.Type) && o.Watch == "notify":
		return c.say("deaf", "share.watch is notify, but %s raises no events for what other machines write", o.Mount.Type)
	case remoteType(o.Mount.Type):
		return c.say("remote", "%s; found by looking, every share.poll", o.Mount.Type)
	}
	return c.say("local", "%s; events may bring looks forward", o.Mount.Type)
}

// judgeCache reads the options of nfs(5) and mount.cifs(8). NFS keeps attributes
// of directories for 30 to 60 s and of files for 3 to 60 s when nothing is said.
func judgeCache(o ShareSeen) Result {
	c, m := shareCache, o.Mount
	nfs, cifs := strings.HasPrefix(m.Type, "nfs"), m.Type == "cifs" || m.Type == "smb3"
	switch {
	case o.Folder.Missing && o.Stalled == 0:
		return c.say("unknown", "there is no folder to look at")
	case !o.Known:
		return c.say("unknown", "the mount table does not name %s", o.Path)
	case !nfs && !cifs:
		return c.say("no_cache", "%s has no attribute cache that options set", m.Type)
	case nfs && m.has("nocto"):
		return c.say("nocto", "%s is mounted with nocto", m.Point)
	case m.has("soft"), m.has("softerr"):
		return c.say("soft", "%s is mounted soft", m.Point)
	}
	keep := cacheSeconds(m, nfs)
	if keep > int(max(o.Settle, 3*time.Second).Seconds()) {
		return c.say("long", "%s keeps directory attributes up to %d s, and queue.settle is %s: new files show late", m.Point, keep, o.Settle)
	}
	if v, _ := m.value("lookupcache"); nfs && keep > 0 && v != "pos" && v != "positive" && v != "none" {
		return c.say("negative", "%s remembers names that were not there, up to %d s", m.Point, keep)
	}
	return c.say("short", "attributes are kept at most %d s", keep)
}

// cacheSeconds is the longest that attributes of a directory are kept.
func cacheSeconds(m Mount, nfs bool) int {
	if m.has("noac") {
		return 0
	}
	for _, name := range []string{"acdirmax", "actimeo"} {
		if n, ok := m.seconds(name); ok {
			return n
		}
	}
	if nfs {
		return 60
	}
	return 1
}

func judgeShareWritable(o ShareSeen) Result {
	c := shareWritable
	switch {
	case o.gone():
		return c.say("not_there", "there is no folder to look at")
	case o.Folder.Writable:
		return c.say("writable", "the manager's user may write to %s", o.Path)
	case o.Clean:
		return c.say("cannot_clean", "the manager's user may not write to %s%s, but retention.share wants files removed there", o.Path, readOnly(o.Mount))
	}
	return c.say("read_only", "the manager's user may not write to %s%s; outputs are delivered, nothing there is cleaned", o.Path, readOnly(o.Mount))
}

func readOnly(m Mount) string {
	if m.has("ro") {
		return ", which is mounted read-only"
	}
	return ""
}

const gib = 1 << 30

// judgeSpace is the same for every disk. reserve is in bytes; zero means 1 GiB.
func judgeSpace(c *Check, path string, gone bool, s SpaceSeen, reserve int64) Result {
	least := uint64(gib)
	if reserve > 0 {
		least = uint64(reserve)
	}
	left := fmt.Sprintf("%s of %s are free in %s", humanize.IBytes(s.Free), humanize.IBytes(s.Total), path)
	switch {
	case gone || s.Total == 0:
		return c.say("not_there", "there is no folder to look at")
	case s.Free < min(least, s.Total/20):
		return c.say("full", "only %s", left)
	case s.Inodes > 0 && s.IFree == 0:
		return c.say("full", "%s has no inodes left", path)
	case s.Free < s.Total/10 && s.Free < 100*gib, s.Free < 10*gib && s.Free < s.Total/3:
		return c.say("low", "only %s", left)
	case s.Inodes > 0 && s.IFree < s.Inodes/10:
		return c.say("low", "only %s of %s inodes are free in %s", humanize.Comma(int64(s.IFree)), humanize.Comma(int64(s.Inodes)), path)
	}
	return c.say("enough", "%s", left)
}

// maxSkew is how far clocks may differ.
const maxSkew = 5 * time.Second

func judgeClock(o ShareSeen) Result {
	c, k := shareClock, o.Clock
	skew := k.Skew.Round(100 * time.Millisecond)
	switch {
	case o.gone() || !k.Probed && !k.Newest:
		return c.say("not_there", "nothing in %s tells the time", o.Path)
	case k.Probed && k.Skew.Abs() > maxSkew:
		return c.say("skewed", "the share's server is %s %s this machine", skew.Abs(), aheadOrBehind(skew))
	case k.Skew > maxSkew:
		return c.say("future", "the newest file in %s is %s in the future", o.Path, skew)
	case k.Probed:
		return c.say("agrees", "the share's clock is within %s of this one", max(skew.Abs(), 100*time.Millisecond))
	}
	return c.say("agrees", "no file in %s is from the future", o.Path)
}

func aheadOrBehind(d time.Duration) string {
	if d > 0 {
		return "ahead of"
	}
	return "behind"
}
