package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/picture/picturetest"
)

const (
	attackPace   = time.Second     // what others wait at most, 99 times of a hundred
	attackBack   = 2 * time.Second // after that the attack has left no trace
	attackMemory = 512 << 20       // of the daemon, in bytes
	attackers    = "user001"
)

// campaign is a daemon in a process of its own behind nginx, which one
// participant attacks while others work: user002 through nginx, user003 over
// TCP, the admin on the unix socket and the admin by SSH.
type campaign struct {
	*workshop
	binary  string
	daemon  *exec.Cmd
	direct  string // URL of the daemon
	sshPort string
	key     ssh.Signer
	small   string // folder with a small disk of its own; empty where none can be had
	shown   map[string]job.OutputID
	others  []*party
	attack  []*party // user001, over TCP and through nginx
	peak    atomic.Int64
}

// party is somebody who makes calls by one way.
type party struct {
	name, base, user string
	http             *http.Client
}

func (p *party) open(ctx context.Context, method, path, kind string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return p.http.Do(r)
}

func (p *party) call(ctx context.Context, method, path, kind string, body []byte) (int, []byte, error) {
	resp, err := p.open(ctx, method, path, kind, body)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// wants makes a call and expects an answer of success.
func (p *party) wants(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	status, raw, err := p.call(ctx, method, path, kind, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%d %.300s", status, raw)
	}
	return raw, err
}

func (p *party) submit(ctx context.Context) (j api.Job, err error) {
	raw, err := p.wants(ctx, "POST", api.PathJobs, "application/json", fmt.Appendf(nil, `{"user_id":%q,"workflow":%s}`, p.user, saving("campaign")))
	if err == nil {
		err = json.Unmarshal(raw, &j)
	}
	return j, err
}

// stream opens the panel's stream and reads its first line.
func (p *party) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := p.open(ctx, "GET", api.PathEvents, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var first [6]byte
	if _, err := io.ReadFull(resp.Body, first[:]); err != nil || resp.StatusCode != 200 || string(first[:]) != "event:" {
		return fmt.Errorf("%d %q %w", resp.StatusCode, first, err)
	}
	return nil
}

func openCampaign(t *testing.T) *campaign {
	c := &campaign{shown: map[string]job.OutputID{}}
	key, line := newSSHKey(t, "ada@laptop")
	c.key, c.binary = key, buildBinary(t, t.TempDir())
	c.sshPort = strconv.Itoa(freePorts(t, 1)[0])
	book := &logbook{}
	c.workshop = openWorkshop(t, workshopPlan{users: 5, origins: true, change: func(p *plan) {
		p.apart = true
		p.config.SSH.Listen = "127.0.0.1:" + c.sshPort
		p.config.Users.MaxRunning, p.config.Share.FreeReserve = 4, 16<<20
		p.before = func(p plan) {
			hash, err := bcrypt.GenerateFromPassword([]byte(workshopPassword), bcrypt.DefaultCost) // as qmtui users add makes it
			check(t, err)
			var users strings.Builder
			for i := range 5 {
				fmt.Fprintf(&users, "%s:%s\n", demo.User(i+1), hash)
			}
			check(t, os.WriteFile(p.config.Auth.Htpasswd, []byte(users.String()), 0o600))
			check(t, os.MkdirAll(p.config.State.Dir, 0o700))
			check(t, os.WriteFile(filepath.Join(p.scene.State(), "ssh_authorized_keys"), []byte(line), 0o600))
			file := filepath.Join(p.scene.Dir, "qmtui.toml")
			check(t, os.WriteFile(file, config.Effective(p.config, config.Source{}), 0o600))
			c.daemon = exec.Command(c.binary, "daemon", "--config", file)
			c.daemon.Stderr = book
			c.daemon.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "QMTUI_") }), "QMTUI_DEPLOYMENT_H200_SPOT_KEY="+p.config.Deployments[0].Key.Reveal())
			check(t, c.daemon.Start())
			ended := make(chan struct{})
			go func() { _ = c.daemon.Wait(); close(ended) }()
			t.Cleanup(func() {
				_ = c.daemon.Process.Kill()
				<-ended
				if t.Failed() {
					t.Logf("the daemon said:\n%s", book.tail(40))
				}
			})
		}
		if os.Geteuid() == 0 {
			c.small = smallDisk(t, *p, "256m")
			p.config.Users.Inputs = filepath.Join(c.small, "inputs")
			check(t, os.MkdirAll(p.config.Users.Inputs, 0o755))
		}
	}})
	c.direct = "http://" + c.config.Server.Listen
	c.dial()

	through := func(user string) *party {
		v := c.login(t, user)
		return &party{user + " through nginx", v.url, user, v.http}
	}
	over := func(user string) *party {
		v := &visitor{T: t, url: c.direct, http: c.visitorAt(t, "").http}
		v.http.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
		if got := v.post("/auth/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, workshopPassword)); got.code != 200 {
			t.Fatalf("login: %+v", got)
		}
		return &party{user + " over TCP", c.direct, user, v.http}
	}
	socket := &party{"the admin on the socket", "http://qmtui", "user004", &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.config.Server.Socket)
	}}}}
	c.others = []*party{through("user002"), over("user003"), socket}
	c.attack = []*party{through(attackers), over(attackers)}
	for _, p := range append(slices.Clone(c.others), c.attack[0]) {
		j, err := p.submit(t.Context())
		check(t, err)
		c.shown[p.user] = c.awaitEnd(j.ID, job.Done).Outputs[0].ID
	}
	return c
}

