package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var updateScripts = flag.Bool("update-scripts", false, "write the real output into testdata/script")

// TestMain lets scripts run the real command line as a process of its own. Its
// children obey SIGHUP, also when the tests run under nohup.
func TestMain(m *testing.M) {
	systemFile = "/nonexistent/qmtui.toml"
	if os.Getenv(envForgotten) == "" && filepath.Base(os.Args[0]) != "qmtui" {
		forgetMachine()
	}
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Main(m, map[string]func(){"qmtui": main})
}

// envForgotten says that a process descends from one that has called forgetMachine.
const envForgotten = "MACHINE_FORGOTTEN"

// forgetMachine takes away what the environment says of this machine: the
// tests and their children find no configuration, no manager, no panel's
// settings and no service manager of it. The switches of tests stay.
func forgetMachine() {
	switches := []string{"QMTUI_CLIENTS", "QMTUI_BUDGETS", "QMTUI_NODE_MODULES", "QMTUI_PICTURES", "QMTUI_KEEP_LOG", "QMTUI_TEMPLATES", "QMTUI_ATTACK"}
	prefixes := []string{"QMTUI_", "XDG_", "SERVERLESS_", "VERDA_", "SFS_", "QUEUE_", "INFERENCE_", "NOTIFY_", "WATCHDOG_", "GOMEMLIMIT", "LC_",
		"OUTPUTS_PATH", "INPUTS_PATH", "JOB_TIMEOUT", "MAX_QUEUE_DEPTH", "COLUMNS", "LINES"}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		ours := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		if ours && !slices.Contains(switches, name) {
			_ = os.Unsetenv(name)
		}
	}
	const here = "localhost,127.0.0.1,0.0.0.0,::1" // npm may need the machine's proxy, and no server of a test does
	for name, value := range map[string]string{envForgotten: "1", "NO_PROXY": here, "no_proxy": here, "NO_COLOR": "", "LANG": "C.UTF-8", "TERM": "xterm-256color"} {
		_ = os.Setenv(name, value)
	}
	syscall.Umask(0o022)
}

// TestForgetsTheMachine: no configuration of this machine is found, whatever stands in /etc/qmtui.
func TestForgetsTheMachine(t *testing.T) {
	_, src, err := (&app{}).loadConfig()
	if err != nil || src.File != "" || src.Site {
		t.Errorf("the tests read %q (site %v): %v", src.File, src.Site, err)
	}
}

// TestScripts runs the command line against a real manager and a simulated
// fleet. Each script is also the record of what is said to bad input.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *updateScripts, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup:     prepareScript,
		Condition: scriptCondition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "until": until, "await": await, "capture": capture, "expand": expand,
			"deep": deep, "big": big, "unprivileged": unprivileged, "background": background,
		},
	})
}

// prepareScript gives a script its configuration, and a folder whose path is
// short enough for a socket.
func prepareScript(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "qm")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = os.RemoveAll(dir) })
	env.Setenv("GORACE", "atexit_sleep_ms=0") // with -race every command would take a second longer
	env.Setenv("STATE", dir)
	env.Setenv("FLEET", "http://127.0.0.1:9/h200-spot") // nobody listens there
	env.Setenv("QMTUI_CONFIG", filepath.Join(env.WorkDir, "qmtui.toml"))
	for _, sub := range []string{"share", "users"} {
		if err := os.MkdirAll(filepath.Join(env.WorkDir, sub), 0o755); err != nil {
			return err
		}
	}
	prompts, err := filepath.Glob("../../assets/prompts/*.json")
	if err != nil {
		return err
	}
	for _, p := range prompts {
		if err := copyFile(p, filepath.Join(env.WorkDir, filepath.Base(p)), 0o644); err != nil {
			return err
		}
	}
	own := filepath.Join(env.WorkDir, "qmtui.toml")
	if _, err := os.Stat(own); err == nil {
		return nil
	}
	return copyFile("testdata/script/qmtui.toml", own, 0o644)
}

// scriptCondition knows [root]: this process may write anywhere.
func scriptCondition(cond string) (bool, error) {
	if cond != "root" {
		return false, errors.New("unknown condition " + cond)
	}
	return os.Geteuid() == 0, nil
}

