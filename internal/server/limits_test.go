package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/limit"
)

// meteredServer is a server whose clock the test sets.
func meteredServer(t *testing.T, l Limits) (s *Server, now *time.Time) {
	t.Helper()
	at := epoch
	now = &at
	dir := t.TempDir()
	return newServer(t, newFake(), func(o *Options) {
		o.Inputs, o.Limits, o.Now = dir, l, func() time.Time { return *now }
	}), now
}

// submitAs submits as a user whom the proxy names; nobody is named when it is empty.
func submitAs(h http.Handler, named, user string, n int) *httptest.ResponseRecorder {
	return ask(h, "POST", "/api/jobs", fmt.Sprintf(`{"user_id":%q,"workflow":{"1":{}},"metadata":{"n":%d}}`, user, n), "X-Remote-User: "+named, "Content-Type: application/json")
}

func uploadAs(t *testing.T, h http.Handler, user, name string, data []byte, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	body, kind := uploadForm(t, name, data, fields...)
	return ask(h, "POST", "/comfy/"+user+"/upload/image", body, "X-Remote-User: "+user, "Content-Type: "+kind)
}

// wantWait expects a refusal that says for how long, and that this is true.
func wantWait(t *testing.T, now *time.Time, code string, ask func() *httptest.ResponseRecorder) {
	t.Helper()
	w := ask()
	b := wantError(t, w, http.StatusTooManyRequests, code)
	wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if err != nil || wait < 1 || b.Error.RetryAfter != wait || !strings.Contains(b.Error.Hint, (time.Duration(wait)*time.Second).String()) {
		t.Errorf("try again after %q: %+v", w.Header().Get("Retry-After"), b.Error)
	}
	began := *now
	*now = began.Add(time.Duration(wait-1) * time.Second)
	if w := ask(); wait > 1 && w.Code != http.StatusTooManyRequests {
		t.Errorf("a second earlier it is %d", w.Code)
	}
	*now = began.Add(time.Duration(wait) * time.Second)
	if w := ask(); w.Code/100 != 2 {
		t.Errorf("after the time that was asked for: %d %s", w.Code, w.Body)
	}
}

func TestSubmitsOfOneUser(t *testing.T) {
	s, now := meteredServer(t, Limits{Submits: 6})
	h := s.Handler()
	for n := range 6 {
		if w := submitAs(h, "user001", "user001", n); w.Code != http.StatusCreated {
			t.Fatalf("%d: %d %s", n, w.Code, w.Body)
		}
	}
	wantWait(t, now, "too_many_submits", func() *httptest.ResponseRecorder { return submitAs(h, "user001", "user001", 9) })
	w := ask(h, "POST", "/comfy/user001/prompt", wholeBody, "X-Remote-User: user001")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("by the face: %d %s", w.Code, w.Body)
	}
	if w := submitAs(h, "user002", "user002", 0); w.Code != http.StatusCreated {
		t.Errorf("another user: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", "/api/jobs", strings.NewReader(`{"user_id":"user001","workflow":{"1":{}}}`))
	r.RemoteAddr = "root"
	on := httptest.NewRecorder()
	if s.SocketHandler().ServeHTTP(on, r); on.Code != http.StatusCreated {
		t.Errorf("the admin on the socket, for that user: %d %s", on.Code, on.Body)
	}
}

// Where nobody vouches for names, the one that the call is for is charged.
func TestSubmitsWithoutLogin(t *testing.T) {
	s, now := meteredServer(t, Limits{Submits: 2})
	h := s.Handler()
	for n := range 2 {
		submitAs(h, "", "user001", n)
	}
	wantWait(t, now, "too_many_submits", func() *httptest.ResponseRecorder { return submitAs(h, "", "user001", 9) })
	if w := submitAs(h, "", "user002", 0); w.Code != http.StatusCreated {
		t.Errorf("another user: %d %s", w.Code, w.Body)
	}
}

func TestPromptBytesOfOneUser(t *testing.T) {
	s, now := meteredServer(t, Limits{PromptBytes: 1000})
	h, big := s.Handler(), strings.Repeat("x", 600)
	send := func() *httptest.ResponseRecorder {
		return ask(h, "POST", "/api/jobs", fmt.Sprintf(`{"user_id":"user001","workflow":{"1":{"a":%q}}}`, big), "X-Remote-User: user001", "Content-Type: application/json")
	}
	if w := send(); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	wantWait(t, now, "too_many_prompt_bytes", send)
}

