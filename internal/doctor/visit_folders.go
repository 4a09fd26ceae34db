package doctor

import (
	"context"
	"os"
	"path/filepath"
)

func (v Visit) usersStage(k known) stage {
	return stage{name: "users' folders", checks: []*Check{usersFolder, usersWritable, usersSticky, usersSpace}, run: func(context.Context) []Result {
		return judgeUsers(v.seeUsers(k.who))
	}}
}

func (v Visit) seeUsers(who Who) UsersSeen {
	o := lookUsers(v.Config.Users.Outputs, who, v.Config.Share.FreeReserve.Int64())
	o.Made = v.made("users.outputs")
	return o
}

// lookUsers looks at every folder in users.outputs. It may hang.
func lookUsers(dir string, who Who, reserve int64) UsersSeen {
	o := UsersSeen{Root: lookFolder(dir, who), Who: who, Reserve: reserve}
	if !o.Root.there() {
		return o
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		o.Root.Error = rootCause(err)
	}
	for _, e := range entries {
		u := UserSeen{Name: e.Name(), Link: e.Type()&os.ModeSymlink != 0}
		if !e.IsDir() && !u.Link {
			continue
		}
		u.Folder = lookFolder(filepath.Join(dir, e.Name()), who)
		o.Folders = append(o.Folders, u)
	}
	return o
}

func (v Visit) inputsStage(k known) stage {
	return stage{name: "inputs", checks: []*Check{inputsFolders}, run: func(context.Context) []Result {
		var o InputsSeen
		if p := v.Config.Share.Inputs; p != "" {
			o.Share = lookFolder(p, k.who)
		}
		if p := v.Config.Users.Inputs; p != "" {
			o.Users = lookFolder(p, k.who)
		}
		return []Result{judgeInputs(o)}
	}}
}