// measured is what others waited during one attack.
type measured struct {
	mu   sync.Mutex
	took map[string][]time.Duration // by who and what
	errs []error
}

func (m *measured) add(what string, took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took[what] = append(m.took[what], took)
	if err != nil {
		m.errs = append(m.errs, fmt.Errorf("%s after %v: %w", what, took.Round(time.Millisecond), err))
	}
}

// figures are the middle, the 99th of a hundred and the worst of all waits, and
// whose the worst was.
func (m *measured) figures() (n int, middle, high, worst time.Duration, whose string) {
	var all []time.Duration
	for what, list := range m.took {
		all = append(all, list...)
		if most := slices.Max(list); most > worst {
			worst, whose = most, what
		}
	}
	slices.Sort(all)
	return len(all), all[len(all)/2], all[(len(all)*99-1)/100], worst, whose
}

// once does everything that others do, side by side, one time.
func (c *campaign) once(ctx context.Context, m *measured, n int64) {
	var all sync.WaitGroup
	try := func(who, what string, do func() error) {
		began := time.Now()
		err := do()
		m.add(who+": "+what, time.Since(began), err)
	}
	for _, p := range c.others {
		all.Go(func() {
			try(p.name, "submit", func() error { _, err := p.submit(ctx); return err })
			try(p.name, "upload of 5 bytes", func() error {
				kind, body := form(fmt.Sprintf("%d.txt", n), []byte("hello"))
				_, err := p.wants(ctx, "POST", "/comfy/"+p.user+"/upload/image", kind, body)
				return err
			})
			try(p.name, "preview", func() error {
				_, err := p.wants(ctx, "GET", fmt.Sprintf("/api/outputs/%s/preview?width=%d", c.shown[p.user], 10+n%500), "", nil)
				return err
			})
			try(p.name, "panel's stream", func() error { return p.stream(ctx) })
		})
	}
	all.Go(func() { try("the admin by SSH", "panel", c.panel) })
	all.Wait()
}

