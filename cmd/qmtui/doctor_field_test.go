package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/doctor"
)

// brokenWorkers has one thing wrong with a worker, or with the way to it, at a
// time; "check code" is what doctor has to say.
var brokenWorkers = map[string]func(*testing.T, *plan){
	"output-directory missing": func(t *testing.T, p *plan) {
		p.workers.Deployments[0].ContainerDisk = p.mkdir(t, "disk")
	},
	"input-directory missing": func(t *testing.T, p *plan) {
		p.workers.Inputs = "" // a worker with an input folder of its own
		p.config.Share.Inputs, p.config.Users.Inputs = p.mkdir(t, "carried"), p.mkdir(t, "uploads")
	},
	"comfyui-version old": func(_ *testing.T, p *plan) { p.front = answering("/system_stats", `"0.8.0"`, `"0.3.40"`) },
	"assets on": func(_ *testing.T, p *plan) {
		p.front = answering("/system_stats", `"argv": [`, `"argv": ["--enable-assets", `)
	},
	"models models":       func(_ *testing.T, p *plan) { p.front = answering("/object_info", ".safetensors", ".other") },
	"models classes":      func(_ *testing.T, p *plan) { p.front = answering("/object_info", `"KSampler"`, `"Another"`) },
	"worker-clock skewed": func(_ *testing.T, p *plan) { p.front = inThePast },
	"deployment key":      func(_ *testing.T, p *plan) { p.config.Deployments[0].Key = "another" },
	"deployment errors":   func(_ *testing.T, p *plan) { p.front = broken },
	"deployment unreachable": func(t *testing.T, p *plan) {
		gone := httptest.NewServer(nil)
		gone.Close()
		p.config.Deployments[0].URL = gone.URL + "/h200-spot"
	},
}

// TestDoctorOnBrokenWorkers looks at workers that may be asked, each broken in
// one way, and at a healthy one, of which nothing may be said.
func TestDoctorOnBrokenWorkers(t *testing.T) {
	look := func(t *testing.T, change func(*testing.T, *plan)) []doctor.Result {
		s := openSite(t, func(p *plan) {
			d := &p.config.Deployments[0]
			d.ScaleToZero = false // so that it may be asked
			p.config.Share.Inputs, p.config.Users.Inputs = p.scene.Inputs(), p.mkdir(t, "uploads")
			d.URL = strings.Replace(d.URL, "127.0.0.1", "0.0.0.0", 1) // as if it were elsewhere
			change(t, p)
		})
		return doctor.Visit{Config: s.config, Manager: s.client, Prompts: examplePrompts()}.Examine(t.Context())
	}
	about := []string{"deployment", "output-directory", "input-directory", "comfyui-version", "models", "worker-clock"}
	t.Run("healthy", func(t *testing.T) {
		t.Parallel()
		got := look(t, func(*testing.T, *plan) {})
		if v := verdicts(got, about...); v != "answers set set known there agrees" {
			t.Errorf("it says %s:\n%s", v, reasons(got))
		}
	})
	for want, change := range brokenWorkers {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			wantBroken(t, look(t, change), want)
		})
	}
}

// brokenDeliveries has one thing wrong where a canary is to be delivered.
var brokenDeliveries = map[string]struct {
	before func(*testing.T, *site)
	ended  func(*testing.T, *site, api.Output) // when the job is done
	change func(*testing.T, *doctor.Visit)
}{
	"canary-delivered not_delivered": {before: func(t *testing.T, s *site) {
		check(t, os.WriteFile(filepath.Join(s.config.Users.Outputs, doctor.CanaryUser), []byte("a file in its place"), 0o600))
	}},
	"canary-delivered other_bytes": {ended: func(t *testing.T, s *site, o api.Output) {
		check(t, os.WriteFile(filepath.Join(s.config.Users.Outputs, doctor.CanaryUser, o.Path), []byte("another"), 0o600))
	}},
	"canary-delivered other_place": {change: func(t *testing.T, v *doctor.Visit) { v.Config.Users.Outputs = t.TempDir() }},
	// As behind a mount that is stale here.
	"canary-share unseen": {ended: func(t *testing.T, s *site, o api.Output) {
		check(t, os.Remove(filepath.Join(s.config.Share.Outputs, string(o.Source))))
	}},
}

