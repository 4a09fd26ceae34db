package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// written is every file that the servers have put on the share for a job,
// read from the disk: start markers are not for anybody.
func (s *realStage) written(t *testing.T) []simulator.Written {
	t.Helper()
	files, err := demo.Folders(filepath.Dir(s.share)) // where only the share stands
	orFatal(t, err)
	var out []simulator.Written
	for _, f := range files {
		promptID, below, tagged := ownFolder(f.Path)
		if !tagged && s.config.Tag.Prefix {
			t.Errorf("%s was written outside %s/", f.Path, comfy.Root)
		}
		if !strings.HasPrefix(below, comfy.StartedFolder+"/") {
			out = append(out, simulator.Written{PromptID: promptID, Path: f.Path, Size: f.Size, Checksum: f.Checksum, Complete: true})
		}
	}
	return out
}

// ownFolder splits a path on the share: whose attempt's folder, and where in it.
func ownFolder(p string) (promptID, below string, ok bool) {
	rest, ok := strings.CutPrefix(p, comfy.Root+"/")
	if !ok {
		return "", p, false
	}
	promptID, below, _ = strings.Cut(rest, "/")
	return promptID, below, true
}

// judge holds every byte on the share against every byte in the users'
// folders, and both against what the manager says.
func (s *realStage) judge(t *testing.T) int {
	t.Helper()
	written := s.written(t)
	delivered, err := demo.Folders(s.users)
	orFatal(t, err)
	jobs, err := s.client.Jobs(t.Context(), api.Query{Limit: 1000})
	orFatal(t, err)
	v := demo.Judge(written, delivered, jobs.Items, nil)
	if !v.Clean() || v.Written != v.Delivered {
		t.Errorf("%d files on the share, %d in the users' folders: %+v", v.Written, v.Delivered, v)
	}
	s.judgeSources(t, written, jobs.Items)
	return v.Delivered
}

// judgeSources holds each output against the very file that it was copied from.
func (s *realStage) judgeSources(t *testing.T, written []simulator.Written, jobs []api.Job) {
	t.Helper()
	sums := map[string]string{}
	for _, w := range written {
		sums[w.Path] = w.Checksum
	}
	for _, j := range jobs {
		for _, o := range j.Outputs {
			if sum := sums[string(o.Source)]; o.State != job.OutputStored || o.Checksum != sum {
				t.Errorf("%s of %s is %s with %s; on the share it has %q", o.Path, j.User, o.State, o.Checksum, sum)
			}
			delete(sums, string(o.Source))
		}
	}
	for path := range sums {
		t.Errorf("no job has %s", path)
	}
}

// checkFiles holds the files of an ended job against the names that ComfyUI
// itself gives, and their metadata against the job.
func (s *realStage) checkFiles(t *testing.T, j api.Job, want []string, metadata bool) {
	t.Helper()
	var got []string
	for _, o := range j.Outputs {
		got = append(got, o.Path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s of %s has the files %q, want %q", j.Name, j.User, got, want)
	}
	for _, name := range got {
		s.checkMetadata(t, j, name, metadata)
	}
}

func (s *realStage) checkMetadata(t *testing.T, j api.Job, name string, metadata bool) {
	t.Helper()
	tags := readTags(t, filepath.Join(s.users, j.User, name))
	if !metadata {
		if tags[comfy.MetadataKey] != "" {
			t.Errorf("%s carries metadata after all: the table of formats is wrong", name)
		}
		return
	}
	var claim job.Claim
	if err := json.Unmarshal([]byte(tags[comfy.MetadataKey]), &claim); err != nil || claim.Job != j.ID || claim.PromptID != j.PromptID || claim.Attempt != 1 {
		t.Errorf("%s says %q of its origin (%v), want job %s, prompt %s", name, tags[comfy.MetadataKey], err, j.ID, j.PromptID)
	}
	var kept, sent any
	orFatal(t, json.Unmarshal([]byte(realWorkflow), &sent))
	if err := json.Unmarshal([]byte(tags["workflow"]), &kept); err != nil || !reflect.DeepEqual(kept, sent) {
		t.Errorf("%s carries the workflow %q (%v), want the page's own", name, tags["workflow"], err)
	}
	if !json.Valid([]byte(tags["prompt"])) {
		t.Errorf("%s carries the prompt %q", name, tags["prompt"])
	}
}

func readTags(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	orFatal(t, err)
	tags, err := comfy.Metadata(f, info.Size(), info.Name())
	orFatal(t, err)
	return tags
}
