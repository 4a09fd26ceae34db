package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// openSSH is a site, an sshd before it and a terminal to come from: what
// docs/remote.md says is done with the real programs.
type openSSH struct {
	sshSite
	*screen
	dir, binary string
	port        string // of sshd
	daemon      *exec.Cmd
}

// openOpenSSH skips where one of the programs is not there, or lets nobody in.
func openOpenSSH(t *testing.T) *openSSH {
	t.Helper()
	sshd := sshdPath()
	for _, program := range []string{"ssh", "ssh-keygen", "tmux"} {
		if _, err := exec.LookPath(program); err != nil || sshd == "" {
			t.Skipf("%s or sshd is not installed", program)
		}
	}
	if os.Geteuid() == 0 {
		check(t, os.MkdirAll("/run/sshd", 0o755)) // where sshd shuts its other half in
	}
	s := &openSSH{dir: t.TempDir()}
	s.binary = buildBinary(t, s.dir)
	for _, key := range []string{"host", "full", "looking", "forced"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key+"@laptop", "-f", s.path(key)).CombinedOutput(); err != nil {
			t.Skipf("ssh-keygen: %v: %s", err, out)
		}
	}
	s.sshSite = openSSHSite(t, func(p *plan) {
		p.before = func(p plan) { s.writeKeys(t, p, "full", "read-only looking") }
	})
	forced := fmt.Sprintf("command=%q,restrict,pty %s", s.there("--read-only"), s.public(t, "forced"))
	check(t, os.WriteFile(s.path("authorized"), []byte(s.public(t, "full")+forced), 0o600))
	s.listen(sshd)
	s.screen = newScreen(t, "PS1='ready$ ' exec sh", "HOME="+s.dir, "TERM=xterm-256color")
	return s
}

func sshdPath() string {
	for _, path := range []string{"/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			return path // it must be called by its whole path
		}
	}
	return ""
}

func (s *openSSH) path(name string) string { return filepath.Join(s.dir, name) }

func (s *openSSH) public(t *testing.T, key string) string {
	t.Helper()
	b, err := os.ReadFile(s.path(key + ".pub"))
	check(t, err)
	return string(b)
}

// writeKeys puts keys into the file of qmtui's own server.
func (s *openSSH) writeKeys(t *testing.T, p plan, lines ...string) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		options, key, _ := strings.Cut(" "+l, " ")
		if words := strings.Fields(l); len(words) == 2 {
			options, key = words[0]+" ", words[1]
		}
		b.WriteString(options + s.public(t, key))
	}
	check(t, os.WriteFile(filepath.Join(p.scene.State(), "ssh_authorized_keys"), []byte(b.String()), 0o600))
}

// there is the command at the other end.
func (s *openSSH) there(args string) string {
	return strings.TrimSpace(fmt.Sprintf("env XDG_CONFIG_HOME=%s %s --server %s %s", s.path("config"), s.binary, s.config.Server.Socket, args))
}