// TestCanaryOnBrokenDeliveries: what comes to the share, and not to the user.
func TestCanaryOnBrokenDeliveries(t *testing.T) {
	for want, c := range brokenDeliveries {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, nil)
			if c.before != nil {
				c.before(t, s)
			}
			v := doctor.Visit{Config: s.config, Manager: s.client, Prompts: examplePrompts()}
			if c.change != nil {
				c.change(t, &v)
			}
			wantBroken(t, v.Fly(t.Context(), doctor.Canary{Here: true, Limit: patience, Copy: time.Second, Tell: func(j api.Job) {
				if c.ended != nil && j.State.Terminal() {
					c.ended(t, s, j.Outputs[0])
				}
			}}), want)
		})
	}
}

// wantBroken expects a finding with "check code", a sentence and a next step.
func wantBroken(t *testing.T, got []doctor.Result, want string) {
	t.Helper()
	for _, r := range got {
		if r.Name+" "+r.Code == want {
			if r.Verdict != doctor.Fail && r.Verdict != doctor.Warn || r.Reason == "" || r.Next == "" {
				t.Errorf("it says %+v", r)
			}
			return
		}
	}
	t.Errorf("nothing says %s:\n%s", want, reasons(got))
}

// answering changes one text in the answers of a path.
func answering(path, from, to string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, path) {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(rec.Code)
			_, _ = w.Write(bytes.ReplaceAll(rec.Body.Bytes(), []byte(from), []byte(to)))
		})
	}
}

// inThePast answers as a server whose clock is an hour behind.
func inThePast(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

func broken(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, "out of order", http.StatusInternalServerError)
	})
}

// notBroken says why no set-up in the tests is broken for a check.
var notBroken = map[string]string{
	"share-cache":     "it takes the mount table of an NFS client; internal/doctor judges recorded lines of one",
	"inotify":         "the limits are the kernel's own; internal/doctor judges them",
	"save-nodes":      "it takes a run of a node that saves nothing where it is told to; internal/doctor judges what a manager learned",
	"node-list":       "a list that was not read yet is no fault; internal/doctor judges what a manager says",
	"silent-attempts": "it takes minutes of silence; internal/doctor judges what a manager says",
	"canary-way":      "both ways are good; TestCanaryFindsTheWay takes both",
}

// TestEveryCheckFindsSomethingBroken holds doctor's checks against the set-ups
// that scripts and field tests break on purpose. What each judge says of every
// observation is held by internal/doctor itself.
func TestEveryCheckFindsSomethingBroken(t *testing.T) {
	broken := map[string]bool{}
	for want := range brokenWorkers {
		broken[strings.Fields(want)[0]] = true
	}
	for want := range brokenDeliveries {
		broken[strings.Fields(want)[0]] = true
	}
	scripts, err := filepath.Glob("testdata/script/doctor_*.txtar")
	check(t, err)
	more, err := filepath.Glob("testdata/doctor/*.txtar")
	check(t, errors.Join(err))
	for _, name := range append(scripts, more...) {
		text, err := os.ReadFile(name)
		check(t, err)
		for _, c := range doctor.Checks() {
			for _, verdict := range []string{"'^warn  ", "'^fail  "} {
				if strings.Contains(string(text), verdict+c.Name+" ") {
					broken[c.Name] = true
				}
			}
		}
	}
	for _, c := range doctor.Checks() {
		if why, excused := notBroken[c.Name]; broken[c.Name] == excused {
			t.Errorf("%s: broken on purpose %v, reason for not %q", c.Name, broken[c.Name], why)
		}
	}
}
