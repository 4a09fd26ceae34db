package doctor

func goodUsers() UsersSeen {
	folder := func(name string) UserSeen {
		return UserSeen{Name: name, Folder: FolderSeen{Path: "/outputs/" + name, Writable: true, Mode: 0o755, UID: 1000}}
	}
	return UsersSeen{Root: FolderSeen{Path: "/outputs", Writable: true, Space: SpaceSeen{Total: 100 * gib, Free: 60 * gib}},
		Who: Who{UID: 1000, Manager: true}, Folders: []UserSeen{folder("user001"), folder("user002")}}
}

// usersCases tries the judges of users' folders; case 6 of the field is the
// folder that belongs to another user id.
func usersCases() []ruled {
	with := func(judge func(UsersSeen) Result, break_ func(*UsersSeen)) Result {
		o := goodUsers()
		break_(&o)
		return judge(o)
	}
	nothing := func(*UsersSeen) {}
	gone := func(o *UsersSeen) { o.Root = FolderSeen{Path: "/outputs", Missing: true} }
	return []ruled{
		{"healthy", with(judgeUsersFolder, nothing), "there"},
		{"missing", with(judgeUsersFolder, gone), "missing"},
		{"missing, and made by itself", with(judgeUsersFolder, func(o *UsersSeen) { gone(o); o.Made = true }), "new"},
		{"a file", with(judgeUsersFolder, func(o *UsersSeen) { o.Root.NotDir = true }), "not_folder"},
		{"denied", with(judgeUsersFolder, func(o *UsersSeen) { o.Root.Error = "permission denied" }), "unreadable"},
		{"link", with(judgeUsersFolder, func(o *UsersSeen) { o.Folders[1].Link = true }), "links"},
		{"empty", with(judgeUsersFolder, func(o *UsersSeen) { o.Folders, o.Root.Writable = nil, false }), "empty"},
		{"empty, and can make", with(judgeUsersFolder, func(o *UsersSeen) { o.Folders = nil }), "there"},

		{"healthy", with(judgeUsersWritable, nothing), "writable"},
		{"other owner", with(judgeUsersWritable, func(o *UsersSeen) { o.Folders[0].Folder.Writable, o.Folders[0].Folder.UID = false, 0 }), "not_writable"},
		{"nowhere", with(judgeUsersWritable, func(o *UsersSeen) { o.Folders, o.Root.Writable = nil, false }), "not_writable"},
		{"no new ones", with(judgeUsersWritable, func(o *UsersSeen) { o.Root.Writable = false }), "no_new"},
		{"missing", with(judgeUsersWritable, gone), "not_there"},

		{"healthy", with(judgeSticky, nothing), "plain"},
		{"sticky", with(judgeSticky, func(o *UsersSeen) { o.Folders[0].Folder.Mode, o.Folders[0].Folder.UID = 0o1777, 0 }), "sticky"},
		{"own and sticky", with(judgeSticky, func(o *UsersSeen) { o.Folders[0].Folder.Mode = 0o1777 }), "plain"},
		{"open", with(judgeSticky, func(o *UsersSeen) { o.Folders[0].Folder.Mode = 0o777 }), "anybody"},
		{"missing", with(judgeSticky, gone), "not_there"},
	}
}

func inputsCases() []ruled {
	good := FolderSeen{Path: "/in", Writable: true}
	return []ruled{
		{"both", judgeInputs(InputsSeen{good, good}), "carried"},
		{"neither", judgeInputs(InputsSeen{}), "off"},
		{"one", judgeInputs(InputsSeen{Share: good}), "half"},
		{"missing", judgeInputs(InputsSeen{good, FolderSeen{Path: "/x", Missing: true}}), "missing"},
		{"closed", judgeInputs(InputsSeen{FolderSeen{Path: "/in"}, good}), "not_writable"},
	}
}