// panel opens a panel by SSH and waits for what it first draws.
func (c *campaign) panel() error {
	conn, err := ssh.Dial("tcp", "127.0.0.1:"+c.sshPort, &ssh.ClientConfig{User: "ada", Auth: []ssh.AuthMethod{ssh.PublicKeys(c.key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := conn.NewSession()
	if err != nil {
		return err
	}
	out, err := session.StdoutPipe()
	if err == nil {
		_, err = session.StdinPipe() // which is not closed
	}
	if err == nil {
		err = session.RequestPty("xterm-256color", 24, 80, ssh.TerminalModes{})
	}
	if err == nil {
		err = session.Shell()
	}
	if err == nil {
		_, err = io.ReadFull(out, make([]byte, 64))
	}
	return err
}

// memory is what the daemon took at most, and its children together right now, in bytes.
func (c *campaign) memory() (daemon, children int64) {
	field := func(pid, name string) (kb int64) {
		raw, _ := os.ReadFile("/proc/" + pid + "/status") // gone: nothing
		_, after, _ := strings.Cut(string(raw), name+":")
		_, _ = fmt.Sscan(after, &kb)
		return kb << 10
	}
	for _, pid := range c.children() {
		children += field(pid, "VmRSS")
	}
	return field(strconv.Itoa(c.daemon.Process.Pid), "VmHWM"), children
}

func (c *campaign) children() (pids []string) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.daemon.Process.Pid))
	for _, list := range lists {
		raw, _ := os.ReadFile(list)
		pids = append(pids, strings.Fields(string(raw))...)
	}
	return pids
}

// under runs an attack for that long while the others work, and expects that
// they are served, and that nothing is left of it soon after.
func (c *campaign) under(t *testing.T, length time.Duration, attack func(context.Context)) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var attacking, sampling sync.WaitGroup
	attacking.Go(func() { attack(ctx) })
	var helpers atomic.Int64
	sampling.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			if _, now := c.memory(); now > helpers.Load() {
				helpers.Store(now)
			}
		}
	})
	m := &measured{took: map[string][]time.Duration{}}
	end := time.Now().Add(length)
	for tick := time.NewTicker(300 * time.Millisecond); time.Now().Before(end); <-tick.C {
		c.once(t.Context(), m, c.peak.Add(1))
	}
	leave()
	left := time.Now()
	attacking.Wait()
	sampling.Wait()
	after := &measured{took: map[string][]time.Duration{}}
	c.once(t.Context(), after, c.peak.Add(1))
	c.eventually("no helper is left", func() bool { return len(c.children()) == 0 })
	back := time.Since(left)

	n, middle, high, worst, whose := m.figures()
	daemon, _ := c.memory()
	t.Logf("others: %d calls, half within %v, 99 of 100 within %v, worst %v (%s); daemon %d MB at most, helpers %d MB; back after %v",
		n, middle.Round(time.Millisecond), high.Round(time.Millisecond), worst.Round(time.Millisecond), whose, daemon>>20, helpers.Load()>>20, back.Round(time.Millisecond))
	for _, err := range slices.Concat(m.errs, after.errs) {
		t.Error(err)
	}
	if high > slack(attackPace) {
		t.Errorf("99 of 100 calls of others took up to %v", high)
	}
	if daemon > attackMemory {
		t.Errorf("the daemon took %d MB", daemon>>20)
	}
	if back > slack(attackBack) {
		t.Errorf("everything was back only after %v", back)
	}
}

// crowd does it again and again, n times side by side, until ctx ends.
func crowd(ctx context.Context, n int, do func(k, round int)) {
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				do(k, round)
			}
		})
	}
	all.Wait()
}

// masks uploads the picture, and draws masks on it from so many places at once.
func (c *campaign) masks(ctx context.Context, name string, data []byte, places int) {
	for _, p := range c.attack {
		kind, body := form(name, data)
		_, _, _ = p.call(ctx, "POST", "/comfy/"+p.user+"/upload/image", kind, body)
	}
	kind, body := form(name, data)
	body = bytes.Replace(body, []byte("\r\n--"), fmt.Appendf(nil, "\r\n--%s\r\nContent-Disposition: form-data; name=\"original_ref\"\r\n\r\n{\"filename\":%q,\"subfolder\":\"\",\"type\":\"input\"}\r\n--",
		strings.TrimPrefix(kind, "multipart/form-data; boundary="), name), 1)
	crowd(ctx, places, func(k, _ int) {
		p := c.attack[k%2]
		_, _, _ = p.call(ctx, "POST", "/comfy/"+p.user+"/upload/mask", kind, body)
	})
}

