package share

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

const prompt = "0e54bc6c-9c6b-4a0f-9c3f-000000000001"

// disks is a share and a folder of users in a temporary place.
type disks struct {
	t              testing.TB
	outputs, users string
	opt            Options
	logs           *bytes.Buffer
}

func newDisks(t testing.TB) *disks {
	t.Helper()
	dir := t.TempDir()
	d := &disks{t: t, outputs: filepath.Join(dir, "outputs"), users: filepath.Join(dir, "users"), logs: &bytes.Buffer{}}
	for _, f := range []string{d.outputs, d.users} {
		if err := os.Mkdir(f, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.opt = Options{Outputs: d.outputs, Users: d.users, Watch: "poll", Logger: slog.New(slog.NewTextHandler(d.logs, nil))}
	return d
}

func (d *disks) share() *Share {
	d.t.Helper()
	s, err := New(d.opt)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// write puts bytes on the share, as a worker does: under the final name.
func (d *disks) write(path string, b []byte) {
	d.t.Helper()
	writeFile(d.t, filepath.Join(d.outputs, path), b)
}

// pass lets simulated time pass and the looks of its last moment end: what a
// test writes then is seen whole or not at all.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble: see testing/synctest
	synctest.Wait()
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// picture is a whole PNG; each seed gives another.
func picture(t testing.TB, seed int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 32, 32))
	for i := range img.Pix {
		img.Pix[i] = byte(i*7 + seed*31)
	}
	img.Set(0, 0, color.RGBA{byte(seed), byte(seed >> 8), 1, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withText puts a tEXt chunk before the end of a PNG.
func withText(b []byte, key, value string) []byte {
	body := append([]byte("tEXt"+key+"\x00"), value...)
	chunk := binaryChunk(body)
	end := len(b) - 12
	return append(append(append([]byte{}, b[:end]...), chunk...), b[end:]...)
}

func binaryChunk(body []byte) []byte {
	n, sum := len(body)-4, crc32.ChecksumIEEE(body)
	out := []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	out = append(out, body...)
	return append(out, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

func source(name string) job.Path { return job.Path("qm/" + prompt + "/9/" + name) }

func transfer(name, dest string) job.Transfer {
	p := source(name)
	return job.Transfer{Output: job.NewOutputID(prompt, p), PromptID: prompt, Source: p, User: "user001", Dest: dest}
}

// choose chooses a place for one file, whatever place it has.
func choose(t testing.TB, s *Share, tr job.Transfer) (string, error) {
	t.Helper()
	tr.Dest = ""
	dests, err := s.Choose(t.Context(), []job.Transfer{tr}, nil)
	if err != nil {
		return "", err
	}
	return dests[0], nil
}

// watcher runs a share and collects what it reports.
type watcher struct {
	mu   sync.Mutex
	all  []job.Sighting
	news chan struct{}
	stop func() error
}

func watch(t testing.TB, s *Share) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{news: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(x job.Sighting) {
			w.mu.Lock()
			w.all = append(w.all, x)
			w.mu.Unlock()
			select {
			case w.news <- struct{}{}:
			default:
			}
		})
	}()
	w.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return w
}

// find waits until a sighting with that path and mark has come; how often it
// came is returned.
func (w *watcher) find(t testing.TB, path string, m job.Mark) job.Sighting {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		if found := w.marks(path, m); len(found) > 0 {
			return found[len(found)-1]
		}
		select {
		case <-w.news:
		case <-limit:
			t.Fatalf("no %s of %s among %v", m, path, w.list())
		}
	}
}

func (w *watcher) marks(path string, m job.Mark) []job.Sighting {
	var found []job.Sighting
	for _, s := range w.list() {
		if string(s.Path) == path && s.Mark == m {
			found = append(found, s)
		}
	}
	return found
}

func (w *watcher) list() []job.Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]job.Sighting(nil), w.all...)
}

func code(err error) string {
	var e *job.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
