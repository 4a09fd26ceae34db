package demo

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/comfyume/qmtui/internal/simulator"
)

// Given is the picture that a job starts from: every job of every user has
// another, and all of them have the same name.
type Given struct {
	Name string // as the workflow has it; empty for a job that loads nothing
	Data []byte
}

// givenFor draws the picture of a user's n-th job.
func givenFor(name, user string, n int) (Given, error) {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d", user, n) // never fails
	tone := h.Sum64()
	img := image.NewGray(image.Rect(0, 0, 256, 144))
	for i := range img.Pix {
		x, y := i%256, i/256
		img.Pix[i] = uint8(200-y+x/8%2*20) ^ uint8(tone>>(x/32*8))
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, nil)
	_, _ = fmt.Fprintf(&b, "%s %d", user, n) // behind the end of the picture: no two are equal
	return Given{name, b.Bytes()}, err
}

// put makes it the user's file of that name, as a page's own ComfyUI would
// have it after an upload: whatever stood there before is gone.
func (g Given) put(uploads, user string) error {
	if g.Name == "" || uploads == "" {
		return nil
	}
	to := filepath.Join(uploads, user, g.Name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", g.Data, 0o644); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// sum is the checksum as the simulated replicas have it.
func (g Given) sum() string { return fmt.Sprintf("xxh64:%016x", xxhash.Sum64(g.Data)) }

// Known is what the judge knows beside the disks and the manager's account.
// Jobs are named as their files are, "user001_003".
type Known struct {
	// Given has the checksum of what each job starts from; empty for nothing.
	Given map[string]string
	// Seeds has the job of each sampler's seed.
	Seeds map[uint64]string
	// Orphans are the paths on the share that the manager shows to be assigned.
	Orphans map[string]bool
}

func knownFrom(requests []Request) *Known {
	k := Known{Given: map[string]string{}, Seeds: map[uint64]string{}}
	for _, r := range requests {
		ask, sum := askOf(Prefix(r.User, r.N, "")), ""
		if r.Given.Name != "" {
			sum = r.Given.sum()
		}
		k.Given[ask] = sum
		for _, seed := range r.Seeds {
			k.Seeds[seed] = ask
		}
	}
	return &k
}

// asks names the job that wrote each file: by the name of the file, by the
// seed of its sampler, or by the other files of its prompt. Empty for a file
// that nothing tells.
func (k *Known) asks(written []simulator.Written) []string {
	asks, byPrompt := make([]string, len(written)), map[string]string{}
	for i, w := range written {
		if ask := cmp.Or(askOf(w.Path), k.Seeds[w.Seed]); ask != "" && !w.Foreign {
			asks[i], byPrompt[w.PromptID] = ask, ask
		}
	}
	for i, w := range written {
		if !w.Foreign {
			asks[i] = cmp.Or(asks[i], byPrompt[w.PromptID])
		}
	}
	return asks
}

// judgeInputs holds what every file was made from against what its job was
// given.
func (v *Verdict) judgeInputs(written []simulator.Written, asks []string, given map[string]string) {
	if given == nil {
		return
	}
	for i, w := range written {
		ask := asks[i]
		if !w.Complete || w.Marker || w.Foreign || ask == "" {
			continue
		}
		if want := given[ask]; w.Loaded != want {
			v.Misfed = append(v.Misfed, fmt.Sprintf("%s was made from %s, not from %s", w.Path, orNothing(w.Loaded), orNothing(want)))
		} else if want != "" {
			v.Fed++
		}
	}
}

func orNothing(sums string) string {
	if sums == "" {
		return "nothing"
	}
	return sums
}

// askOf is the user and the number of the job that a path was written for.
func askOf(p string) string {
	m := ownerPattern.FindString(p)
	return strings.Trim(strings.TrimPrefix(m, "/"), "_/")
}
