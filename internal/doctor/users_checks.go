package doctor

import (
	"fmt"
	"strings"
)

// The checks of the users' folders.
var (
	usersFolder = &Check{Name: "users-folder", Looks: "whether users.outputs is there, and each folder in it is a real folder",
		Rulings: []Ruling{
			{"there", OK, "it is there", ""},
			{"new", OK, "it is the folder of a start without any configuration, which the manager makes", ""},
			{"empty", Warn, "it is there and has no user's folder, and the manager may not make one", "make a folder for each user, or let the manager write there"},
			{"missing", Fail, "it is not there", "make it or mount it, or set users.outputs"},
			{"not_folder", Fail, "something else than a folder stands there", "set users.outputs to a folder"},
			{"unreadable", Fail, "it cannot be looked into", "give the manager's user the right to it"},
			{"links", Fail, "a user's folder is a symbolic link, which is never followed", "put a real folder in its place, or a bind mount"},
		}}
	usersWritable = &Check{Name: "users-writable", Looks: "whether the manager's user (its uid, gid and groups, asked of its process) may write to every user's folder", Cases: []int{6},
		Rulings: []Ruling{
			{"writable", OK, "it may", ""},
			{"not_writable", Fail, "it may not write to some", "chown or setfacl them for the manager's user"},
			{"no_new", Warn, "it may write to all that are there, but not make one for a new user", "let it write to users.outputs, or make each new user's folder by hand"},
			{"not_there", Skip, "there is no folder to look at", ""},
		}}
	usersSticky = &Check{Name: "users-sticky", Looks: "mode bits of users' folders: the sticky bit and who owns them", Cases: []int{6},
		Rulings: []Ruling{
			{"plain", OK, "nothing unusual", ""},
			{"sticky", Warn, "a folder is sticky and belongs to another user: the manager may make files there but not put one in another's place, nor take away its own half ones once they were handed over", "chmod -t it, or give it to the manager's user"},
			{"anybody", Warn, "a folder may be written by everybody, without the sticky bit", "chmod o-w it: any process on the machine can replace outputs"},
			{"not_there", Skip, "there is no folder to look at", ""},
		}}
	usersSpace = &Check{Name: "users-space", Looks: "free bytes and inodes where users.outputs lies, by statfs",
		Rulings: spaceRulings("remove old outputs of users, or enlarge the disk: nothing is delivered below share.free_reserve")}
	inputsFolders = &Check{Name: "inputs", Looks: "whether share.inputs and users.inputs are both set, are there, and the first can be written", Cases: []int{14},
		Rulings: []Ruling{
			{"carried", OK, "uploads are carried to the workers", ""},
			{"off", Skip, "neither is set: pictures that users upload do not reach the workers, and LoadImage fails", "set share.inputs and users.inputs, if users upload pictures"},
			{"half", Warn, "only one is set, so nothing is carried", "set both, or neither"},
			{"missing", Fail, "one of them is not there", "make it or mount it"},
			{"not_writable", Fail, "the manager's user may not write to share.inputs", "mount it for writing, and give the manager's user the right to it"},
		}}
)

// UsersSeen is what stands in users.outputs.
type UsersSeen struct {
	Root    FolderSeen
	Who     Who
	Folders []UserSeen // one for each entry that is a folder or a link
	Reserve int64      // bytes
	Made    bool       // the manager makes users.outputs at its start
}

// UserSeen is one user's folder.
type UserSeen struct {
	Name   string
	Link   bool
	Folder FolderSeen
}

// Who is the user that the manager runs as.
type Who struct {
	UID, GID int
	Groups   []int
	Manager  bool // asked of the running manager
	// State says that no manager runs, and that this is the owner of the state
	// folder, as whom it will run. With neither it is doctor's own user.
	State bool
}

func (w Who) String() string {
	if w.Manager {
		return fmt.Sprintf("the manager's user id %d", w.UID)
	}
	if w.State {
		return fmt.Sprintf("user id %d, who owns the state folder", w.UID)
	}
	return fmt.Sprintf("user id %d (no manager runs; doctor's own)", w.UID)
}

func judgeUsers(o UsersSeen) []Result {
	gone := !o.Root.there()
	return []Result{judgeUsersFolder(o), judgeUsersWritable(o), judgeSticky(o), judgeSpace(usersSpace, o.Root.Path, gone, o.Root.Space, o.Reserve)}
}

