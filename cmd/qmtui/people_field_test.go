package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
	"github.com/comfyume/qmtui/internal/store"
)

// Field case 6: /outputs/user001 was not writable for the manager. The job
// says so, nobody else waits for it, and once it heals the file comes.
func TestField06UserFolderNotWritable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string) (heal func())
		code  string
	}{"no right to write": {forbidWriting, "not_writable"}, "a file in its place": {putFileThere, "folder_blocked"}, "a full disk": {fillDisk, "disk_full"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var heal func()
			s := openSite(t, func(p *plan) {
				p.before = func(p plan) { heal = c.spoil(t, filepath.Join(p.scene.Users(), "user001")) }
			})
			j := s.submit("user001", saving("kept/out"))
			other := s.submit("user002", saving("kept/out"))
			j = s.await(j.ID, "in trouble", func(j api.Job) bool { return len(j.Warnings) > 0 })
			if w := j.Warnings[0]; w.Code != c.code || !strings.Contains(w.Message, "user001") || w.Hint == "" || j.State.Terminal() {
				t.Errorf("%s, %+v", j.State, w)
			}
			s.awaitEnd(other.ID, job.Done)
			s.eventually("a warning of the queue", func() bool { return s.warns(c.code) })
			heal()
			s.awaitEnd(j.ID, job.Done)
			s.wantDelivered("user001", "kept/out_00001_.png")
			s.wantDelivered("user002", "kept/out_00001_.png")
			if n := s.executions(); n != 2 {
				t.Errorf("%d renders for 2 jobs: the trouble of a disk was paid for with a GPU", n)
			}
		})
	}
}

// forbidWriting takes the right to write from us: by mode, or for root, whom
// modes do not stop, by a read-only mount.
func forbidWriting(t *testing.T, dir string) (heal func()) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	if os.Geteuid() != 0 {
		check(t, os.Chmod(dir, 0o555))
		return func() { check(t, os.Chmod(dir, 0o755)) }
	}
	err := unix.Mount(dir, dir, "", unix.MS_BIND, "")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("root may not mount here, and nothing else stops it: %v", err)
	}
	check(t, err)
	mounted := true
	heal = func() {
		if mounted {
			check(t, unix.Unmount(dir, unix.MNT_DETACH))
		}
		mounted = false
	}
	t.Cleanup(heal)
	check(t, unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	return heal
}

// fillDisk puts the folder on a small disk of its own that has no room left.
func fillDisk(t *testing.T, dir string) (heal func()) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 128<<10), 0o644); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return func() { check(t, os.Remove(ballast)) }
}

func putFileThere(t *testing.T, dir string) (heal func()) {
	t.Helper()
	check(t, os.WriteFile(dir, nil, 0o644))
	return func() { check(t, os.Remove(dir)) }
}

// Field case 7: a cold start looked like a hang, and users pressed again and
// again. It is said in words, with what it took before; a repeated press is
// the same job, another one is told its place.
func TestField07ColdStartIsSaid(t *testing.T) {
	t.Parallel()
	warm := make(chan struct{})
	s := openSite(t, func(p *plan) {
		p.front = func(next http.Handler) http.Handler { return holdPrompts(next, warm) }
		p.config.Deployments[0].Capacity = 1
		p.before = func(p plan) { remember(t, p, 100*time.Second) }
	})
	press := api.SubmitRequest{User: "user001", Workflow: saving("cold"), Key: "press-1"}
	first, repeated, err := s.client.Submit(t.Context(), press)
	check(t, err)
	if repeated {
		t.Error("the first press counts as a repeated one")
	}
	again, repeated, err := s.client.Submit(t.Context(), press)
	check(t, err)
	if !repeated || again.ID != first.ID {
		t.Errorf("the second press made job %s beside %s", again.ID, first.ID)
	}
	next, last := s.submit("user002", saving("cold")), s.submit("user003", saving("cold"))
	words := regexp.MustCompile(`^waiting for a GPU, [1-9][0-9]*s of about 1m40s$`)
	s.await(first.ID, "told to wait for a GPU", func(j api.Job) bool { return words.MatchString(j.Phase) })
	place := func(n int, phase string) func(api.Job) bool {
		return func(j api.Job) bool { return j.Position != nil && *j.Position == n && j.Phase == phase }
	}
	s.await(next.ID, "next", place(0, "next in line"))
	s.await(last.ID, "in line", place(1, "waiting in line, 1 ahead"))
	close(warm)
	for _, j := range []api.Job{first, next, last} {
		s.awaitEnd(j.ID, job.Done)
	}
	if n := s.executions(); n != 3 {
		t.Errorf("%d renders for 3 jobs", n)
	}
}