// plant writes files into the folder of a job of the attacker that runs, as a
// writer of the share may, and shows the previews of what became of them.
func (c *campaign) plant(ctx context.Context, files map[string][]byte, links int) {
	p := c.attack[1]
	j, err := p.submit(ctx)
	if err != nil {
		return
	}
	j = c.await(j.ID, "it is with a worker", func(j api.Job) bool { return j.PromptID != "" })
	dir := filepath.Join(c.scene.Share(), "qm", string(j.PromptID), "9")
	_ = os.MkdirAll(dir, 0o777)
	for name, data := range files {
		_ = os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	for n := range links {
		if ctx.Err() != nil {
			return
		}
		_ = os.Symlink("/etc/passwd", filepath.Join(dir, fmt.Sprintf("link_%05d_.png", n)))
	}
	crowd(ctx, 8, func(k, round int) {
		j, err := c.client.Job(ctx, j.ID)
		if err != nil {
			return
		}
		for _, o := range j.Outputs {
			_, _, _ = p.call(ctx, "GET", fmt.Sprintf("/api/outputs/%s/preview?width=%d", o.ID, 10+(round*8+k)%900), "", nil)
		}
	})
}

// slowBodies opens uploads that go on at one byte a second; half of them send
// enough at once to need a place among the large ones.
func (c *campaign) slowBodies(ctx context.Context, n int) {
	kind, body := form("slow.png", make([]byte, 9_000_000))
	var conns []net.Conn
	for k := range n {
		p := c.attack[k%2]
		r, err := http.NewRequest("POST", p.base+"/comfy/"+p.user+"/upload/image", nil)
		check(c.T, err)
		var head bytes.Buffer
		fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", r.URL.Path, r.URL.Host, kind, len(body))
		for _, cookie := range p.http.Jar.Cookies(r.URL) {
			fmt.Fprintf(&head, "Cookie: %s=%s\r\n", cookie.Name, cookie.Value)
		}
		address := strings.TrimPrefix([]string{c.url, c.direct}[k%2], "http://")
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		defer conn.Close()
		_, _ = conn.Write(append(append(head.Bytes(), "\r\n"...), body[:200+k%4/2*(128<<10)]...))
		conns = append(conns, conn)
	}
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, conn := range conns {
			_ = conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = conn.Write([]byte("a"))
		}
	}
}

// streams opens as many event streams and WebSockets as can be had, and reads none.
func (c *campaign) streams(ctx context.Context, n int) {
	var open sync.WaitGroup
	for k := range n {
		open.Go(func() {
			p := c.attack[k%2]
			if k%4 < 2 {
				if resp, err := p.open(ctx, "GET", api.PathEvents+"?limit=20000", "", nil); err == nil {
					<-ctx.Done()
					resp.Body.Close()
				}
				return
			}
			r, err := http.NewRequestWithContext(ctx, "GET", p.base+"/ws?user_id="+p.user, nil)
			check(c.T, err)
			r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OTAxMjM0NQ=="}, "Origin": {p.base}}
			if resp, err := p.http.Do(r); err == nil {
				<-ctx.Done()
				resp.Body.Close()
			}
		})
	}
	open.Wait()
}

// fill uploads until there is no room, and has the ledger grow by large prompts
// that are cancelled at once.
func (c *campaign) fill(ctx context.Context) {
	noise := make([]byte, 9_000_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	crowd(ctx, 6, func(k, round int) {
		p := c.attack[k%2]
		if k < 4 {
			kind, body := form(fmt.Sprintf("%d-%d.png", k, round), noise[:len(noise)>>min(round/4, 12)])
			_, _, _ = p.call(ctx, "POST", "/comfy/"+p.user+"/upload/image", kind, body)
			return
		}
		_, raw, err := p.call(ctx, "POST", api.PathJobs, "application/json", fmt.Appendf(nil, `{"user_id":%q,"workflow":%s,"extra_data":{"x":"%x"}}`, p.user, saving("fill"), noise[:2_700_000]))
		var j api.Job
		if err == nil && json.Unmarshal(raw, &j) == nil && j.ID != "" {
			_, _, _ = p.call(ctx, "DELETE", api.Path(api.PathJob, string(j.ID)), "", nil)
		}
	})
}

// largePrompts sends prompts as large as can be, side by side.
func (c *campaign) largePrompts(ctx context.Context) {
	most := strings.Repeat("x", 9_900_000)
	body := fmt.Appendf(nil, `{"user_id":%q,"workflow":{"1":{"class_type":"Note","inputs":{"text":%q}},"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x","images":["1",0]}}},"extra_data":{"y":%q}}`, attackers, most, most)
	crowd(ctx, 16, func(k, _ int) {
		_, _, _ = c.attack[k%2].call(ctx, "POST", api.PathJobs, "application/json", body)
	})
}

// logins tries passwords from addresses that change with each.
func (c *campaign) logins(ctx context.Context) {
	crowd(ctx, 80, func(k, round int) {
		base := []string{c.url, c.direct}[k%2]
		r, err := http.NewRequestWithContext(ctx, "POST", base+"/auth/login", strings.NewReader(fmt.Sprintf(`{"user":"u%dx%d","password":"bad"}`, k, round)))
		check(c.T, err)
		r.Host = "workshop.example"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("2001:db8:%x:%x::1", k, round))
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}

// victim logs in again and again, from one address, with and without a browser
// that is known.
func (c *campaign) victim(ctx context.Context, m *measured) {
	known := c.visitorAt(c.T, "user002")
	for round := 0; ctx.Err() == nil; round++ {
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, "POST", known.url+"/auth/login", strings.NewReader(fmt.Sprintf(`{"user":"user002","password":%q}`, workshopPassword)))
		check(c.T, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", known.url)
		r.Header.Set("X-Forwarded-For", "192.0.2.77")
		resp, err := known.http.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				err = errors.New(resp.Status)
			}
		}
		if ctx.Err() == nil {
			what := "login with a known browser"
			if round == 0 {
				what = "login with a new browser"
			}
			m.add(what, time.Since(began), err)
		}
	}
}

