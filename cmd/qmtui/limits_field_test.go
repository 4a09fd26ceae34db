package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// limited is a site whose users are named by a trusted proxy, as seen by one
// who takes all that can be had (user001), by another (user002), and by the
// admin on the unix socket.
type limited struct{ *site }

func openLimited(t *testing.T, change func(*plan)) *limited {
	t.Helper()
	s := openSite(t, func(p *plan) {
		p.config.Server.Listen, p.config.Auth.Mode = "127.0.0.1:0", "login"
		if change != nil {
			change(p)
		}
	})
	return &limited{s}
}

// caller makes calls as one person.
type caller struct {
	*limited
	name string // of the user whom the calls are for
	base string
	http *http.Client
	user string // named by the proxy; empty on the socket
}

func (l *limited) as(user string) *caller {
	return &caller{l, user, "http://" + l.manager.server.Addr().String(), &http.Client{Transport: &http.Transport{}}, user}
}

// admin is the admin on the unix socket, who acts for user002.
func (l *limited) admin() *caller {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.config.Server.Socket)
	}
	return &caller{l, "user002", "http://qmtui", &http.Client{Transport: &http.Transport{DialContext: dial}}, ""}
}

// answer is what came of a call.
type answer struct {
	status int
	code   string // of an error
	hint   string
	wait   int // seconds, of Retry-After
	body   []byte
	header http.Header
}

// call makes a call and reads the answer.
func (c *caller) call(method, path, kind string, body []byte) answer {
	c.T.Helper()
	resp, err := c.open(c.T.Context(), method, path, kind, body)
	check(c.T, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	check(c.T, err)
	return read(resp, raw)
}

func read(resp *http.Response, raw []byte) answer {
	a := answer{status: resp.StatusCode, body: raw, header: resp.Header}
	var e api.ErrorBody
	if resp.StatusCode >= 400 && json.Unmarshal(raw, &e) == nil {
		a.code, a.hint = e.Error.Code, e.Error.Hint
	}
	a.wait, _ = strconv.Atoi(resp.Header.Get("Retry-After"))
	return a
}

func (c *caller) open(ctx context.Context, method, path, kind string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	check(c.T, err)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if c.user != "" {
		r.Header.Set("X-Remote-User", c.user)
	}
	return c.http.Do(r)
}

// submit hands in a small prompt.
func (c *caller) submit() answer {
	return c.call("POST", api.PathJobs, "application/json", fmt.Appendf(nil, `{"user_id":%q,"workflow":%s}`, c.name, saving("limits")))
}

// upload sends a file.
func (c *caller) upload(name string, data []byte) answer {
	kind, body := form(name, data)
	return c.call("POST", "/comfy/"+c.name+"/upload/image", kind, body)
}

// form is an upload as a browser sends it.
func form(name string, data []byte) (kind string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreateFormFile("image", name)
	_, _ = part.Write(data)
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

// follow opens an event stream and reads its first event.
func (c *caller) follow(path string) (answer, func()) {
	c.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	resp, err := c.open(ctx, "GET", path, "", nil)
	check(c.T, err)
	leave := func() { cancel(); resp.Body.Close() }
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body)
		leave()
		return read(resp, raw), func() {}
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line[:6] != "event:" {
		c.T.Errorf("%s begins with %q, %v", path, line, err)
	}
	return answer{status: http.StatusOK}, leave
}

// refused expects an answer 429 with a code, a next step and a time.
func (a answer) refused(t *testing.T, code string) {
	t.Helper()
	if a.status != http.StatusTooManyRequests || a.code != code || a.hint == "" || a.wait < 1 {
		t.Errorf("%d %s, try again in %d s: %.300s; want 429 %s", a.status, a.code, a.wait, a.body, code)
	}
}

// othersAreServed measures that another user and the admin get through.
func (l *limited) othersAreServed(when string) {
	l.T.Helper()
	for _, c := range []*caller{l.as("user002"), l.admin()} {
		who := "user002"
		if c.user == "" {
			who = "the admin"
		}
		for what, do := range map[string]func() answer{
			"a submit": c.submit,
			"an upload of 5 bytes": func() answer {
				return c.upload(fmt.Sprintf("%s %d.txt", who, time.Now().UnixNano()), []byte("hello"))
			},
			"a stream": func() answer { a, leave := c.follow(api.PathEvents); leave(); return a },
		} {
			began := time.Now()
			a := do()
			if took := time.Since(began); a.status/100 != 2 || took > slack(time.Second) {
				l.T.Errorf("%s, %s of %s: %d %s after %v", when, what, who, a.status, a.code, took)
			}
		}
	}
}

// soon asks until it is so, which must be within two seconds.
func (l *limited) soon(what string, ok func() bool) {
	l.T.Helper()
	began := time.Now()
	l.eventually(what, ok)
	if took := time.Since(began); took > slack(2*time.Second) {
		l.T.Errorf("%s only after %v", what, took)
	}
}

// metric is a figure of /metrics; -1 when it is not there.
func (l *limited) metric(name string) float64 {
	l.T.Helper()
	for line := range strings.Lines(string(l.admin().call("GET", api.PathMetrics, "", nil).body)) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			check(l.T, err)
			return v
		}
	}
	return -1
}

