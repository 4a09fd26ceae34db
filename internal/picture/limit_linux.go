package picture

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dataSlack is what the runtime maps beyond what it uses, in bytes: the heap
// grows by 64 MiB at a time.
const dataSlack = 128 << 20

// limitProcess lets the kernel end this process when it takes more. The limit
// on memory is a backstop: the runtime keeps to its own, which is exact.
func limitProcess(memory int64, cpu time.Duration) error {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages := strings.Fields(string(raw))
	if len(pages) < 6 {
		return fmt.Errorf("/proc/self/statm has %d numbers", len(pages))
	}
	data, err := strconv.ParseUint(pages[5], 10, 64)
	if err != nil {
		return err
	}
	limits := map[int]uint64{
		unix.RLIMIT_DATA: data*uint64(os.Getpagesize()) + uint64(memory) + dataSlack,
		unix.RLIMIT_CPU:  uint64(cpu / time.Second), // as a hard limit it kills
		unix.RLIMIT_CORE: 0,
	}
	if raceDetector {
		delete(limits, unix.RLIMIT_DATA) // it maps several times what the program does
	}
	for what, most := range limits {
		var now unix.Rlimit
		if err := unix.Prlimit(0, what, nil, &now); err != nil {
			return err
		}
		most = min(most, now.Max)
		if err := unix.Prlimit(0, what, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return err
		}
	}
	return nil
}
