package doctor

// The checks of the shared folder.
var (
	shareMounted = &Check{Name: "share-mounted", Looks: "whether share.outputs is there and is a mount, by stat and /proc/self/mountinfo; its sentinel", Cases: []int{4, 5},
		Rulings: []Ruling{
			{"mounted", OK, "it lies on a file system other than the root's", ""},
			{"local", OK, "it is a plain local folder, and nothing says that it has to be a mount", ""},
			{"new", OK, "it is the folder of a start without any configuration, which the manager makes", ""},
			{"missing", Fail, "the folder is not there", "mount the share, or set share.outputs"},
			{"not_folder", Fail, "something else than a folder stands there", "set share.outputs to a folder"},
			{"not_mounted", Fail, "share.require_mount is on and it lies on the root file system, or the sentinel is missing", "mount the share; see /etc/fstab and the platform's page of the shared volume: it must be shared to this instance, and its pseudo-path can change on reboot"},
			{"suspect", Warn, "it lies on the root file system while every deployment is on other machines", "mount the share there; if this is meant, nothing the workers write can appear here"},
			{"unreadable", Fail, "the folder cannot be looked into", "give the manager's user the right to it"},
		}}
	shareAlive = &Check{Name: "share-alive", Looks: "whether statfs, a fresh listing and a read of share.outputs end in time, in this process's own mount namespace", Cases: []int{5},
		Rulings: []Ruling{
			{"alive", OK, "it answers", ""},
			{"slow", Warn, "a listing took more than a second", "look at the network and the server of the share; every look of the manager takes as long"},
			{"stalled", Fail, "it does not answer", "see whether its server answers; a hung mount goes with umount -f -l, and containers that bind it must then be restarted"},
			{"stale", Fail, "the kernel says that the handle is stale", "mount the share anew, then restart containers that bind it"},
			{"not_there", Skip, "there is no folder to look at", ""},
		}}
	shareType = &Check{Name: "share-type", Looks: "the file system of share.outputs, by /proc/self/mountinfo and statfs, and whether share.watch fits it", Cases: []int{5, 8},
		Rulings: []Ruling{
			{"remote", OK, "a network file system, which the manager looks into by itself", ""},
			{"local", OK, "a local file system, where events are hints", ""},
			{"deaf", Warn, "share.watch is notify on a file system that raises no events for what others write", `set share.watch = "auto"; events then only bring looks forward`},
			{"unknown", Skip, "the mount table does not name it, or there is no folder", ""},
		}}
	shareCache = &Check{Name: "share-cache", Looks: "the attribute cache of the share's mount: actimeo, acdirmax, acregmax, lookupcache, nocto, soft, noac in /proc/self/mountinfo", Cases: []int{4, 5, 8},
		Rulings: []Ruling{
			{"no_cache", OK, "the file system has no such cache", ""},
			{"short", OK, "new files show within a few seconds", ""},
			{"long", Warn, "directory attributes are kept for longer than queue.settle, 30 to 60 s by default", "mount with actimeo=1, or with acdirmax=1,lookupcache=pos"},
			{"negative", Warn, "names that were not there are remembered (lookupcache is not pos or none)", "mount with lookupcache=pos"},
			{"nocto", Fail, "nocto: what others wrote need not show when a file is opened", "mount without nocto"},
			{"soft", Warn, "soft: a slow server becomes an error in the middle of a copy", "mount with hard, which is the default"},
			{"unknown", Skip, "the mount table does not show it, or there is no folder", ""},
		}}
	shareWritable = &Check{Name: "share-writable", Looks: "whether the manager's user may write to share.outputs, against retention.share", Cases: []int{6},
		Rulings: []Ruling{
			{"writable", OK, "it may", ""},
			{"read_only", OK, "it may not, and nothing has to be cleaned there", ""},
			{"cannot_clean", Fail, "it may not, and retention.share wants files removed there", `set retention.share = "off", or mount the share for writing`},
			{"not_there", Skip, "there is no folder to look at", ""},
		}}
	shareSpace = &Check{Name: "share-space", Looks: "free bytes and inodes of the share, by statfs",
		Rulings: spaceRulings("remove old outputs from the share, or enlarge its volume: workers cannot write their results")}
	shareClock = &Check{Name: "share-clock", Looks: "the clock of the share's server against this one, by the time stamp of a file that is made and removed, else of the newest file",
		Rulings: []Ruling{
			{"agrees", OK, "they agree", ""},
			{"skewed", Warn, "they differ by more than five seconds", "let both machines keep time by NTP: stamps of outputs and looks are compared"},
			{"future", Warn, "the newest file is from the future", "let the workers and the share's server keep time by NTP"},
			{"not_there", Skip, "nothing there tells the time", ""},
		}}
	shareSame = &Check{Name: "share-same", Looks: "whether outputs that the manager has delivered, or the jobs that it has lost, fit what stands on the share as seen here: the sign of a clone", Cases: []int{4},
		Rulings: []Ruling{
			{"same", OK, "sources of delivered outputs stand here", ""},
			{"elsewhere", Fail, "not one source of the newest outputs stands here", "compare the volume ids of this mount and of the workers': one of them is a clone, or another volume"},
			{"nothing_comes", Warn, "jobs end without files, and none was ever delivered, or the manager sends nothing to a deployment for that", "compare the volume ids of this mount and of the workers', then run qmtui doctor --canary"},
			{"not_known", Skip, "nothing was delivered yet, or sources are cleaned away", ""},
		}}
	shareView = &Check{Name: "share-view", Looks: "whether the manager's process sees the same mount as this one: its mount table by /proc/PID/mountinfo, and what it says of the share itself", Cases: []int{5},
		Rulings: []Ruling{
			{"same", OK, "both see the same mount", ""},
			{"other_mount", Fail, "the manager sees another file system, or another folder of it, at that path", "restart the manager, or its container, so that it takes the present mount; bind the share with propagation rslave"},
			{"blind", Fail, "the manager itself says that the share is away or stalls, and it is there from here", "restart the manager, or its container; bind the share with propagation rslave"},
			{"other_path", Warn, "the manager looks at another path than the configuration here says", "give doctor the manager's configuration with --config, or let the manager look: qmtui doctor --by-manager"},
			{"not_known", Skip, "no manager answers, or it has not looked yet, so there is nothing to compare", ""},
		}}
)

// spaceRulings are those of every check of free space.
func spaceRulings(next string) []Ruling {
	return []Ruling{
		{"enough", OK, "there is enough", ""},
		{"low", Warn, "less than a tenth, or less than 10 GiB and a third, of space is left, or a tenth of inodes", next},
		{"full", Fail, "less than share.free_reserve, or than 1 GiB, is left, or no inodes", next},
		{"not_there", Skip, "there is no folder to look at", ""},
	}
}
