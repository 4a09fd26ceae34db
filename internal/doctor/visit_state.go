package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/comfyume/qmtui/internal/config"
)

// The names of internal/store.
const (
	databaseName = "qmtui.db"
	lockName     = "qmtui.lock"
)

func (v Visit) stateStage(k known) stage {
	return stage{name: "database", checks: []*Check{stateFolder, stateLock, stateDatabase, stateSpace}, run: func(context.Context) []Result {
		dir, err := v.Config.StateDir(nil)
		if err != nil {
			return judgeConfig(SettingsSeen{Problems: config.ProblemsOf(err)})
		}
		return judgeState(seeState(dir, k))
	}}
}

// seeState may hang, on a state folder that should not be on such a disk.
func seeState(dir string, k known) StateSeen {
	o := StateSeen{Folder: lookFolder(dir, k.who)}
	for at := dir; o.Folder.Missing && at != filepath.Dir(at); {
		at, o.New = filepath.Dir(at), true
		o.Folder = lookFolder(at, k.who)
	}
	if mounts, err := readMounts("self"); err == nil {
		if m, ok := mountOf(mounts, resolved(o.Folder.Path)); ok {
			o.Type = m.Type
		}
	}
	o.Lock = lookLock(filepath.Join(dir, lockName))
	o.Lock.Answer, o.Lock.Peer = k.answers(), k.pid
	o.DB = lookDatabase(filepath.Join(dir, databaseName))
	return o
}

// lookLock reads who signed the lock file, and whether it is held.
func lookLock(path string) LockSeen {
	var o LockSeen
	o.Here, _ = os.Hostname()
	b, err := os.ReadFile(path)
	if err != nil {
		return o
	}
	var signed struct {
		PID   int       `json:"pid"`
		Host  string    `json:"host"`
		Start time.Time `json:"start"`
	}
	if json.Unmarshal(b, &signed) == nil {
		o.PID, o.Host, o.Since = signed.PID, signed.Host, signed.Start
	}
	o.Held = lockHeld(path)
	return o
}

func lookDatabase(path string) DatabaseSeen {
	o := DatabaseSeen{Path: path, Free: -1}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.Missing = true
		return o
	case err != nil:
		o.Unreadable = rootCause(err)
		return o
	case !info.Mode().IsRegular():
		o.Broken = "it is not a regular file"
		return o
	}
	f, err := os.Open(path)
	if err != nil {
		o.Unreadable = rootCause(err)
		return o
	}
	defer func() { _ = f.Close() }()
	o.Size = info.Size()
	if o.Free, err = freeBytes(f); err != nil {
		o.Broken = err.Error()
	}
	return o
}
