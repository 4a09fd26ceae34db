package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// newSSHKey makes a key, and its line of a keys file.
func newSSHKey(t *testing.T, comment string) (ssh.Signer, string) {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	check(t, err)
	wire, err := ssh.NewPublicKey(pub)
	check(t, err)
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(wire))) + " " + comment + "\n"
}

// sshSite is a site with an SSH door, a key that may act and one that may look.
type sshSite struct {
	*site
	full, looking ssh.Signer
}

func openSSHSite(t *testing.T, change func(*plan)) sshSite {
	t.Helper()
	full, fullLine := newSSHKey(t, "ada@laptop")
	looking, lookingLine := newSSHKey(t, "wall")
	s := openSite(t, func(p *plan) {
		p.config.SSH.Listen = "127.0.0.1:0"
		p.before = func(p plan) {
			check(t, os.WriteFile(filepath.Join(p.scene.State(), "ssh_authorized_keys"), []byte(fullLine+"read-only "+lookingLine), 0o600))
		}
		if change != nil {
			change(p)
		}
	})
	return sshSite{s, full, looking}
}

// line is a connection to the SSH door, with the net.Conn below it.
func (s sshSite) line(auth ...ssh.AuthMethod) (*ssh.Client, net.Conn, error) {
	conn, err := net.Dial("tcp", s.manager.ssh.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	c, channels, requests, err := ssh.NewClientConn(conn, "", &ssh.ClientConfig{User: "ada", Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return ssh.NewClient(c, channels, requests), conn, nil
}

func (s sshSite) mustLine(key ssh.Signer) (*ssh.Client, net.Conn) {
	s.Helper()
	c, conn, err := s.line(ssh.PublicKeys(key))
	check(s.T, err)
	s.Cleanup(func() { c.Close() })
	return c, conn
}

// sshPanel is a panel as a person at the other end sees it.
type sshPanel struct {
	*site
	conn     net.Conn
	session  *ssh.Session
	terminal *vt.SafeEmulator
	in       interface{ Write([]byte) (int, error) }
	stderr   bytes.Buffer
	ended    chan error
}

func (s sshSite) open(key ssh.Signer) *sshPanel {
	s.Helper()
	c, conn := s.mustLine(key)
	session, err := c.NewSession()
	check(s.T, err)
	p := &sshPanel{site: s.site, conn: conn, session: session, terminal: vt.NewSafeEmulator(100, 30), ended: make(chan error, 1)}
	session.Stdout, session.Stderr = p.terminal, &p.stderr
	p.in, err = session.StdinPipe()
	check(s.T, err)
	check(s.T, session.RequestPty("xterm-256color", 30, 100, ssh.TerminalModes{}))
	check(s.T, session.Shell())
	go func() { // what the terminal answers
		b := make([]byte, 256)
		for {
			n, err := p.terminal.Read(b)
			if err != nil {
				return
			}
			_, _ = p.in.Write(b[:n])
		}
	}()
	go func() { p.ended <- session.Wait() }()
	return p
}

func (p *sshPanel) text() string { return ansi.Strip(p.terminal.Render()) }

func (p *sshPanel) sees(words ...string) {
	p.Helper()
	for _, w := range words {
		p.eventually("the panel shows "+w, func() bool { return strings.Contains(p.text(), w) })
	}
}

func (p *sshPanel) press(keys string) {
	p.Helper()
	_, err := p.in.Write([]byte(keys))
	check(p.T, err)
}

// end waits for the end of the session and returns its exit code.
func (p *sshPanel) end() int {
	p.Helper()
	select {
	case err := <-p.ended:
		var exit *ssh.ExitError
		if errors.As(err, &exit) {
			return exit.ExitStatus()
		}
		check(p.T, err)
	case <-time.After(patience):
		p.Fatalf("the session did not end:\n%s", p.text())
	}
	return 0
}

// waiting is a job that stays where it is.
func (s sshSite) waiting() api.Job {
	s.Helper()
	_, err := s.client.SetMode(s.Context(), job.ModePaused)
	check(s.T, err)
	return s.submit("user001", saving("shot"))
}

// A person with a key opens the panel, sees the queue, changes the size,
// cancels a job, and leaves with the screen as it was. The audit log knows who.
func TestPanelBySSH(t *testing.T) {
	s := openSSHSite(t, nil)
	j := s.waiting()
	p := s.open(s.full)
	p.sees("● live", "user001", "PAUSED")
	if !p.terminal.IsAltScreen() || strings.Contains(p.text(), "read-only") {
		t.Errorf("the screen is wrong:\n%s", p.text())
	}
	check(t, p.session.WindowChange(24, 80))
	p.terminal.Resize(80, 24)
	p.eventually("the panel is drawn anew at 80x24", func() bool {
		lines := strings.Split(p.text(), "\n")
		return len(lines) == 24 && strings.Contains(lines[23], "cancel") && strings.Contains(p.text(), "user001")
	})
	p.press("c")
	p.sees("Cancel 1 job?", "y/n")
	p.press("y")
	p.sees("u undo") // for five seconds
	s.await(j.ID, "cancelled", func(j api.Job) bool { return j.State == job.Cancelled })
	p.press("q")
	if code := p.end(); code != 0 || p.terminal.IsAltScreen() || p.stderr.Len() > 0 {
		t.Errorf("exit code %d, alternate screen %v, %s", code, p.terminal.IsAltScreen(), p.stderr.String())
	}
	audit, err := s.manager.ledger.AuditTail(10)
	check(t, err)
	fingerprint := ssh.FingerprintSHA256(s.full.PublicKey())
	found := false
	for _, e := range audit {
		found = found || e.Actor == "ada@laptop" && e.Via == "ssh" && e.Proof == fingerprint+" as ada" && e.Verb == "cancel" && e.Target == string(j.ID)
	}
	if !found {
		t.Errorf("the audit log has %+v", audit)
	}
	facts, err := s.client.Facts(t.Context(), j.ID)
	check(t, err)
	if !slices.ContainsFunc(facts, func(f api.Fact) bool { return f.Kind == job.Wanted && f.Actor == "ada@laptop" }) {
		t.Errorf("the time line is %+v", facts)
	}
}

// A key for looking sees everything, and the manager refuses what it presses.
func TestPanelBySSHForLooking(t *testing.T) {
	s := openSSHSite(t, nil)
	j := s.waiting()
	p := s.open(s.looking)
	p.sees("● live", "user001", "read-only")
	p.press("c")
	p.sees("Cancel 1 job?", "y/n")
	p.press("y")
	p.sees("read_only")
	if now, err := s.client.Job(t.Context(), j.ID); err != nil || now.State != job.Queued {
		t.Errorf("%s %v", now.State, err)
	}
	p.press("q")
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// There is the panel, and nothing else.
func TestSSHIsOnlyThePanel(t *testing.T) {
	s := openSSHSite(t, nil)
	stranger, _ := newSSHKey(t, "ada@laptop")
	for name, auth := range map[string]ssh.AuthMethod{"a stranger's key": ssh.PublicKeys(stranger), "a password": ssh.Password("x"),
		"answers": ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return nil, nil })} {
		if c, _, err := s.line(auth); err == nil {
			c.Close()
			t.Errorf("%s lets in", name)
		}
	}
	c, _ := s.mustLine(s.full)
	if ch, _, err := c.OpenChannel("direct-tcpip", ssh.Marshal(struct {
		Host string
		Port uint32
		From string
		At   uint32
	}{"127.0.0.1", 22, "127.0.0.1", 1})); err == nil {
		ch.Close()
		t.Error("a port is forwarded")
	}
	if l, err := c.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
		t.Error("a port is forwarded back")
	}
	for command, pty := range map[string]bool{"id": true, "qmtui jobs list": true, "qmtui --daemon": true, "sh -c id": false, "": false} {
		session, err := c.NewSession()
		check(t, err)
		var out, told bytes.Buffer
		session.Stdout, session.Stderr = &out, &told
		if pty {
			check(t, session.RequestPty("xterm", 24, 80, nil))
		}
		run := func() error { return session.Run(command) }
		if command == "" {
			run = func() error { return errors.Join(session.Shell(), session.Wait()) }
		}
		err = run()
		want := "only_the_panel"
		if command == "" {
			want = "no_terminal"
		}
		if err == nil || out.Len() > 0 || !strings.Contains(told.String(), "qmtui: "+want+": ") {
			t.Errorf("%q: %v, %q, %q", command, err, out.String(), told.String())
		}
	}
	session, err := c.NewSession()
	check(t, err)
	if err := session.RequestSubsystem("sftp"); err == nil {
		t.Error("there is sftp")
	}
}

// The flags of the panel may come with the login.
func TestFlagsBySSH(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "qmtui --read-only": true, "--images off --ascii": true, "/usr/bin/qmtui": true,
		"--theme blue": false, "--config /etc/passwd": false, "qmtui demo": false, "--help": false, "--server x": false} {
		f, err := visitFlags(strings.Fields(text))
		if (err == nil) != ok || ok && f.readOnly != strings.Contains(text, "read-only") {
			t.Errorf("%q: %+v %v", text, f, err)
		}
		if err != nil {
			refusedAs(t, err, "only_the_panel")
		}
	}
}

