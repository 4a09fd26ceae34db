// Package demo proves the whole on one machine: it submits the jobs of many
// users to a manager, and afterwards holds what stands in the users' folders
// against what the simulated replicas say they wrote.
package demo

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// Delivered is a file that stands in a user's folder.
type Delivered struct {
	User     string
	Path     string // below the user's folder
	Size     int64
	Checksum string // "xxh64:hex" of the bytes on disk
}

// Verdict is what the judge found. Only empty lists are a pass.
type Verdict struct {
	Written   int `json:"written"`   // whole files that replicas wrote for jobs
	Delivered int `json:"delivered"` // files in users' folders
	// Lost were written whole and stand in no folder.
	Lost []string `json:"lost"`
	// Twice stand in more places than they were written.
	Twice []string `json:"twice"`
	// Wrong stand in the folder of a user who did not ask for them.
	Wrong []string `json:"wrong_user"`
	// Orphaned stand outside the folders of attempts and are shown to an admin,
	// because nothing tells whose they are.
	Orphaned int `json:"orphaned"`
	// Stale were delivered in a version that their node has replaced since.
	Stale []string `json:"stale"`
	// Changed are files whose bytes no replica wrote.
	Changed []string `json:"changed"`
	// Misfed were made from other input files than their job was given.
	Misfed []string `json:"wrong_input"`
	// Fed counts the files that were made from their job's own input file.
	Fed int `json:"made_from_inputs"`
	// Untold differ from what the manager says it delivered.
	Untold []string `json:"untold"`
	// Open are jobs that have not ended.
	Open []job.ID `json:"open"`
}

// Clean reports a pass.
func (v Verdict) Clean() bool {
	return len(v.Lost)+len(v.Twice)+len(v.Wrong)+len(v.Changed)+len(v.Untold)+len(v.Misfed)+len(v.Stale)+len(v.Open) == 0
}

// Judge holds the disks against the replicas' own record and the manager's
// account. Who asked for a file is read from its name on the share, where the
// submitter put it (see [Prefix]), or from the seed of its sampler, so that the
// manager's own attribution does not testify for itself. known may be nil.
func Judge(written []simulator.Written, folders []Delivered, jobs []api.Job, known *Known) Verdict {
	if known == nil {
		known = &Known{}
	}
	asks := known.asks(written)
	v := Verdict{Stale: []string{}, Misfed: []string{}, Lost: []string{}, Twice: []string{}, Wrong: []string{}, Changed: []string{}, Untold: []string{}, Open: []job.ID{}}
	v.Delivered = len(folders)
	v.judgeWritten(versions(written, asks), folders, known.Orphans)
	v.judgeInputs(written, asks, known.Given)
	v.judgeAccount(folders, jobs)
	for _, j := range jobs {
		if !j.State.Terminal() {
			v.Open = append(v.Open, j.ID)
		}
	}
	return v
}

// judgeWritten compares, for each place on the share, the versions that a job
// wrote there with the places their bytes were delivered to. Of a place that
// two executions of one job wrote, one whole version is enough.
func (v *Verdict) judgeWritten(places []place, folders []Delivered, orphans map[string]bool) {
	bySum := map[string][]Delivered{}
	for _, d := range folders {
		bySum[d.Checksum] = append(bySum[d.Checksum], d)
	}
	for _, p := range places {
		if p.wanted {
			v.Written++
		}
		var there []Delivered
		for _, sum := range p.sums {
			there = append(there, bySum[sum]...)
		}
		for _, sum := range p.stale {
			for _, d := range bySum[sum] {
				v.Stale = append(v.Stale, path.Join(d.User, d.Path))
			}
			there = append(there, bySum[sum]...)
		}
		if len(there) == 0 && p.wanted && p.last && orphans[p.path] && !strings.HasPrefix(p.path, "qm/") {
			v.Orphaned++
			continue
		}
		v.judgePlace(p, there)
	}
	v.judgeBytes(places, folders)
}