// Row 3: eight uploads at one byte a second held all places for bodies, and
// another user's 5 bytes took a minute.
func TestLimitsRow03SlowUploads(t *testing.T) {
	t.Parallel()
	l := openLimited(t, nil)
	address := l.manager.server.Addr().String()
	kind, body := form("slow.png", make([]byte, 9_000_000))
	head := fmt.Sprintf("POST /comfy/user001/upload/image HTTP/1.1\r\nHost: %s\r\nX-Remote-User: user001\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", address, kind, len(body))
	var slow []net.Conn
	for n := range 16 {
		conn, err := net.Dial("tcp", address)
		check(t, err)
		defer conn.Close()
		// Half of them send enough at once to need a place among the large ones.
		_, err = conn.Write(append([]byte(head), body[:200+n%2*(128<<10)]...))
		check(t, err)
		slow = append(slow, conn)
	}
	ctx, stop := context.WithCancel(t.Context())
	var dripping sync.WaitGroup
	dripping.Go(func() {
		for tick := time.NewTicker(time.Second); ctx.Err() == nil; {
			for _, conn := range slow {
				_, _ = conn.Write([]byte("a"))
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	l.eventually("the slow uploads are under way", func() bool {
		return l.metric(`qmtui_http_requests_in_flight{route="/comfy/{user}/upload/image"}`) == float64(len(slow))
	})
	l.othersAreServed("under sixteen slow uploads")
	if a := l.as("user002").upload("large.bin", make([]byte, 2<<20)); a.status != 200 {
		t.Errorf("a large upload of another user: %d %s", a.status, a.code)
	}
	stop()
	dripping.Wait()
	for _, conn := range slow {
		conn.Close()
	}
	l.soon("the attacker is served again", func() bool { return l.as("user001").upload("large.bin", make([]byte, 2<<20)).status == 200 })
}

// Row 4: one participant opened 256 event streams, and the panel, submit
// --wait and the log over the socket had none.
func TestLimitsRow04Streams(t *testing.T) {
	t.Parallel()
	l := openLimited(t, nil)
	eve := l.as("user001")
	var leave []func()
	for range 300 {
		a, out := eve.follow(api.PathEvents)
		if a.status != http.StatusOK {
			a.refused(t, "too_many_streams")
		} else {
			leave = append(leave, out)
		}
	}
	if n := len(leave); n > 32 {
		t.Errorf("one user has %d streams", n)
	}
	l.othersAreServed("while one user has all the streams that she can get")
	a, out := l.admin().follow(api.PathLog)
	out()
	if a.status != http.StatusOK {
		t.Errorf("the log over the socket: %d %s", a.status, a.code)
	}
	j := l.site.submit("user002", saving("waited"))
	l.awaitEnd(j.ID, job.Done)
	for _, out := range leave {
		out()
	}
	l.soon("eve can follow again", func() bool { a, out := eve.follow(api.PathEvents); out(); return a.status == http.StatusOK })
}

// smallDisk is a disk of its own, below the site's folder.
func smallDisk(t *testing.T, p plan, size string) (dir string) {
	t.Helper()
	dir = filepath.Join(p.scene.Dir, "small")
	check(t, os.MkdirAll(dir, 0o755))
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// Row 5: uploads filled the disk that the ledger is on as well, and every
// submit got 503.
func TestLimitsRow05FullDisk(t *testing.T) {
	t.Parallel()
	const reserve = 16 << 20
	l := openLimited(t, func(p *plan) {
		small := smallDisk(t, *p, "96m")
		p.config.State.Dir, p.config.Users.Inputs = filepath.Join(small, "state"), filepath.Join(small, "inputs")
		p.config.Server.Socket = filepath.Join(p.config.State.Dir, "qmtui.sock")
		p.config.Share.FreeReserve = reserve
		check(t, os.MkdirAll(p.config.State.Dir, 0o700))
		check(t, os.MkdirAll(p.config.Users.Inputs, 0o755))
	})
	eve, noise := l.as("user001"), make([]byte, 9_000_000)
	full := 0
	for n := range 30 {
		size := len(noise) >> min(n/3, 12) // smaller and smaller
		if a := eve.upload(fmt.Sprintf("%d.png", n), noise[:size]); a.code == "inputs_full" && a.status == http.StatusInsufficientStorage && a.hint != "" {
			full++
		} else if a.status != http.StatusOK {
			t.Errorf("upload %d: %d %.300s", n, a.status, a.body)
		}
	}
	if full == 0 {
		t.Error("the disk took all uploads")
	}
	if a := l.as("user002").upload("small.txt", []byte("hello")); a.status != http.StatusOK {
		t.Errorf("a small upload of another: %d %.300s", a.status, a.body)
	}
	for _, c := range []*caller{l.as("user002"), l.admin()} {
		began := time.Now()
		if a := c.submit(); a.status != http.StatusCreated || time.Since(began) > slack(time.Second) {
			t.Errorf("a submit of another: %d %.300s after %v", a.status, a.body, time.Since(began))
		}
	}
	if a := l.as("user002").call("GET", "/readyz", "", nil); a.status != http.StatusOK {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	j := l.site.submit("user002", saving("on a full disk"))
	l.awaitEnd(j.ID, job.Done)

	// Somebody else fills the disk: then it is said, and new jobs wait.
	ballast := filepath.Join(l.config.Users.Inputs, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 96<<20), 0o644); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if a := l.as("user002").submit(); a.status != http.StatusServiceUnavailable || a.code != "disk_full" {
		t.Errorf("a submit without room: %d %.300s", a.status, a.body)
	}
	ready := func() answer { return l.as("user002").call("GET", "/readyz", "", nil) }
	if a := ready(); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), `"disk_full"`) {
		t.Errorf("not ready: %d %s", a.status, a.body)
	}
	check(t, os.Remove(ballast))
	check(t, os.RemoveAll(filepath.Join(l.config.Users.Inputs, "user001")))
	l.soon("everything goes on", func() bool {
		return l.as("user002").upload("a.png", noise).status == 200 && l.as("user002").submit().status == 201
	})
	l.eventually("it is ready", func() bool { return ready().status == http.StatusOK })
}

// Row 5: submit and cancel made the ledger grow by 5.5 MB a time, without end.
func TestLimitsRow05LedgerGrowth(t *testing.T) {
	t.Parallel()
	const most, body = 8 << 20, 1 << 20
	l := openLimited(t, func(p *plan) {
		p.config.Limits.LedgerBytes, p.config.Limits.PromptBytes = most, 20*body
	})
	eve := l.as("user001")
	_, err := l.client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	kept := l.site.submit("user001", saving("kept"))
	old := l.site.submit("user002", saving("old"))
	_, err = l.client.Cancel(t.Context(), old.ID)
	check(t, err)
	taken := 0
	for n := range 40 {
		noise := make([]byte, body/2)
		_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(noise)
		a := eve.call("POST", api.PathJobs, "application/json", fmt.Appendf(nil, `{"user_id":"user001","workflow":%s,"extra_data":{"x":"%x"}}`, saving("noise"), noise))
		var j api.Job
		if a.status != http.StatusCreated {
			a.refused(t, "too_many_prompt_bytes")
			continue
		}
		taken++
		check(t, json.Unmarshal(a.body, &j))
		if a := eve.call("DELETE", api.Path(api.PathJob, string(j.ID)), "", nil); a.status != http.StatusNoContent {
			t.Fatalf("cancel: %d %s", a.status, a.body)
		}
	}
	if taken < 10 || taken > 21 {
		t.Errorf("%d prompts of a megabyte were taken within an hour that may have 20", taken)
	}
	began := time.Now()
	if a := l.as("user002").submit(); a.status != http.StatusCreated || time.Since(began) > slack(time.Second) {
		t.Errorf("another user: %d %s after %v", a.status, a.body, time.Since(began))
	}
	l.eventually("the cancelled jobs have closed", func() bool { return l.manager.ledger.Stats().OpenJobs == 2 })
	n, err := l.manager.ledger.PruneUsers(t.Context(), most, 0)
	check(t, err)
	page, err := l.client.Jobs(t.Context(), api.Query{Filter: api.Filter{User: "user001"}, Limit: 100})
	check(t, err)
	if left := len(page.Items); n == 0 || left < 2 || left > most/(body/2)+1 {
		t.Errorf("%d jobs were forgotten and %d are left", n, left)
	}
	for what, id := range map[string]job.ID{"the open job": kept.ID, "another user's ended job": old.ID} {
		if _, err := l.client.Job(t.Context(), id); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