// idleSSH holds connections to the SSH port that say nothing, from many addresses.
func (c *campaign) idleSSH(ctx context.Context) {
	crowd(ctx, 100, func(k, _ int) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(k/40), byte(1+k%40))}}
		conn, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+c.sshPort)
		if err != nil {
			return
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		_, _ = io.Copy(io.Discard, conn) // until it is closed
	})
}

// TestAttacks runs each attack of the limits' rows against the daemon, over TCP
// and through nginx as it is shipped, with others measured meanwhile. It is
// slow: QMTUI_ATTACK says how long each attack lasts. With QMTUI_BUDGETS the
// bounds hold to the letter, else ten times as much is allowed.
func TestAttacks(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("QMTUI_ATTACK"))
	if err != nil || length <= 0 {
		t.Skip("slow: set QMTUI_ATTACK to how long each attack lasts, such as 10s")
	}
	c := openCampaign(t)
	t.Run("none", func(t *testing.T) {
		c.under(t, length, func(ctx context.Context) { <-ctx.Done() })
	})
	bomb := picturetest.PNG(8192, 8191, 16, 8191)
	scans := picturetest.Progressive(4000, 4000, 1, 1000)
	all := []struct {
		name string
		run  func(context.Context)
	}{
		{"row 1 pictures of many bytes", func(ctx context.Context) {
			var both sync.WaitGroup
			both.Go(func() { c.masks(ctx, "bomb.png", bomb, 9) })
			both.Go(func() { c.plant(ctx, map[string][]byte{"campaign_00002_.png": bomb}, 0) })
			both.Wait()
		}},
		{"row 1 pictures as large as they may be", func(ctx context.Context) { c.masks(ctx, "large.png", picturetest.PNG(3600, 3600, 8, 3600), 9) }},
		{"row 2 pictures of many scans", func(ctx context.Context) {
			var both sync.WaitGroup
			both.Go(func() { c.masks(ctx, "scans.jpg", scans, 8) })
			both.Go(func() { c.plant(ctx, map[string][]byte{"campaign_00002_.jpg": scans}, 0) })
			both.Wait()
		}},
		{"row 2 as many scans as there may be", func(ctx context.Context) { c.masks(ctx, "costly.jpg", picturetest.Progressive(3200, 3200, 1, 99), 40) }},
		{"row 3 slow bodies", func(ctx context.Context) { c.slowBodies(ctx, 128) }},
		{"row 3 large prompts", c.largePrompts},
		{"row 4 streams and sockets", func(ctx context.Context) { c.streams(ctx, 600) }},
		{"row 5 disk and ledger", c.fill},
		{"row 7 logins", c.logins},
		{"row 8 idle SSH", c.idleSSH},
		{"row 10 hostile files", func(ctx context.Context) { c.plant(ctx, hostileFiles(), 20_000) }},
	}
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) {
			if strings.HasPrefix(a.name, "row 7") {
				logins := &measured{took: map[string][]time.Duration{}}
				run := a.run
				a.run = func(ctx context.Context) {
					var both sync.WaitGroup
					both.Go(func() { run(ctx) })
					both.Go(func() { c.victim(ctx, logins) })
					both.Wait()
				}
				defer func() {
					n, middle, _, worst, whose := logins.figures()
					t.Logf("user002: %d logins, half within %v, worst %v (%s)", n, middle.Round(time.Millisecond), worst.Round(time.Millisecond), whose)
					for _, err := range logins.errs {
						t.Error(err)
					}
				}()
			}
			c.under(t, length, a.run)
		})
	}
}