// place is a path on the share with the checksums of the whole versions that
// one job wrote to it.
type place struct {
	path, owner string
	sums, stale []string // stale: the job's own node has replaced them
	wanted      bool     // the job's newest version is whole: it must have been delivered
	last        bool     // nobody wrote there afterwards
}

func versions(written []simulator.Written, asks []string) []place {
	index := map[[2]string]int{}
	var places []place
	for n, w := range written {
		if w.Marker || w.Foreign || w.ContainerDisk {
			continue
		}
		ask := asks[n]
		i, ok := index[[2]string{w.Path, ask}]
		if !ok {
			i = len(places)
			index[[2]string{w.Path, ask}] = i
			owner, _, _ := strings.Cut(ask, "_")
			places = append(places, place{path: w.Path, owner: owner})
		}
		p := &places[i]
		p.wanted, p.last = w.Complete, !w.Overwritten
		switch {
		case !w.Complete:
		case w.Replaced:
			p.stale = append(p.stale, w.Checksum)
		default:
			p.sums = append(p.sums, w.Checksum)
		}
	}
	for i := range places {
		p := &places[i]
		slices.Sort(p.sums)
		p.sums = slices.Compact(p.sums)
		p.stale = slices.DeleteFunc(p.stale, func(sum string) bool { return slices.Contains(p.sums, sum) })
	}
	return places
}

func (v *Verdict) judgePlace(p place, there []Delivered) {
	if len(there) == 0 && p.wanted {
		v.Lost = append(v.Lost, p.path)
	}
	// Identical bytes at several places of one folder are told apart by number only.
	for _, d := range there {
		if p.owner != d.User {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s in the folder of %s", p.path, d.User))
		}
	}
}

// judgeBytes finds files nobody wrote, and more copies than there were places.
func (v *Verdict) judgeBytes(places []place, folders []Delivered) {
	written := map[string]int{}
	for _, p := range places {
		for _, sum := range slices.Concat(p.sums, p.stale) {
			written[sum]++
		}
	}
	seen := map[string]int{}
	for _, d := range folders {
		if written[d.Checksum] == 0 {
			v.Changed = append(v.Changed, path.Join(d.User, d.Path))
			continue
		}
		if seen[d.Checksum]++; seen[d.Checksum] > written[d.Checksum] {
			v.Twice = append(v.Twice, path.Join(d.User, d.Path))
		}
	}
}

// judgeAccount compares the folders with what the manager tells.
func (v *Verdict) judgeAccount(folders []Delivered, jobs []api.Job) {
	told := map[string]string{}
	for _, j := range jobs {
		for _, o := range j.Outputs {
			if o.State == job.OutputStored {
				told[path.Join(j.User, o.Path)] = o.Checksum
			}
		}
	}
	for _, d := range folders {
		at := path.Join(d.User, d.Path)
		if told[at] != d.Checksum {
			v.Untold = append(v.Untold, fmt.Sprintf("%s has %s, told %s", at, d.Checksum, cmp.Or(told[at], "nothing")))
		}
		delete(told, at)
	}
	for at := range told {
		v.Untold = append(v.Untold, at+" is told and does not stand there")
	}
	slices.Sort(v.Untold)
}

// Prefix is the filename prefix under which a user's n-th job saves: it names
// the user, so that the judge needs nobody's word for whose a file is.
func Prefix(user string, n int, title string) string {
	return fmt.Sprintf("%s_%03d_%s", user, n, title)
}

var ownerPattern = regexp.MustCompile(`(?:^|/)(user[0-9]{3})_[0-9]{3}_`)

// OwnerOf is the user that a path on the share was written for; empty when
// its name does not tell.
func OwnerOf(p string) string {
	m := ownerPattern.FindStringSubmatch(p)
	if m == nil {
		return ""
	}
	return m[1]
}
