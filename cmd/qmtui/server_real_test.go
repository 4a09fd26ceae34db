package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// checkout is the ComfyUI under test.
type checkout struct{ dir, python string }

// findCheckout skips the test when nobody named a ComfyUI.
func findCheckout(t *testing.T) checkout {
	t.Helper()
	dir := os.Getenv("COMFYUI_DIR")
	if dir == "" {
		t.Skip("COMFYUI_DIR is not set: give the folder of a ComfyUI checkout (and COMFYUI_PYTHON, its interpreter) to test against a real one")
	}
	dir, err := filepath.Abs(dir)
	orFatal(t, err)
	if _, err := os.Stat(filepath.Join(dir, "main.py")); err != nil {
		t.Fatalf("COMFYUI_DIR: %v", err)
	}
	return checkout{dir, findPython(dir)}
}

// findPython looks in and beside the checkout before it takes the system's.
func findPython(dir string) string {
	if python := os.Getenv("COMFYUI_PYTHON"); python != "" {
		return python
	}
	for _, python := range []string{filepath.Join(dir, "venv", "bin", "python"), filepath.Join(dir, "..", "venv", "bin", "python")} {
		if _, err := os.Stat(python); err == nil {
			return python
		}
	}
	return "python3"
}

// replica is one running ComfyUI.
type replica struct {
	url   *url.URL
	log   string // path
	ended chan struct{}
	stop  func()
	// command makes one that starts it.
	command func(context.Context) *exec.Cmd
}

// start runs a ComfyUI on the CPU with everything but its outputs of its own.
// prepare, unless nil, is given its folder before it runs. It gets SIGTERM
// when the test ends.
func (c checkout) start(t *testing.T, port int, outputs string, prepare func(dir string)) *replica {
	t.Helper()
	return c.startWith(t, port, outputs, false, nil, prepare)
}

// startWith is start with more flags, and with the nodes of paid services if api is set.
func (c checkout) startWith(t *testing.T, port int, outputs string, api bool, more func(dir string) []string, prepare func(dir string)) *replica {
	t.Helper()
	dir := t.TempDir()
	flags := serverFlags(t, dir, port, outputs)
	if more != nil {
		flags = append(flags, more(dir)...)
	}
	if !api {
		flags = append(flags, "--disable-api-nodes")
	}
	if prepare != nil {
		prepare(dir)
	}
	log, err := os.Create(filepath.Join(dir, "comfyui.log"))
	orFatal(t, err)
	r := &replica{url: &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}, log: log.Name()}
	r.command = func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, c.python, append([]string{"main.py"}, flags...)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
		return cmd
	}
	r.run(t)
	t.Cleanup(func() {
		r.stop()
		_ = log.Close()
	})
	return r
}

// run starts the server; stop ends it and waits for that.
func (r *replica) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := r.command(ctx)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	orFatal(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	r.ended, r.stop = ended, func() {
		stop()
		<-ended
	}
}

// restart ends the server and starts it again with the same folders and port.
func (r *replica) restart(t *testing.T) {
	t.Helper()
	r.stop()
	r.run(t)
}

func serverFlags(t *testing.T, dir string, port int, outputs string) []string {
	for _, sub := range []string{"user", "input"} {
		orFatal(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	flags := []string{"--cpu", "--listen", "127.0.0.1", "--port", strconv.Itoa(port), "--output-directory", outputs, "--temp-directory", dir,
		"--user-directory", filepath.Join(dir, "user"), "--input-directory", filepath.Join(dir, "input"),
		"--database-url", "sqlite:///" + filepath.Join(dir, "comfyui.db"), "--extra-model-paths-config", testNodes(t, dir),
		"--disable-auto-launch"}
	if page := os.Getenv("COMFYUI_FRONTEND"); page != "" {
		flags = append(flags, "--front-end-root", page)
	}
	return flags
}

// customNodes is where a server finds its custom nodes.
func customNodes(dir string) string { return filepath.Join(dir, "nodes") }

// testNodes brings the nodes of testdata along, in a folder where Python may
// leave its bytecode. The configuration is YAML, of which JSON is a part.
func testNodes(t *testing.T, dir string) string {
	nodes := customNodes(dir)
	orFatal(t, os.Mkdir(nodes, 0o755))
	code, err := os.ReadFile("testdata/real/nodes.py")
	orFatal(t, err)
	orFatal(t, os.WriteFile(filepath.Join(nodes, "qmtui_test_nodes.py"), code, 0o644))
	paths, err := json.Marshal(map[string]any{"qmtui": map[string]string{"custom_nodes": nodes}})
	orFatal(t, err)
	file := filepath.Join(dir, "extra_paths.yaml")
	orFatal(t, os.WriteFile(file, paths, 0o644))
	return file
}

// ready waits until the server answers.
func (r *replica) ready(t *testing.T) comfy.SystemStats {
	t.Helper()
	var stats comfy.SystemStats
	eventually(t, 3*time.Minute, "ComfyUI on "+r.url.Host+" answers", func() bool {
		select {
		case <-r.ended:
			t.Fatalf("ComfyUI has ended; its log:\n%s", r.tail())
		default:
		}
		var err error
		stats, err = r.client().SystemStats(t.Context())
		return err == nil
	})
	return stats
}

func (r *replica) client() *comfy.Client { return &comfy.Client{Base: r.url.String()} }

// tail is the end of the server's log.
func (r *replica) tail() string {
	log, err := os.ReadFile(r.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-6000):])
}

// ran is how many prompts this server has run itself.
func (r *replica) ran(t *testing.T) int {
	t.Helper()
	var history map[string]json.RawMessage
	resp, err := http.Get(r.url.String() + "/history")
	orFatal(t, err)
	defer resp.Body.Close()
	orFatal(t, json.NewDecoder(resp.Body).Decode(&history))
	return len(history)
}

// interrupted reports whether this server says that it stopped a prompt.
func (r *replica) interrupted(t *testing.T, promptID string) bool {
	t.Helper()
	entry, err := r.client().History(t.Context(), promptID)
	orFatal(t, err)
	return entry != nil && entry.Interrupted
}

// eventually asks ten times a second until ok, and fails the test when that
// takes longer than bound.
func eventually(t *testing.T, bound time.Duration, what string, ok func() bool) {
	t.Helper()
	ticker, deadline := time.NewTicker(100*time.Millisecond), time.After(bound)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", bound, what)
		}
	}
}

func orFatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
