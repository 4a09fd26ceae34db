package doctor

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// The checks of the manager's own data.
var (
	stateFolder = &Check{Name: "state-folder", Looks: "the state folder: on a local disk, writable by the manager's user, closed to others", Cases: []int{10},
		Rulings: []Ruling{
			{"local", OK, "it is on a local disk", ""},
			{"new", OK, "it is not there yet, and the manager can make it", ""},
			{"remote", Fail, "it is on a network file system, where a database can be damaged", "set state.dir to a folder on a local disk"},
			{"memory", Warn, "it is in memory, and is gone after a restart", "set state.dir to a folder on a disk"},
			{"not_writable", Fail, "the manager's user may not write to it", "give that user the folder, or set state.dir"},
			{"not_folder", Fail, "something else than a folder stands there", "set state.dir"},
			{"open", Warn, "others may write to it", "chmod 0700 it: who can write there owns the queue"},
		}}
	stateLock = &Check{Name: "state-lock", Looks: "who holds the database's lock, against who answers on the socket", Cases: []int{10},
		Rulings: []Ruling{
			{"held", OK, "the manager that answers holds it", ""},
			{"free", OK, "nobody holds it, and no manager answers", ""},
			{"silent", Fail, "a process holds it, and no manager answers on the socket", "look at that process and its log; stop it before another manager starts"},
			{"elsewhere", Warn, "a manager answers, and does not hold this database", "give doctor the manager's configuration with --config, or let the manager look: qmtui doctor --by-manager"},
			{"host", Fail, "a process on another machine holds it: the folder is shared between machines", "give each machine a state.dir of its own, on a local disk"},
		}}
	stateDatabase = &Check{Name: "state-database", Looks: "the database file: its size, its free pages (from its own header, without opening it), its mode",
		Rulings: []Ruling{
			{"sound", OK, "it is there and its header can be read", ""},
			{"new", OK, "it is not there yet; the manager makes it", ""},
			{"not_database", Fail, "something else stands there, or its header is damaged", "stop the manager and run qmtui db check; put a backup in its place when that fails"},
			{"sparse", Warn, "more than half of more than 64 MiB is free pages", "stop the manager and run qmtui db compact, or restart it: it compacts at its start"},
			{"large", Warn, "it has more than 4 GiB", "shorten retention.jobs"},
			{"unreadable", Skip, "it may not be read by this user", "run doctor as the manager's user, or as root"},
		}}
	stateSpace = &Check{Name: "state-space", Looks: "free bytes and inodes where the database lies, by statfs",
		Rulings: spaceRulings("free some space: without it no job can be taken")}
)

// StateSeen is the manager's own data.
type StateSeen struct {
	Folder FolderSeen // of the state folder, or of the nearest above it that is there
	New    bool       // the state folder itself is not there yet
	Type   string     // of its file system; empty when not known
	Lock   LockSeen
	DB     DatabaseSeen
}

// LockSeen is the lock file.
type LockSeen struct {
	Held   bool
	PID    int // of the holder as it signed; 0 when not known
	Host   string
	Since  time.Time
	Here   string // this machine's name
	Answer bool   // a manager answers on the socket
	Peer   int    // its process; 0 when not known
}

// DatabaseSeen is the header of the database file. Sizes in bytes.
type DatabaseSeen struct {
	Path       string
	Missing    bool
	Unreadable string
	Broken     string // why it is not a database; empty when it is one
	Size, Free int64  // Free is -1 when not known
}

func judgeState(o StateSeen) []Result {
	return []Result{judgeStateFolder(o), judgeLock(o.Lock), judgeDatabase(o.DB),
		judgeSpace(stateSpace, o.Folder.Path, !o.Folder.there(), o.Folder.Space, 0)}
}

func judgeStateFolder(o StateSeen) Result {
	c, f := stateFolder, o.Folder
	switch {
	case f.NotDir:
		return c.say("not_folder", "%s is not a folder", f.Path)
	case remoteType(o.Type):
		return c.say("remote", "%s is on %s", f.Path, o.Type)
	case !f.there() || !f.Writable:
		return c.say("not_writable", "the manager's user may not write to %s", f.Path)
	case o.New:
		return c.say("new", "it is not there yet; the manager makes it in %s", f.Path)
	case f.Mode&0o022 != 0:
		return c.say("open", "others may write to %s, mode %04o", f.Path, f.Mode&0o7777)
	case o.Type == "tmpfs" || o.Type == "ramfs":
		return c.say("memory", "%s is on %s", f.Path, o.Type)
	}
	return c.say("local", "%s is on %s", f.Path, orUnknown(o.Type))
}

func orUnknown(s string) string {
	if s == "" {
		return "a file system that the mount table does not name"
	}
	return s
}

func judgeLock(o LockSeen) Result {
	c := stateLock
	holder := "a process that did not sign"
	if o.PID != 0 {
		holder = fmt.Sprintf("process %d on %s since %s", o.PID, o.Host, o.Since.Format(time.RFC3339))
	}
	switch {
	case o.Held && o.Host != "" && o.Here != "" && o.Host != o.Here && !o.Answer:
		return c.say("host", "%s holds the database, and this is %s", holder, o.Here)
	case o.Held && !o.Answer:
		return c.say("silent", "%s holds the database, and no manager answers on the socket", holder)
	case o.Held && o.Peer != 0 && o.PID != 0 && o.Host == o.Here && o.Peer != o.PID:
		return c.say("elsewhere", "process %d answers on the socket, and %s holds the database", o.Peer, holder)
	case o.Held:
		return c.say("held", "the manager that answers holds it")
	case o.Answer:
		return c.say("elsewhere", "a manager answers, and nobody holds the database of this configuration")
	}
	return c.say("free", "nobody holds it, and no manager answers")
}

func judgeDatabase(o DatabaseSeen) Result {
	c := stateDatabase
	switch {
	case o.Missing:
		return c.say("new", "%s is not there yet", o.Path)
	case o.Unreadable != "":
		return c.say("unreadable", "%s cannot be read: %s", o.Path, o.Unreadable)
	case o.Broken != "":
		return c.say("not_database", "%s: %s", o.Path, o.Broken)
	case o.Free > o.Size/2 && o.Size > 64<<20:
		return c.say("sparse", "%s of the %s of %s hold nothing", humanize.IBytes(uint64(o.Free)), humanize.IBytes(uint64(o.Size)), o.Path)
	case o.Size > 4*gib:
		return c.say("large", "%s has %s", o.Path, humanize.IBytes(uint64(o.Size)))
	}
	return c.say("sound", "%s, %s%s", o.Path, humanize.IBytes(uint64(o.Size)), freeWords(o.Free))
}

func freeWords(n int64) string {
	if n < 0 {
		return ""
	}
	return ", of which " + humanize.IBytes(uint64(n)) + " are free pages"
}
