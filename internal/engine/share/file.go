package share

import (
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// observation is what one look found under one name.
type observation struct {
	hostile  string // what it is when it is no ordinary file; empty otherwise
	id       inode
	size     int64 // bytes that can be read
	modified time.Time
	verdict  comfy.Verdict
	sample   uint64 // of the bytes, when the format does not tell the end
	oneWrite bool   // settling, and its writer hands over all bytes at once
}

func (o observation) same(p observation) bool {
	return o.id == p.id && o.size == p.size && o.sample == p.sample && o.modified.Equal(p.modified)
}

// file is what is remembered of one name. The zero value is a new name.
type file struct {
	last    observation
	seen    bool      // reported as seen
	told    job.Mark  // MarkWhole, MarkSettling or MarkHostile once reported; empty before
	quiet   time.Time // since when it has been the same
	looks   int       // that found it the same
	again   time.Time // a settled file is not opened before
	judgeAt time.Time // an unsettled one that is the same is not read before
	claim   *job.Claim
	marker  bool // a start marker
	missing int  // looks in a row that did not list it
}

// settled reports a file that needs no attention beyond a check for a change.
func (f *file) settled() bool { return f.told != "" }

// close reports a file of which the next look may say that it is whole.
func (f *file) close() bool {
	return f.told == "" && f.looks < 2 && (f.last.verdict == comfy.Complete || f.last.oneWrite)
}

// patience is how long a file must be quiet before that means something.
type patience struct {
	settling time.Duration // for formats that have no end mark but are written at once
	unknown  time.Duration // for formats nobody knows: longer than the share's attribute cache
}

// observe takes what a look found and returns what there is to report.
func (f *file) observe(o observation, now time.Time, p patience) []job.Mark {
	f.missing = 0
	if o.hostile != "" {
		return f.observeHostile(o, now)
	}
	marks := f.observeChange(o, now)
	if m := f.verdict(now, p); m != "" && f.told == "" {
		f.told = m
		marks = append(marks, m)
	}
	f.again = time.Time{}
	if f.settled() {
		f.again = now.Add(min(max(now.Sub(f.quiet), restless/2), recheck))
	}
	if f.quiet.Equal(now) || !now.Before(f.judgeAt) {
		f.judgeAt = now.Add(judgeAgain(now.Sub(f.quiet)))
	}
	return marks
}

func (f *file) observeHostile(o observation, now time.Time) []job.Mark {
	again := f.told == job.MarkHostile && f.last.hostile == o.hostile
	*f = file{last: o, told: job.MarkHostile, quiet: now, again: now.Add(recheck)}
	if again {
		return nil
	}
	return []job.Mark{job.MarkHostile}
}

// observeChange starts the count of quiet looks again when something is new.
func (f *file) observeChange(o observation, now time.Time) []job.Mark {
	was := f.last
	f.last = o
	switch {
	case !f.seen || f.told == job.MarkHostile:
		*f = file{last: o, seen: true, quiet: now, looks: 1}
		return []job.Mark{job.MarkSeen}
	case o.same(was):
		f.looks++
		return nil
	}
	f.quiet, f.looks, f.told = now, 1, ""
	if o.size != was.size {
		return []job.Mark{job.MarkGrew}
	}
	return nil
}

// verdict is what the last two looks together say; empty for nothing yet.
func (f *file) verdict(now time.Time, p patience) job.Mark {
	quiet := now.Sub(f.quiet)
	switch v := f.last.verdict; {
	case f.looks < 2:
		return ""
	case v == comfy.Complete, f.last.oneWrite, v == comfy.Settling && quiet >= p.settling:
		return job.MarkWhole
	case v == comfy.Unknown && quiet >= p.unknown:
		return job.MarkSettling
	}
	return ""
}
