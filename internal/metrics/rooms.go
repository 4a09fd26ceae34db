package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// room is what a disk has left, for an ordinary user.
type room struct {
	free, size int64 // bytes
	files      int64 // that may still be made; -1 when the file system has no bound
}

// rooms look at disks now and then. A scrape never waits for a disk: a mount
// that hangs shows as figures that grow old.
type rooms struct {
	paths map[string]string
	now   func() time.Time
	look  func(path string) (room, error)

	mu   sync.Mutex
	last map[string]roomAt
	busy map[string]bool // a look that has not come back
}

type roomAt struct {
	room
	at time.Time
}

func newRooms(paths map[string]string, now func() time.Time) *rooms {
	return &rooms{paths: paths, now: now, look: lookRoom, last: map[string]roomAt{}, busy: map[string]bool{}}
}

// roomEvery is how often disks are looked at.
const roomEvery = 15 * time.Second

// run looks until ctx ends. It does not wait for a look that hangs: such a
// goroutine, at most one for a disk, ends when the mount answers.
func (r *rooms) run(ctx context.Context) {
	ticker := time.NewTicker(roomEvery)
	defer ticker.Stop()
	for {
		for name, path := range r.paths {
			if path != "" && r.begin(name) {
				go r.measure(name, path)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// begin reports whether the disk may be looked at: the last look came back.
func (r *rooms) begin(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.busy[name]
	r.busy[name] = true
	return !was
}

func (r *rooms) measure(name, path string) {
	v, err := r.look(path)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy[name] = false
	if err == nil {
		r.last[name] = roomAt{v, r.now()}
	}
}

var (
	descDiskFree  = desc("qmtui_disk_free_bytes", "Room on a disk, for an ordinary user.", "disk")
	descDiskSize  = desc("qmtui_disk_size_bytes", "Size of a disk.", "disk")
	descDiskFiles = desc("qmtui_disk_free_files", "Files that may still be made on a disk (free inodes), where that has a bound.", "disk")
	descDiskRead  = desc("qmtui_disk_looked_timestamp_seconds", "When a disk last answered. It grows old while a mount hangs or is away.", "disk")
)

// Describe is of prometheus.Collector.
func (r *rooms) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDiskFree, descDiskSize, descDiskFiles, descDiskRead} {
		ch <- d
	}
}

// Collect is of prometheus.Collector.
func (r *rooms) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, v := range r.last {
		gauge(ch, descDiskFree, float64(v.free), name)
		gauge(ch, descDiskSize, float64(v.size), name)
		if v.files >= 0 {
			gauge(ch, descDiskFiles, float64(v.files), name)
		}
		gauge(ch, descDiskRead, stamp(v.at), name)
	}
}
