package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// redrawing loads a picture and saves it.
func redrawing(image, prefix string) []byte {
	return fmt.Appendf(nil, `{"10":{"class_type":"LoadImage","inputs":{"image":%q}},
		"9":{"class_type":"SaveImage","inputs":{"images":["10",0],"filename_prefix":%q}}}`, image, prefix)
}

// upload puts a file where a page's own ComfyUI would put it.
func (s *site) upload(user, name, text string) {
	s.Helper()
	to := filepath.Join(s.scene.Uploads(), user, name)
	check(s.T, os.MkdirAll(filepath.Dir(to), 0o755))
	check(s.T, os.WriteFile(to, []byte(text), 0o644))
}

// madeFrom is what the files of a prefix were made from; one checksum.
func (s *site) madeFrom(prefix string) string {
	s.Helper()
	for _, w := range s.fleet.Manifest() {
		if strings.Contains(w.Path, prefix) && w.Complete {
			return w.Loaded
		}
	}
	s.Errorf("nothing was made under %s", prefix)
	return ""
}

func sumOf(text string) string { return fmt.Sprintf("xxh64:%016x", xxhash.Sum64String(text)) }

// Field case 14: images uploaded by a user reach the workers: the right user's,
// as they were when the job was submitted, under whatever happens to them later.
func TestField14InputsReachTheWorkers(t *testing.T) {
	t.Parallel()
	s := openSite(t, nil)
	check(t, os.WriteFile(filepath.Join(s.scene.Inputs(), "logo.png"), []byte("the site's"), 0o644))
	_, err := s.client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	want := map[string]string{}
	var jobs []api.Job
	for _, user := range []string{"user001", "user002"} {
		for n, text := range []string{"first", "second"} {
			s.upload(user, "a.png", text+" of "+user)
			prefix := demo.Prefix(user, n+1, "redrawn")
			jobs = append(jobs, s.submit(user, redrawing("a.png", prefix)))
			want[prefix] = sumOf(text + " of " + user)
		}
		s.upload(user, "sketches/b.png", "a sketch of "+user)
		jobs = append(jobs, s.submit(user, redrawing("sketches/b.png [input]", demo.Prefix(user, 3, "sketch"))), s.submit(user, redrawing("logo.png", demo.Prefix(user, 4, "logo"))))
		want[demo.Prefix(user, 3, "sketch")], want[demo.Prefix(user, 4, "logo")] = sumOf("a sketch of "+user), sumOf("the site's")
		check(t, os.Remove(filepath.Join(s.scene.Uploads(), user, "a.png")))
	}
	if in := jobs[0].Inputs; len(in) != 1 || in[0].Name != "a.png" || in[0].Node != "10" || !strings.HasPrefix(in[0].Checksum, "sha256:") || in[0].Size != int64(len("first of user001")) {
		t.Errorf("the job tells of %+v", in)
	}
	_, err = s.client.SetMode(t.Context(), job.ModeRunning)
	check(t, err)
	for _, j := range jobs {
		s.awaitEnd(j.ID, job.Done)
	}
	for prefix, sum := range want {
		if got := s.madeFrom(prefix); got != sum {
			t.Errorf("%s was made from %s, want %s", prefix, got, sum)
		}
	}
	s.judge()
	// An output of one's own goes in again; another's does not.
	own := demo.Prefix("user001", 1, "redrawn") + "_00001_.png [output]"
	j := s.submit("user001", redrawing(own, demo.Prefix("user001", 5, "again")))
	s.awaitEnd(j.ID, job.Done)
	body, err := os.ReadFile(filepath.Join(s.scene.Users(), "user001", strings.TrimSuffix(own, " [output]")))
	check(t, err)
	if got := s.madeFrom(demo.Prefix("user001", 5, "again")); got != sumOf(string(body)) {
		t.Errorf("made from %s, not from the output", got)
	}
	_, _, err = s.client.Submit(t.Context(), api.SubmitRequest{User: "user002", Workflow: redrawing(own, "x")})
	refusedAs(t, err, "input_missing")
}

// TestField14NamesThatLeadOut: nobody reads with a name what is another's, and what is refused is never recorded.
func TestField14NamesThatLeadOut(t *testing.T) {
	t.Parallel()
	s := openSite(t, nil)
	s.upload("user002", "secret.png", "secret of user002")
	staged := s.submit("user002", redrawing("secret.png", demo.Prefix("user002", 1, "own")))
	s.awaitEnd(staged.ID, job.Done)
	check(t, os.MkdirAll(filepath.Join(s.scene.Uploads(), "user001"), 0o755))
	check(t, os.Symlink("../user002/secret.png", filepath.Join(s.scene.Uploads(), "user001", "link.png")))
	sum := strings.TrimPrefix(staged.Inputs[0].Checksum, "sha256:")
	for name, code := range map[string]string{
		"nope.png": "input_missing", "secret.png": "input_missing", "link.png": "input_refused", "../user002/secret.png": "input_name_refused",
		"qm/user002/" + sum + "/input/secret.png": "input_missing", "qm/./user002/" + sum + "/input/secret.png": "input_name_refused",
		"/etc/passwd": "input_name_refused", ".hidden.png": "input_name_refused", "../outputs/x.png [output]": "input_name_refused",
	} {
		_, _, err := s.client.Submit(t.Context(), api.SubmitRequest{User: "user001", Workflow: redrawing(name, "x")})
		e := refusedAs(t, err, code)
		if e.Class != job.Invalid || !strings.Contains(string(e.NodeErrors), `"10"`) || !strings.Contains(string(e.NodeErrors), "LoadImage") || !strings.Contains(e.Message, "image") {
			t.Errorf("%s: %+v", name, e)
		}
	}
	page, err := s.client.Jobs(t.Context(), api.Query{})
	check(t, err)
	if len(page.Items) != 1 {
		t.Errorf("%d jobs were recorded", len(page.Items))
	}
}

// TestField14ShareTakesNothing: a job whose inputs the share does not take waits, says why, and goes on by itself; a restart in between changes nothing.
func TestField14ShareTakesNothing(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) { p.config.Retention.Inputs = config.Duration(time.Hour) })
	s.upload("user001", "a.png", "of user001")
	away := s.scene.Inputs() + "-away"
	check(t, os.Rename(s.scene.Inputs(), away))
	j := s.submit("user001", redrawing("a.png", demo.Prefix("user001", 1, "late")))
	other := s.submit("user002", saving(demo.Prefix("user002", 1, "plain")))
	s.awaitEnd(other.ID, job.Done)
	j = s.await(j.ID, "waits and says why", func(j api.Job) bool {
		return strings.HasPrefix(j.Phase, "waiting for its inputs") && len(j.Warnings) > 0
	})
	s.eventually("a warning of the queue", func() bool { return s.warns("inputs_not_mounted") })
	if j.State != job.Queued || len(j.Warnings) != 1 || j.Warnings[0].Code != "inputs_not_mounted" {
		t.Errorf("%s, %+v", j.State, j.Warnings)
	}
	s.halt()
	s.start()
	check(t, os.Rename(away, s.scene.Inputs()))
	if j = s.awaitEnd(j.ID, job.Done); len(j.Attempts) != 1 {
		t.Errorf("%d attempts", len(j.Attempts))
	}
	if got := s.madeFrom(demo.Prefix("user001", 1, "late")); got != sumOf("of user001") {
		t.Errorf("made from %s", got)
	}
	s.judge()
}
