package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/comfyume/qmtui/internal/job"
)

// refuseForeignState keeps root from running a manager in the state folder of
// another user: the files that root makes there, and those delivered, would
// shut out the service afterwards.
func refuseForeignState(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return nil // what is not there yet will be ours
	}
	return judgeOwner(dir, os.Geteuid(), ownerOf(info))
}

// ownerOf is the user id of a file's owner; -1 when that is not known.
func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func judgeOwner(dir string, us, owner int) error {
	if us != 0 || owner <= 0 {
		return nil
	}
	name := "uid " + strconv.Itoa(owner)
	as := "#" + strconv.Itoa(owner)
	if u, err := user.LookupId(strconv.Itoa(owner)); err == nil {
		name, as = u.Username, u.Username
	}
	return &job.Error{Code: "state_of_another_user", Class: job.Conflict,
		Message: fmt.Sprintf("%s belongs to %s, and files that root makes there would shut them out", dir, name),
		Hint:    fmt.Sprintf("start the service (systemctl start qmtui), or run it as its user: sudo -u '%s' qmtui", as)}
}
