package limit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Disk is a folder whose disk keeps a reserve.
type Disk struct {
	Name string // told with a refusal
	Path string // empty: none
	// Leave is the space in bytes that what is written there must leave free.
	// Zero for no reserve.
	Leave int64
	// Full is below how many free bytes the disk counts as full, whoever wrote there.
	Full int64
}

// FullError is the error of what would leave too little space.
type FullError struct {
	Disk        string
	Free, Leave int64 // bytes
}

func (e *FullError) Error() string {
	return fmt.Sprintf("the disk of %s has %d bytes free, and %d are to stay free", e.Disk, e.Free, e.Leave)
}

// Disks keep reserves. Full never waits for a disk that hangs.
type Disks struct {
	free func(path string) (int64, error)

	mu    sync.Mutex
	disks []*disk
}

type disk struct {
	Disk
	claimed int64 // by writes under way
	last    int64 // free bytes at the last look
	seen    bool
	busy    bool // a look that has not come back
}

// NewDisks makes disks that are not looked at yet.
func NewDisks(all ...Disk) *Disks {
	d := &Disks{free: freeSpace}
	for _, one := range all {
		if one.Path != "" {
			d.disks = append(d.disks, &disk{Disk: one})
		}
	}
	return d
}

// Claim asks for room for size bytes on the disk of that name, and returns a
// [*FullError] when there is too little. The caller calls written when the
// bytes are there, or will not come. A disk that is not known, or does not say
// what is free, has room.
func (d *Disks) Claim(name string, size int64) (written func(), err error) {
	x := d.find(name)
	if x == nil || x.Leave <= 0 {
		return func() {}, nil
	}
	free, err := d.free(x.Path)
	if err != nil {
		return func() {}, nil // the write will say what is wrong
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x.last, x.seen = free, true
	if free-x.claimed-size < x.Leave {
		return nil, &FullError{x.Name, free, x.Leave}
	}
	x.claimed += size
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		x.claimed -= size
	}, nil
}

// Room is what uploads and the like may still write on the disk of that name, in
// bytes, beside what is under way; ok is false when it has no reserve or does not
// say what is free.
func (d *Disks) Room(name string) (room, leave int64, ok bool) {
	x := d.find(name)
	if x == nil || x.Leave <= 0 {
		return 0, 0, false
	}
	free, err := d.free(x.Path)
	if err != nil {
		return 0, 0, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return free - x.claimed - x.Leave, x.Leave, true
}

// find is the disk of that name; nil for none.
func (d *Disks) find(name string) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := slices.IndexFunc(d.disks, func(x *disk) bool { return x.Name == name }); at >= 0 {
		return d.disks[at]
	}
	return nil
}

// Full lists the disks that were full at the last look.
func (d *Disks) Full() []*FullError {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*FullError
	for _, x := range d.disks {
		if x.seen && x.last < x.Disk.Full {
			out = append(out, &FullError{x.Name, x.last, x.Disk.Full})
		}
	}
	return out
}

// lookEvery is how often disks are looked at.
const lookEvery = 2 * time.Second

// Run looks at the disks until ctx ends. It waits for none: a goroutine that
// hangs, at most one for a disk, ends when the mount answers.
func (d *Disks) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		d.mu.Lock()
		for _, x := range d.disks {
			if !x.busy {
				x.busy = true
				go d.look(x)
			}
		}
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Look looks at all disks and waits for them.
func (d *Disks) Look() {
	for _, x := range d.disks {
		d.look(x)
	}
}

func (d *Disks) look(x *disk) {
	free, err := d.free(x.Path)
	d.mu.Lock()
	defer d.mu.Unlock()
	x.busy = false
	if err == nil {
		x.last, x.seen = free, true
	}
}
