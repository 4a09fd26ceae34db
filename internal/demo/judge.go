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
	return len(v.Lost)+len(v.Twice)+len(v.Wrong)+len(v.Changed)+len(v.Untold)+len(v.Misfed)+len(v.Open) == 0
}

// Judge holds the disks against the replicas' own record and the manager's
// account. Who asked for a file is read from its name on the share, where the
// submitter put it (see [Prefix]), so that the manager's own attribution does
// not testify for itself. given has, by user and number of the job, the checksum
// of the input file that it was given; nil when nobody knows.
func Judge(written []simulator.Written, folders []Delivered, jobs []api.Job, given map[string]string) Verdict {
	v := Verdict{Misfed: []string{}, Lost: []string{}, Twice: []string{}, Wrong: []string{}, Changed: []string{}, Untold: []string{}, Open: []job.ID{}}
	v.Delivered = len(folders)
	v.judgeWritten(written, folders)
	v.judgeInputs(written, given)
	v.judgeAccount(folders, jobs)
	for _, j := range jobs {
		if !j.State.Terminal() {
			v.Open = append(v.Open, j.ID)
		}
	}
	return v
}

// judgeWritten compares, for each place on the share, the versions that were
// written there with the places their bytes were delivered to. Of a place
// that two executions of one prompt wrote, one whole version is enough.
func (v *Verdict) judgeWritten(written []simulator.Written, folders []Delivered) {
	bySum := map[string][]Delivered{}
	for _, d := range folders {
		bySum[d.Checksum] = append(bySum[d.Checksum], d)
	}
	places := versions(written)
	owners := ownersByPrompt(written)
	for _, p := range places {
		if p.wanted {
			v.Written++
		}
		var there []Delivered
		for _, sum := range p.sums {
			there = append(there, bySum[sum]...)
		}
		v.judgePlace(p, there, cmp.Or(OwnerOf(p.path), owners[p.prompt]))
	}
	v.judgeBytes(places, folders)
}

// place is a path on the share with the checksums of the whole versions that
// were written to it.
type place struct {
	path   string
	prompt string
	sums   []string
	wanted bool // the newest version is whole: it must have been delivered
}

func versions(written []simulator.Written) []place {
	index := map[string]int{}
	var places []place
	for _, w := range written {
		if !w.Complete || w.Marker || w.Foreign || w.ContainerDisk {
			continue
		}
		i, ok := index[w.Path]
		if !ok {
			i = len(places)
			index[w.Path] = i
			places = append(places, place{path: w.Path, prompt: w.PromptID})
		}
		places[i].wanted = places[i].wanted || w.Wanted()
		if !slices.Contains(places[i].sums, w.Checksum) {
			places[i].sums = append(places[i].sums, w.Checksum)
		}
	}
	return places
}

// ownersByPrompt names who asked for each prompt, by the names of its files:
// an extra file with a name of its own belongs to whom the others do.
func ownersByPrompt(written []simulator.Written) map[string]string {
	owners := map[string]string{}
	for _, w := range written {
		if owner := OwnerOf(w.Path); owner != "" && !w.Foreign {
			owners[w.PromptID] = owner
		}
	}
	return owners
}

func (v *Verdict) judgePlace(p place, there []Delivered, owner string) {
	if len(there) == 0 && p.wanted {
		v.Lost = append(v.Lost, p.path)
	}
	// Identical bytes at several places of one folder are told apart by number only.
	for _, d := range there {
		if owner != d.User {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s in the folder of %s", p.path, d.User))
		}
	}
}

// judgeBytes finds files nobody wrote, and more copies than there were places.
func (v *Verdict) judgeBytes(places []place, folders []Delivered) {
	written := map[string]int{}
	for _, p := range places {
		for _, sum := range p.sums {
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
