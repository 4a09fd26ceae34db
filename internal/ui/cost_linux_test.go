package ui

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cost is the CPU time that do takes: on a busy machine the wall's clock tells
// more about the neighbours.
func cost(do func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	from := threadTime()
	do()
	return threadTime() - from
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