func TestUploadsOfOneUser(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		code   string
	}{"files": {Limits{Uploads: 1}, "too_many_uploads"}, "bytes": {Limits{UploadBytes: 1000}, "too_many_upload_bytes"}} {
		t.Run(name, func(t *testing.T) {
			s, now := meteredServer(t, c.limits)
			h := s.Handler()
			send := func() *httptest.ResponseRecorder { return uploadAs(t, h, "user001", "a.png", make([]byte, 500)) }
			if w := send(); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			wantWait(t, now, c.code, send)
			if w := uploadAs(t, h, "user002", "a.png", make([]byte, 500)); w.Code != 200 {
				t.Errorf("another user: %d %s", w.Code, w.Body)
			}
		})
	}
	for name, l := range map[string]Limits{"off": {Submits: -1, Uploads: -1, UploadBytes: -1, PromptBytes: -1, InputBytes: -1, InputFiles: -1}, "default": {}} {
		t.Run(name, func(t *testing.T) {
			s, _ := meteredServer(t, l)
			for n := range 20 {
				if w := uploadAs(t, s.Handler(), "user001", "a.png", []byte{byte(n)}); w.Code != 200 {
					t.Fatalf("%d: %d %s", n, w.Code, w.Body)
				}
			}
		})
	}
}

// Who is at a limit stands in the list of users, also without a job; of others
// than admins nobody sees that of another.
func TestUsersAtALimit(t *testing.T) {
	s, now := meteredServer(t, Limits{Submits: 1, Uploads: 1})
	h := s.Handler()
	for _, user := range []string{"user001", "user003"} {
		for n := range 2 {
			uploadAs(t, h, user, "a.png", []byte{byte(n)})
		}
	}
	for n := range 2 {
		submitAs(h, "user001", "user001", n)
	}
	list := func(user string) (out string) {
		var users []struct {
			User   string
			Limits []string `json:"limits_reached"`
		}
		if w := ask(h, "GET", "/api/users", "", "X-Remote-User: "+user); json.Unmarshal(w.Body.Bytes(), &users) != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, u := range users {
			out += u.User + " " + strings.Join(u.Limits, ",") + "; "
		}
		return out
	}
	if got := list("admin"); got != "user001 submits,uploads; user002 ; user003 uploads; " {
		t.Errorf("the admin sees %q", got)
	}
	if got := list("user003"); got != "user003 uploads; " {
		t.Errorf("user003 sees %q", got)
	}
	*now = now.Add(time.Hour)
	if got := list("admin"); got != "user001 ; user002 ; " {
		t.Errorf("an hour later: %q", got)
	}
}

// What is in the folder counts, whoever put it there, and what was removed does not.
func TestInputsThatAreKept(t *testing.T) {
	for name, l := range map[string]Limits{"files": {InputFiles: 3}, "bytes": {InputBytes: 30}} {
		t.Run(name, func(t *testing.T) {
			s, now := meteredServer(t, l)
			h, own := s.Handler(), filepath.Join(s.opts.Inputs, "user001")
			check(t, os.MkdirAll(filepath.Join(own, "sketches"), 0o755))
			check(t, os.WriteFile(filepath.Join(own, "sketches", "page.png"), make([]byte, 10), 0o644))
			for n := range 2 {
				if w := uploadAs(t, h, "user001", fmt.Sprintf("%d.png", n), make([]byte, 10)); w.Code != 200 {
					t.Fatalf("%d: %d %s", n, w.Code, w.Body)
				}
			}
			for range 2 {
				b := wantError(t, uploadAs(t, h, "user001", "more.png", make([]byte, 10)), http.StatusInsufficientStorage, "inputs_full")
				if b.Error.Hint == "" {
					t.Error("no next step")
				}
			}
			if w := uploadAs(t, h, "user001", "1.png", []byte("0123456789"), "overwrite", "true"); w.Code != 200 {
				t.Errorf("instead of one that is there: %d %s", w.Code, w.Body)
			}
			if w := uploadAs(t, h, "user002", "a.png", make([]byte, 10)); w.Code != 200 {
				t.Errorf("another user: %d %s", w.Code, w.Body)
			}
			check(t, os.Remove(filepath.Join(own, "0.png")))
			*now = now.Add(countAgain)
			if w := uploadAs(t, h, "user001", "more.png", make([]byte, 10)); w.Code != 200 {
				t.Errorf("after one was removed: %d %s", w.Code, w.Body)
			}
			*now = now.Add(countFresh)
			if w := uploadAs(t, h, "user003", "a.png", make([]byte, 10)); w.Code != 200 || len(s.inputs.all) != 1 {
				t.Errorf("%d, %d folders are known", w.Code, len(s.inputs.all))
			}
		})
	}
}

