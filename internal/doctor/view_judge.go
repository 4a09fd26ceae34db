package doctor

import (
	"cmp"
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// ViewSeen is the share as the manager sees it beside the share as seen here.
type ViewSeen struct {
	Answers bool            // a manager does
	Status  job.ShareStatus // what it says
	Path    string          // share.outputs of the configuration here
	Real    string          // the same without symbolic links; empty when there are none
	Here    Mount
	Known   bool // Here is
	Alive   bool // from here
	There   Mount
	// ThereKnown says that the mount table of the manager's process could be read.
	ThereKnown bool
}

func (o ViewSeen) real() string { return cmp.Or(o.Real, o.Path) }

func judgeView(o ViewSeen) Result {
	c, s := shareView, o.Status
	switch {
	case !o.Answers:
		return c.say("not_known", "no manager answers, so there is no other view")
	case s.Path != "" && s.Path != o.Path:
		return c.say("other_path", "the manager looks at %s, and the configuration here names %s", s.Path, o.Path)
	case o.Known && o.ThereKnown && !o.Here.same(o.There, o.real()):
		return c.say("other_mount", "the manager sees %s at %s, and this process sees %s", mountWords(o.There, o.real()), o.Path, mountWords(o.Here, o.real()))
	case s.LookedAt.IsZero() && s.Error == nil && !s.Stalled && !s.Mounted:
		return c.say("not_known", "the manager has not looked at %s yet", o.Path)
	case o.Alive && (s.Stalled || !s.Mounted):
		return c.say("blind", "%s is alive from here, but the manager says: %s", o.Path, shareWords(s))
	case o.Known && !o.ThereKnown && s.FSType != "" && !sameType(s.FSType, o.Here.Type):
		return c.say("other_mount", "the manager sees a file system of type %s at %s, and this process sees %s", s.FSType, o.Path, mountWords(o.Here, o.real()))
	}
	return c.say("same", "the manager and this process see the same mount")
}

// mountWords names what a path is in a mount.
func mountWords(m Mount, path string) string {
	if f := m.folder(path); f != "/" && f != "" {
		return fmt.Sprintf("%s of %s (%s)", f, m.Source, m.Type)
	}
	return fmt.Sprintf("%s (%s)", m.Source, m.Type)
}

func shareWords(s job.ShareStatus) string {
	switch {
	case s.Error != nil:
		return s.Error.Message
	case s.Stalled:
		return "a look at it has been hanging for long"
	}
	return "it is not mounted"
}

// sameType compares the manager's word for a file system with the mount
// table's; the manager says nfs for nfs4 and fuse for fuse.sshfs.
func sameType(said, table string) bool {
	return said == table || said == "unknown" || said == "nfs" && table == "nfs4" || said == "fuse" && remoteType(table)
}

// SameSeen says how delivered outputs fit what stands on the share here.
type SameSeen struct {
	Answers bool
	Gone    bool // the share cannot be looked at from here
	Cleaned bool // retention.share removes sources
	Looked  int  // sources of the newest delivered outputs that were looked for
	Found   int  // of these, that stand here
	// Fruitless counts recent jobs that ended without files though somebody
	// accepted them: no_files, never_appeared.
	Fruitless int
	Newest    time.Duration // age of the newest delivered output
	Lost      string        // why nothing is sent to a deployment whose files do not come; empty for none
}

func judgeSame(o SameSeen) Result {
	c := shareSame
	switch {
	case !o.Answers:
		return c.say("not_known", "no manager answers, so nothing is known of what was delivered")
	case o.Gone:
		return c.say("not_known", "the share cannot be looked at from here")
	case o.Lost != "":
		return c.say("nothing_comes", "%s", o.Lost)
	case o.Looked == 0 && o.Fruitless > 0:
		return c.say("nothing_comes", "%d jobs ended without files, and none was ever delivered: the workers may write to another volume", o.Fruitless)
	case o.Looked == 0:
		return c.say("not_known", "nothing was delivered yet; qmtui doctor --canary proves it")
	case o.Found > 0:
		return c.say("same", "%d of the %d newest sources stand here", o.Found, o.Looked)
	case o.Cleaned:
		return c.say("not_known", "the sources of delivered outputs are cleaned away by retention.share")
	}
	return c.say("elsewhere", "not one of the %d newest sources, the last of %s ago, stands on the share as seen here", o.Looked, o.Newest.Round(time.Second))
}
