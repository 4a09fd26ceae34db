package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// diskPatience is how long a disk may take for one look.
const diskPatience = 5 * time.Second

func (v Visit) shareStage(k known) stage {
	checks := []*Check{shareMounted, shareAlive, shareType, shareCache, shareWritable, shareSpace, shareClock, shareView, shareSame}
	return stage{name: "share", checks: checks, limit: 3 * diskPatience, run: func(context.Context) []Result {
		o := v.seeShare(k.who)
		return append(judgeShare(o), judgeView(v.seeView(k, o)), judgeSame(v.seeSame(k, o)))
	}}
}

func (v Visit) seeShare(who Who) ShareSeen {
	s := v.Config.Share
	o := ShareSeen{Path: s.Outputs, RequireMount: s.RequireMount, Made: v.made("share.outputs"), Watch: s.Watch, Remote: allRemote(v.Config.Deployments),
		Settle: time.Duration(v.Config.Queue.Settle), Clean: v.Config.Retention.Share > 0, Reserve: int64(s.FreeReserve)}
	if mounts, err := readMounts("self"); err == nil {
		o.Mount, o.Known = mountOf(mounts, resolved(s.Outputs))
	}
	seen, ended := within(diskPatience, func() ShareSeen { return lookShare(o, s.Sentinel, who) })
	if ended {
		return seen
	}
	hung := o // what hangs still has o
	hung.Stalled = diskPatience
	return hung
}

// made reports that the manager makes the folder of a key at its start.
func (v Visit) made(key string) bool { return v.Source.Of(key).Kind == config.FromHome }

// resolved follows symbolic links above the folder; the path itself when it
// cannot, or not in time.
func resolved(path string) string {
	real, ended := within(diskPatience/2, func() string {
		p, err := filepath.EvalSymlinks(path)
		if err != nil {
			return path
		}
		return p
	})
	if !ended {
		return path
	}
	return real
}

// lookShare asks the disk. It may hang.
func lookShare(o ShareSeen, sentinel string, who Who) ShareSeen {
	began := time.Now()
	o.Folder = lookFolder(o.Path, who)
	if !o.Folder.there() {
		return o
	}
	if err := lookAlive(o.Path); err != nil && o.Folder.Error == "" {
		o.Folder.Error = rootCause(err)
	}
	o.Took = time.Since(began)
	o.OnRoot = onRoot(o.Path)
	if sentinel != "" {
		if _, err := os.Lstat(filepath.Join(o.Path, sentinel)); err != nil {
			o.Sentinel = rootCause(err)
		}
	}
	o.Clock = lookClock(o.Path, who)
	return o
}

// allRemote reports that there are deployments, and none on this machine.
func allRemote(ds []config.Deployment) bool {
	return len(ds) > 0 && !slices.ContainsFunc(ds, func(d config.Deployment) bool { return isLocalURL(d.URL) })
}

func (v Visit) seeView(k known, o ShareSeen) ViewSeen {
	w := ViewSeen{Answers: k.answers(), Status: k.status.Share, Path: o.Path, Real: resolved(o.Path), Here: o.Mount, Known: o.Known, Alive: !o.gone()}
	if k.pid > 0 {
		if mounts, err := readMounts(strconv.Itoa(k.pid)); err == nil {
			w.There, w.ThereKnown = mountOf(mounts, w.Real)
		}
	}
	return w
}

func (v Visit) seeSame(k known, o ShareSeen) SameSeen {
	s := SameSeen{Answers: k.answers(), Gone: o.gone(), Cleaned: o.Clean, Fruitless: k.fruitless()}
	for _, x := range k.stopped() {
		if losesFiles(x.Code) {
			s.Lost = x.Message
		}
	}
	sources, newest := newestSources(k.recent, 10)
	if s.Gone || len(sources) == 0 {
		return s
	}
	found, ended := within(diskPatience, func() int { return countThere(o.Path, sources) })
	if !ended {
		s.Gone = true
		return s
	}
	s.Looked, s.Found, s.Newest = len(sources), found, max(0, time.Since(newest))
	return s
}

// newestSources are where the newest delivered outputs stood on the share.
func newestSources(jobs []api.Job, most int) (sources []string, newest time.Time) {
	for _, j := range jobs {
		for _, out := range j.Outputs {
			if out.State != job.OutputStored || out.Source == "" || len(sources) >= most {
				continue
			}
			sources = append(sources, string(out.Source))
			if out.StoredAt.After(newest) {
				newest = out.StoredAt.Time
			}
		}
	}
	return sources, newest
}

// countThere counts the files that stand below a folder; paths that leave it do not.
func countThere(dir string, paths []string) int {
	n := 0
	for _, p := range paths {
		if !filepath.IsLocal(p) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, p)); err == nil {
			n++
		}
	}
	return n
}