// Uploads and submits leave the reserve of their disk, and a full disk is an
// obstacle that /readyz names.
func TestReserveOfDisks(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		disk           limit.Disk
		submit, upload int
		ready          string
	}{
		"inputs":        {limit.Disk{Name: DiskInputs, Path: dir, Leave: 1 << 60}, 201, 503, ""},
		"temporary":     {limit.Disk{Name: DiskTemp, Path: dir, Leave: 1 << 60}, 201, 503, ""},
		"ledger":        {limit.Disk{Name: DiskState, Path: dir, Leave: 1 << 60, Full: 1 << 60}, 503, 200, "disk_full"},
		"what it was":   {limit.Disk{Name: DiskInputs, Path: dir, Leave: 1}, 201, 200, ""},
		"users' folder": {limit.Disk{Name: DiskOutputs, Path: dir, Full: 1 << 60}, 201, 200, "disk_full"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, newFake(), func(o *Options) { o.Inputs, o.Disks = t.TempDir(), limit.NewDisks(c.disk) })
			h := s.Handler()
			for what, w := range map[string]*httptest.ResponseRecorder{"submit": submitAs(h, "user001", "user001", 0), "upload": uploadAs(t, h, "user001", "a.png", []byte("a"))} {
				want := map[string]int{"submit": c.submit, "upload": c.upload}[what]
				if w.Code != want || want == 503 && !strings.Contains(w.Body.String(), "disk_full") {
					t.Errorf("%s: %d %s", what, w.Code, w.Body)
				}
			}
			if _, err := os.Stat(filepath.Join(s.opts.Inputs, "user001", "a.png")); (err == nil) != (c.upload == 200) {
				t.Errorf("the file: %v", err)
			}
			s.opts.Disks.Look()
			if got := ask(h, "GET", "/readyz", "").Body.String(); strings.Contains(got, "disk_full") != (c.ready != "") {
				t.Errorf("/readyz: %s", got)
			}
		})
	}
}

func TestWhoIsCharged(t *testing.T) {
	s := newServer(t, newFake(), nil)
	for name, c := range map[string]struct {
		who  who
		path string // user of the path
		want limit.Caller
	}{
		"the unix socket":      {who{Caller: job.Caller{Name: "root", Admin: true, Via: viaSocket}}, "user001", limit.Caller{User: "root", Operator: true}},
		"a session by SSH":     {who{Caller: job.Caller{Name: "ann", Admin: true, Via: viaSSH}}, "", limit.Caller{User: "ann", Operator: true}},
		"an admin by TCP":      {who{Caller: job.Caller{Name: "admin", Admin: true, Via: viaSession}}, "user001", limit.Caller{User: "admin"}},
		"a user":               {who{Caller: job.Caller{Name: "user001", Via: viaProxy}}, "user001", limit.Caller{User: "user001"}},
		"anybody, for a user":  {who{Caller: job.Caller{Name: "anyone@loopback", Admin: true, Via: viaLoopback}, anyone: true}, "user001", limit.Caller{User: "user001"}},
		"anybody":              {who{Caller: job.Caller{Name: "anyone@proxy", Via: viaProxy}, anyone: true}, "", limit.Caller{}},
		"somebody who logs in": {who{}, "", limit.Caller{User: "from 192.0.2.7"}},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = "192.0.2.7:1"
		r.SetPathValue("user", c.path)
		if got := (&request{Request: r, who: c.who, srv: s}).charged(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