func judgeUsersFolder(o UsersSeen) Result {
	c, f := usersFolder, o.Root
	links := o.names(func(u UserSeen) bool { return u.Link })
	switch {
	case f.Missing && o.Made:
		return c.say("new", "%s is not there yet; the manager makes it", f.Path)
	case f.Missing:
		return c.say("missing", "%s does not exist", f.Path)
	case f.NotDir:
		return c.say("not_folder", "%s is not a folder", f.Path)
	case !f.there():
		return c.say("unreadable", "%s cannot be looked into: %s", f.Path, f.Error)
	case len(links) > 0:
		return c.say("links", "symbolic links stand for folders of users in %s: %s", f.Path, few(links))
	case len(o.Folders) == 0 && !f.Writable:
		return c.say("empty", "%s has no user's folder, and %s may not make one", f.Path, o.Who)
	}
	return c.say("there", "%s has %d users' folders", f.Path, len(o.Folders))
}

func judgeUsersWritable(o UsersSeen) Result {
	c := usersWritable
	if !o.Root.there() {
		return c.say("not_there", "there is no folder to look at")
	}
	closed := o.names(func(u UserSeen) bool { return !u.Link && !u.Folder.Writable })
	switch {
	case len(closed) > 0:
		return c.say("not_writable", "%s may not write to %d of %d users' folders in %s: %s", o.Who, len(closed), len(o.Folders), o.Root.Path, few(o.owned(closed))).
			next("let user id %d write there: chown -R %d, or setfacl -R -m u:%d:rwX -m d:u:%d:rwX", o.Who.UID, o.Who.UID, o.Who.UID, o.Who.UID)
	case !o.Root.Writable && len(o.Folders) > 0:
		return c.say("no_new", "%s may write to all %d users' folders, but not make one for a new user in %s", o.Who, len(o.Folders), o.Root.Path)
	case !o.Root.Writable:
		return c.say("not_writable", "%s may not write to %s", o.Who, o.Root.Path)
	}
	return c.say("writable", "%s may write to %s and to all %d folders in it", o.Who, o.Root.Path, len(o.Folders))
}

func judgeSticky(o UsersSeen) Result {
	const sticky, others = 0o1000, 0o002
	c := usersSticky
	if !o.Root.there() {
		return c.say("not_there", "there is no folder to look at")
	}
	stuck := o.names(func(u UserSeen) bool {
		return u.Folder.Mode&sticky != 0 && u.Folder.UID != o.Who.UID && o.Who.UID != 0
	})
	open := o.names(func(u UserSeen) bool { return !u.Link && u.Folder.Mode&others != 0 && u.Folder.Mode&sticky == 0 })
	switch {
	case len(stuck) > 0:
		return c.say("sticky", "sticky and not owned by user id %d: %s", o.Who.UID, few(stuck))
	case len(open) > 0:
		return c.say("anybody", "everybody may write to %s", few(open))
	}
	return c.say("plain", "no folder is sticky or open to everybody")
}

func (o UsersSeen) names(is func(UserSeen) bool) []string {
	var out []string
	for _, u := range o.Folders {
		if is(u) {
			out = append(out, u.Name)
		}
	}
	return out
}

// owned adds to names whose the folders are.
func (o UsersSeen) owned(names []string) []string {
	var out []string
	for _, u := range o.Folders {
		for _, n := range names {
			if u.Name == n {
				out = append(out, fmt.Sprintf("%s (user id %d, mode %04o)", n, u.Folder.UID, u.Folder.Mode&0o7777))
			}
		}
	}
	return out
}

// few lists at most five names.
func few(names []string) string {
	if len(names) <= 5 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
}

// InputsSeen is the way of uploads to the workers.
type InputsSeen struct {
	Share, Users FolderSeen // Path is empty when it is not set
}

func judgeInputs(o InputsSeen) Result {
	c := inputsFolders
	switch a, b := o.Share.Path, o.Users.Path; {
	case a == "" && b == "":
		return c.say("off", "share.inputs and users.inputs are not set, so uploads do not reach the workers")
	case a == "" || b == "":
		return c.say("half", "only %s of share.inputs and users.inputs is set, so uploads do not reach the workers", a+b)
	}
	for _, f := range []FolderSeen{o.Share, o.Users} {
		if !f.there() {
			return c.say("missing", "%s is not there or cannot be looked into", f.Path)
		}
	}
	if !o.Share.Writable {
		return c.say("not_writable", "the manager's user may not write to %s", o.Share.Path)
	}
	return c.say("carried", "uploads go from %s to %s", o.Users.Path, o.Share.Path)
}