func copyFile(from, to string, mode os.FileMode) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, mode)
}

// exits runs a command that must end with that exit code: exits CODE COMMAND...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := exitCode(ts, ts.Exec(args[1], args[2:]...))
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, ts.ReadFile("stderr"))
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var e *exec.ExitError
	if err != nil && !errors.As(err, &e) {
		ts.Fatalf("%v", err)
	}
	if e == nil {
		return 0
	}
	return e.ExitCode()
}

// scriptPatience bounds every wait of a script.
const scriptPatience = time.Minute

// retry calls try until it is content.
func retryUntil(ts *testscript.TestScript, what string, try func() bool) {
	ticker, over := time.NewTicker(50*time.Millisecond), time.After(scriptPatience)
	defer ticker.Stop()
	for !try() {
		select {
		case <-ticker.C:
		case <-over:
			ts.Fatalf("%s: not within %s", what, scriptPatience)
		}
	}
}

// until runs a command again and again until its standard output matches:
// until REGEXP COMMAND...
func until(ts *testscript.TestScript, neg bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	retryUntil(ts, "until "+strings.Join(args, " "), func() bool {
		err := ts.Exec(args[1], args[2:]...)
		return err == nil && re.MatchString(ts.ReadFile("stdout")) != neg
	})
}

// await waits until a file that another process writes has a line, and puts it
// into a variable: await VARIABLE FILE
func await(ts *testscript.TestScript, _ bool, args []string) {
	retryUntil(ts, "await "+args[1], func() bool {
		b, _ := os.ReadFile(ts.MkAbs(args[1]))
		line, _, whole := strings.Cut(string(b), "\n")
		if whole {
			ts.Setenv(args[0], line)
		}
		return whole
	})
}

// capture puts a part of the last standard output into a variable:
// capture VARIABLE REGEXP, whose first group it is.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("no %s in %q", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], m[1])
}

// expand replaces $VARIABLES in files.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// deep writes lists in lists: deep LEVELS FILE
func deep(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := `{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x","images":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}}`
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// big writes a prompt with a text of that many bytes: big BYTES FILE
func big(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := `{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"` + strings.Repeat("x", n) + `"}}}`
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// unprivileged runs qmtui as a user who may not write everywhere, and waits
// for its exit code: unprivileged CODE ARGUMENTS... Its stdout and stderr are
// the files out and err.
func unprivileged(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	c := unprivilegedCommand(ts, args[1:])
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	got := exitCode(ts, c.Run())
	ts.Check(os.WriteFile(ts.MkAbs("out"), out.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("err"), complaints.Bytes(), 0o644))
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, complaints.String())
	}
}

// background starts qmtui as a user who may not write everywhere; it is
// stopped when the script ends: background ARGUMENTS...
func background(ts *testscript.TestScript, _ bool, args []string) {
	c := unprivilegedCommand(ts, args)
	var log bytes.Buffer
	c.Stderr = &log
	ts.Check(c.Start())
	ts.Defer(func() {
		_ = c.Process.Signal(os.Interrupt)
		if err := c.Wait(); err != nil {
			ts.Logf("%s: %v\n%s", strings.Join(args, " "), err, log.String())
		}
	})
}

func unprivilegedCommand(ts *testscript.TestScript, args []string) *exec.Cmd {
	c := exec.Command(publicBinary(ts), args...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"STATE", "QMTUI_CONFIG", "PATH", "HOME"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return c
}

// nobody is a user id without rights of its own.
const nobody = 65534

// publicBinary is this program where everybody may run it, with the way to
// the script's folder open.
func publicBinary(ts *testscript.TestScript) string {
	for dir := ts.MkAbs("."); dir != "/"; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		ts.Check(err)
		if st.Mode()&0o005 != 0o005 { // never what is open, such as /tmp, whose mode is not ours to change
			ts.Check(os.Chmod(dir, 0o755))
		}
	}
	self, err := os.Executable()
	ts.Check(err)
	dir, err := os.MkdirTemp("", "qm")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	ts.Check(os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "qmtui")
	ts.Check(copyBig(self, path))
	return path
}

// copyBig copies a program. No other child is born meanwhile: it would hold
// the copy open for writing, and a program that is being written does not run
// ("text file busy").
func copyBig(from, to string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
