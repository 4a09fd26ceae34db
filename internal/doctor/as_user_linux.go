package doctor

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AsUser calls f with the file system rights of another user, as the kernel
// itself judges them (modes, groups, access lists, a server that squashes
// root). It needs root; for anybody else, and for one's own user, f is called
// as it is. f runs on a thread of its own, which is thrown away. False says that
// the user could not be taken on, and f was not called.
func AsUser(w Who, f func()) (called bool) {
	if unix.Geteuid() != 0 || w.UID == 0 {
		f()
		return true
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		groups := []uint32{uint32(w.GID)}
		for _, g := range w.Groups {
			groups = append(groups, uint32(g))
		}
		if setGroups(groups) && unix.Setfsgid(w.GID) == nil && unix.Setfsuid(w.UID) == nil {
			called = true
			f()
		}
	}()
	<-done
	return called
}

// setGroups sets the supplementary groups, at least one, of this thread only; the wrapper of
// the standard library would set them for the whole process.
func setGroups(groups []uint32) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0)
	return errno == 0
}