// holdPrompts keeps submits waiting for a machine, as the platform does.
func holdPrompts(next http.Handler, warm <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPrompt(r) {
			select {
			case <-warm:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// remember puts a measured cold start into the ledger.
func remember(t *testing.T, p plan, took time.Duration) {
	t.Helper()
	ledger, err := store.Open(store.Options{Path: filepath.Join(p.scene.State(), databaseFile)})
	check(t, err)
	check(t, ledger.AddSample(job.Sample{Deployment: demo.Deployment, Cold: true, Seconds: took.Seconds(), At: time.Now()}))
	check(t, ledger.Close())
}

// Field case 11: user_id was taken from the body with no login, so that
// anyone could spend GPU money as anyone. It is believed from this machine
// and from trusted proxies only; passwords and cookies come with the login.
func TestField11UserIDIsNotBelievedFromAnywhere(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.config.Server.TrustedProxies = []string{"127.0.0.1/32", "10.0.0.0/8"}
	})
	_, err := s.client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	const header = "X-Remote-User"
	for _, c := range []struct {
		name, peer, header, value string
		status                    int
		code                      string
	}{
		{"this machine", "127.0.0.1:1", "", "", 201, ""},
		{"anywhere", "192.0.2.9:1", "", "", 403, "not_trusted"},
		{"anywhere, with the proxy's header", "192.0.2.9:1", header, "user001", 403, "not_trusted"},
		{"anywhere, as if forwarded from here", "192.0.2.9:1", "X-Forwarded-For", "127.0.0.1", 403, "not_trusted"},
		{"anywhere, with a cookie", "192.0.2.9:1", "Cookie", "session=shared-secret", 403, "not_trusted"},
		{"a proxy for that user", "10.1.2.3:1", header, "user001", 201, ""},
		{"a proxy for another user", "10.1.2.3:1", header, "user002", 403, "wrong_user"},
		{"a proxy for two users", "10.1.2.3:1", header, "user001,user002", 403, "bad_user_header"},
	} {
		r := httptest.NewRequest(http.MethodPost, api.PathJobs, strings.NewReader(fmt.Sprintf(`{"user_id":"user001","workflow":%s}`, saving("mine"))))
		r.RemoteAddr, r.Host = c.peer, "127.0.0.1"
		r.Header.Set("Content-Type", "application/json")
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		w := httptest.NewRecorder()
		s.manager.server.Handler().ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%s: %d, want %d %s: %.300s", c.name, w.Code, c.status, c.code, w.Body)
		}
	}
	page, err := s.client.Jobs(t.Context(), api.Query{})
	check(t, err)
	if page.Total != 2 {
		t.Errorf("%d jobs were taken, want 2", page.Total)
	}
}

// Field case 13: "prioritise" sent JSON where the API wanted a query
// parameter, and reported success. Both are understood, what is neither is
// refused, and the line shows the change.
func TestField13PriorityByQueryAndBody(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) { p.config.Server.Listen = "127.0.0.1:0" })
	_, err := s.client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	var jobs []api.Job
	for range 3 {
		jobs = append(jobs, s.submit("user001", saving("line")))
	}
	first := func(n int) {
		t.Helper()
		s.await(jobs[n].ID, "first in line", func(j api.Job) bool { return j.Position != nil && *j.Position == 0 })
	}
	first(0)
	s.patchPriority(jobs[2].ID, "?priority=1", "", 200)
	first(2)
	s.patchPriority(jobs[2].ID, "", `{"priority":3}`, 200)
	s.patchPriority(jobs[1].ID, "", `{"priority":1}`, 200)
	first(1)
	for _, bad := range [][2]string{{"", ""}, {"", `{"prio":1}`}, {"", `{"priority":"1"}`}, {"?priority=high", ""}, {"?priority=9", ""}, {"?prio=1", ""}} {
		s.patchPriority(jobs[0].ID, bad[0], bad[1], 422)
	}
	j, err := s.client.Job(t.Context(), jobs[0].ID)
	check(t, err)
	if j.Priority != job.Normal {
		t.Errorf("a refused change made the priority %d", j.Priority)
	}
	_, err = s.client.SetMode(t.Context(), job.ModeRunning)
	check(t, err)
	s.awaitEnd(jobs[1].ID, job.Done)
	s.patchPriority(jobs[1].ID, "?priority=3", "", 409)
}

func (s *site) patchPriority(id job.ID, query, body string, want int) {
	s.Helper()
	url := "http://" + s.manager.server.Addr().String() + api.Path(api.PathJobPriority, string(id)) + query
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPatch, url, strings.NewReader(body))
	check(s.T, err)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	check(s.T, err)
	_ = answer.Body.Close()
	if answer.StatusCode != want {
		s.Errorf("PATCH %s %s: %d, want %d", query, body, answer.StatusCode, want)
	}
}

// Field case 12: round-robin counted jobs, not time, and one user's videos
// starved everyone. What is charged is time: while one user's long job has
// run once, another gets several short ones.
func TestField12OneUsersVideosDoNotStarve(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		// A file is written in six pieces with 80 ms between them, so that twelve
		// take twelve times as long as one.
		p.workers.Speed = 0.025
		p.workers.Render = simulator.Span{Min: 0, Max: time.Millisecond}
		p.workers.Deployments[0].Replicas, p.config.Deployments[0].Capacity = 1, 1
		p.config.Share.Poll = config.Duration(20 * time.Millisecond)
		p.config.Queue.Settle = config.Duration(500 * time.Millisecond)
	})
	_, err := s.client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	var long, short []api.Job
	for range 3 {
		long = append(long, s.submit("user001", savingBatch("long", 12)))
	}
	for range 5 {
		short = append(short, s.submit("user002", saving("short")))
	}
	_, err = s.client.SetMode(t.Context(), job.ModeRunning)
	check(t, err)
	second := s.await(long[1].ID, "sent", func(j api.Job) bool { return j.State > job.Queued })
	before := 0
	for _, j := range short {
		j, err := s.client.Job(t.Context(), j.ID)
		check(t, err)
		if at := j.Attempts[0].Assigned; !at.IsZero() && at.Before(second.Attempts[0].Assigned.Time) {
			before++
		}
	}
	t.Logf("%d short jobs were sent before the second long one", before)
	if before < 2 {
		t.Errorf("only %d short jobs were sent before the second long one, which is counting jobs", before)
	}
	first, err := s.client.Job(t.Context(), long[0].ID)
	check(t, err)
	if first.State < job.Rendered {
		t.Errorf("the first long job is %s", first.State)
	}
}

func tinyPNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))))
	return b.Bytes()
}