// A line that is cut without a word leaves nothing behind, and ten at once are
// no trouble; the eleventh is told.
func TestSSHLinesLost(t *testing.T) {
	s := openSSHSite(t, func(p *plan) { p.config.SSH.MaxSessions = 10 })
	s.waiting()
	panels := make([]*sshPanel, 10)
	for i := range panels {
		panels[i] = s.open(s.full)
	}
	for _, p := range panels {
		p.sees("● live", "user001")
	}
	if n := s.manager.ssh.Visits(); n != 10 {
		t.Errorf("%d panels are open", n)
	}
	late := s.open(s.full)
	if code := late.end(); code != 1 || !strings.Contains(late.stderr.String(), "too_many_panels") {
		t.Errorf("the eleventh: %d %s", code, late.stderr.String())
	}
	for _, p := range panels {
		check(t, p.conn.Close())
	}
	s.eventually("all panels are gone", func() bool { return s.manager.ssh.Visits() == 0 })
	s.eventually("nothing of them runs", func() bool {
		all := make([]byte, 1<<20)
		text := string(all[:runtime.Stack(all, true)])
		return !strings.Contains(text, "bubbletea") && !strings.Contains(text, "internal/sshd.(*Server).keepAlive") && !strings.Contains(text, "internal/sshd.relay")
	})
	p := s.open(s.full)
	p.sees("● live")
	p.press("q")
	p.end()
}

// Who takes a key out of the file ends its panels, and the end of the manager
// is told to those who are there.
func TestSSHPanelsEnd(t *testing.T) {
	s := openSSHSite(t, nil)
	gone, stays := s.open(s.full), s.open(s.looking)
	gone.sees("● live")
	stays.sees("● live")
	file := filepath.Join(s.scene.State(), "ssh_authorized_keys")
	raw, err := os.ReadFile(file)
	check(t, err)
	_, rest, _ := strings.Cut(string(raw), "\n")
	check(t, os.WriteFile(file, []byte(rest), 0o600))
	if code := gone.end(); code != 1 || !strings.Contains(gone.stderr.String(), "key_removed") || gone.terminal.IsAltScreen() {
		t.Errorf("%d %s", code, gone.stderr.String())
	}
	if _, _, err := s.line(ssh.PublicKeys(s.full)); err == nil {
		t.Error("a key that was taken out lets in")
	}
	s.halt()
	if code := stays.end(); code != 1 || !strings.Contains(stays.stderr.String(), "qmtui: stopping: ") || stays.terminal.IsAltScreen() {
		t.Errorf("%d %s", code, stays.stderr.String())
	}
}