// listen starts sshd on a port of its own.
func (s *openSSH) listen(sshd string) {
	s.sshSite.Helper()
	t := s.sshSite.T
	s.port = strconv.Itoa(freePorts(t, 1)[0])
	config := fmt.Sprintf(`Port %s
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
ClientAliveInterval 1
ClientAliveCountMax 3
`, s.port, s.path("host"), s.path("authorized"))
	check(t, os.WriteFile(s.path("sshd_config"), []byte(config), 0o600))
	var told bytes.Buffer
	s.daemon = exec.Command(sshd, "-D", "-e", "-f", s.path("sshd_config"))
	s.daemon.Stderr = &told
	check(t, s.daemon.Start())
	ended := make(chan struct{})
	go func() { _ = s.daemon.Wait(); close(ended) }()
	t.Cleanup(func() { _ = s.daemon.Process.Kill(); <-ended })
	s.eventually("sshd answers", func() bool {
		select {
		case <-ended:
			t.Skipf("sshd does not run here: %s", told.String())
		default:
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	if out, err := exec.Command("ssh", append(s.client("full", s.port), "true")...).CombinedOutput(); err != nil {
		t.Skipf("sshd lets this user not in: %v: %s", err, out)
	}
}

// client are the arguments of ssh.
func (s *openSSH) client(key, port string) []string {
	return []string{"-F", "none", "-p", port, "-i", s.path(key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "127.0.0.1"}
}

// types runs a command in the terminal.
func (s *openSSH) types(command string) {
	s.press("-l", command)
	s.press("Enter")
}

// ssh opens a panel from the terminal, and tells the exit code at the end.
func (s *openSSH) ssh(flags, key, port, command string) {
	s.types(fmt.Sprintf("clear; ssh %s %s %s; echo left with $?", flags, strings.Join(s.client(key, port), " "), command))
}

// wantClean checks what a program may leave behind in a terminal.
func (s *openSSH) wantClean(when string) {
	s.sshSite.Helper()
	for flag, want := range map[string]string{"mouse_any_flag": "0", "alternate_on": "0", "cursor_flag": "1"} {
		out, err := s.tmux("display-message", "-p", "#{"+flag+"}")
		if err != nil || strings.TrimSpace(out) != want {
			s.Errorf("%s: %s is %s, want %s (%v)", when, flag, strings.TrimSpace(out), want, err)
		}
	}
}

// panels are the processes of the binary at the other end, with the process
// above each that belongs to sshd.
func (s *openSSH) panels() (pids, above []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range all {
		if to, err := os.Readlink(exe); err != nil || to != s.binary {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(exe)))
		pids = append(pids, pid)
		for up := parent(pid); up > 1; up = parent(up) {
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", up)); strings.HasPrefix(string(name), "sshd") {
				above = append(above, up)
				break
			}
		}
	}
	return pids, above
}

func parent(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	up, _ := strconv.Atoi(fields[1])
	return up
}

func (s *openSSH) gone(when string) {
	s.sshSite.Helper()
	s.eventually("no panel is left "+when, func() bool { pids, _ := s.panels(); return len(pids) == 0 })
}

// cleaning is the line of docs/remote.md for a terminal that was left.
func cleaning(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/remote.md")
	check(t, err)
	found := regexp.MustCompile(`(?m)^    (printf '.*; stty sane)$`).FindSubmatch(b)
	if found == nil {
		t.Fatal("docs/remote.md has no line that cleans a terminal")
	}
	return string(found[1])
}

// TestOpenSSH does what docs/remote.md says, with OpenSSH at both ends.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	s := openOpenSSH(t)
	j := s.waiting()
	s.withoutTerminal()

	s.ssh("-tt", "full", s.port, s.there(""))
	s.screen.sees("● live")
	s.screen.sees("PAUSED")
	_, err := s.tmux("resize-window", "-x", "80", "-y", "24")
	check(t, err)
	s.until("the panel at 80x24", func(got string) bool {
		lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
		return len(lines) == 24 && strings.Contains(lines[23], "cancel") && strings.Contains(got, "user001")
	})
	s.press("q")
	s.screen.sees("left with 0")
	s.wantClean("after q")

	s.ssh("-tt", "forced", s.port, "rm -rf /nothing-that-is-there") // the key's own command is run, whatever is asked for
	s.screen.sees("● live")
	s.cannotCancel(j.ID)
	s.press("q")
	s.screen.sees("left with 0")
	s.wantClean("after the forced command")

	s.ssh("-tt", "full", s.port, s.there("")) // sshd's session is killed
	s.screen.sees("● live")
	_, above := s.panels()
	if len(above) != 1 {
		t.Fatalf("above the panel stand %v of sshd", above)
	}
	check(t, syscall.Kill(above[0], syscall.SIGKILL))
	s.screen.sees("left with 255")
	s.gone("after its sshd was killed")
	s.cleans()

	s.ssh("-tt", "full", s.port, s.there("")) // the client is killed, as when a laptop dies
	s.screen.sees("● live")
	s.killClient()
	s.screen.sees("left with 137")
	s.gone("after its client was killed")
	s.cleans()
	if now, err := s.sshSite.client.Job(t.Context(), j.ID); err != nil || now.State != job.Queued {
		t.Errorf("the manager: %v %v", now.State, err)
	}
}

// withoutTerminal asks for things that need none.
func (s *openSSH) withoutTerminal() {
	t := s.sshSite.T
	for command, want := range map[string]string{"jobs list --json": `"user_id": "user001"`, "": "queue     paused", "queue status": "1 pending"} {
		out, err := exec.Command("ssh", append(s.client("full", s.port), s.there(command))...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) || bytes.ContainsRune(out, 0x1b) {
			t.Errorf("ssh host qmtui %s: %v\n%q", command, err, out)
		}
	}
	out, err := exec.Command("ssh", append(s.client("full", s.port), s.there("jobs show ffffffff"))...).CombinedOutput()
	if code := exitStatus(err); code != 1 || !strings.Contains(string(out), "job_not_found") {
		t.Errorf("an error: exit code %d, %s", code, out)
	}
}

func exitStatus(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return 0
}

// cannotCancel presses what a panel for looking refuses.
func (s *openSSH) cannotCancel(id job.ID) {
	s.sshSite.Helper()
	s.screen.sees("read-only")
	s.press("c")
	s.screen.sees("y/n")
	s.press("y")
	s.screen.sees("read_only")
	if now, err := s.sshSite.client.Job(s.Context(), id); err != nil || now.State != job.Queued {
		s.Errorf("%v %v", now.State, err)
	}
}

// killClient kills the ssh in the terminal.
func (s *openSSH) killClient() {
	s.sshSite.Helper()
	shell, err := s.tmux("display-message", "-p", "#{pane_pid}")
	check(s.sshSite.T, err)
	top, _ := strconv.Atoi(strings.TrimSpace(shell))
	all, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, file := range all {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if name, _ := os.ReadFile(file); strings.TrimSpace(string(name)) == "ssh" && parent(pid) == top {
			check(s.sshSite.T, syscall.Kill(pid, syscall.SIGKILL))
			return
		}
	}
	s.Fatalf("no ssh below %d", top)
}

// cleans does what docs/remote.md says for a terminal that was left.
func (s *openSSH) cleans() {
	s.sshSite.Helper()
	s.press("C-j") // as it says there: Enter means nothing to a terminal that was left raw
	s.press("-l", cleaning(s.sshSite.T))
	s.press("C-j")
	looks := 0
	s.until("a clean terminal", func(got string) bool {
		if looks++; looks%20 == 1 { // what is typed while stty works may be thrown away
			s.press("C-j")
			s.press("-l", "clear; echo clean again")
			s.press("C-j")
		}
		return strings.HasPrefix(got, "clean again")
	})
	s.wantClean("after the line of docs/remote.md")
}

// TestOwnSSHByOpenSSH comes to qmtui's own server with OpenSSH's client in an
// 80x24 terminal: keys that act, look, and are taken away.
func TestOwnSSHByOpenSSH(t *testing.T) {
	t.Parallel()
	s := openOpenSSH(t)
	j := s.waiting()
	_, err := s.tmux("resize-window", "-x", "80", "-y", "24")
	check(t, err)
	_, port, err := net.SplitHostPort(s.manager.ssh.Addr().String())
	check(t, err)

	s.ssh("", "looking", port, "")
	s.screen.sees("● live")
	s.cannotCancel(j.ID)
	s.press("q")
	s.screen.sees("left with 0")
	s.wantClean("after q")

	s.ssh("", "forced", port, "") // a key that is not in the file
	s.screen.sees("Permission denied")
	s.screen.sees("left with 255")

	s.ssh("", "full", port, "")
	s.screen.sees("● live")
	s.press("c")
	s.screen.sees("y/n")
	s.press("y")
	s.await(j.ID, "cancelled", func(j api.Job) bool { return j.State == job.Cancelled })
	s.writeKeys(t, s.plan, "read-only looking") // taken away while its panel is open
	s.screen.sees("key_removed")
	s.screen.sees("left with 1")
	s.wantClean("after the key was taken away")
	s.ssh("", "full", port, "")
	s.screen.sees("Permission denied")

	s.ssh("", "looking", port, "")
	s.screen.sees("● live")
	s.killClient()
	s.screen.sees("left with 137")
	s.eventually("no panel is left", func() bool { return s.manager.ssh.Visits() == 0 })
	s.cleans()
}
