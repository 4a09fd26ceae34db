package limit

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDisks(t *testing.T) {
	free := int64(100)
	d := NewDisks(Disk{Name: "inputs", Path: "/in", Leave: 40, Full: 20}, Disk{Name: "outputs", Path: "/out", Full: 20}, Disk{Name: "none"})
	d.free = func(string) (int64, error) { return free, nil }
	written, err := d.Claim("inputs", 30)
	if err != nil {
		t.Fatal(err)
	}
	var full *FullError
	if _, err := d.Claim("inputs", 31); !errors.As(err, &full) || *full != (FullError{"inputs", 100, 40}) {
		t.Errorf("more than is left beside what is being written: %v", err)
	}
	if room, leave, ok := d.Room("inputs"); room != 30 || leave != 40 || !ok {
		t.Errorf("%d bytes of room, %d to stay free, %v", room, leave, ok)
	}
	written()
	if _, err := d.Claim("inputs", 31); err != nil {
		t.Errorf("when that was given up: %v", err)
	}
	for _, name := range []string{"outputs", "none", "unknown"} {
		if _, err := d.Claim(name, 1000); err != nil {
			t.Errorf("%s has no reserve: %v", name, err)
		}
		if _, _, ok := d.Room(name); ok {
			t.Errorf("%s has a bound", name)
		}
	}
	d.free = func(string) (int64, error) { return 0, errors.New("away") }
	if _, err := d.Claim("inputs", 1000); err != nil {
		t.Errorf("a disk that does not answer: %v", err)
	}
}

// The disks that are full are known without waiting for one that hangs.
func TestDisksFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Int64
		free.Store(10)
		hang := make(chan bool)
		d := NewDisks(Disk{Name: "state", Path: "/state", Full: 20}, Disk{Name: "share", Path: "/hangs", Full: 20})
		d.free = func(path string) (int64, error) {
			if path == "/hangs" {
				<-hang
			}
			return free.Load(), nil
		}
		if len(d.Full()) != 0 {
			t.Error("full before the first look")
		}
		ctx, stop := context.WithCancel(t.Context())
		go d.Run(ctx)
		synctest.Wait()
		if got := d.Full(); len(got) != 1 || *got[0] != (FullError{"state", 10, 20}) {
			t.Errorf("%v", got)
		}
		free.Store(20)
		<-time.After(lookEvery) // fake time
		synctest.Wait()
		if got := d.Full(); len(got) != 0 {
			t.Errorf("%v", got)
		}
		stop()
		close(hang)
	})
}

func TestFreeSpace(t *testing.T) {
	if free, err := freeSpace(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("%d %v", free, err)
	}
	if _, err := freeSpace(t.TempDir() + "/none"); err == nil {
		t.Error("a folder that is not there has room")
	}
}
