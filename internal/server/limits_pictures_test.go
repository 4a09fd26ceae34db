package server

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// pngOfZeros is a PNG in RGBA of a few bytes whose pixels are all zero.
func pngOfZeros(t testing.TB, w, h uint32, depth byte) []byte {
	t.Helper()
	rows := h
	if raceDetector {
		rows = min(h, 600) // the rest is a minute's work, and its header is all that counts
	}
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	check(t, err)
	row := make([]byte, 1+w*4*uint32(depth)/8)
	for range rows {
		_, err := z.Write(row)
		check(t, err)
	}
	check(t, z.Close())
	out := []byte("\x89PNG\r\n\x1a\n")
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	for _, c := range []struct {
		kind string
		body []byte
	}{{"IHDR", append(head, depth, 6, 0, 0, 0)}, {"IDAT", packed.Bytes()}, {"IEND", nil}} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(c.body))), c.kind...)
		out = binary.BigEndian.AppendUint32(append(out, c.body...), crc32.Update(crc32.ChecksumIEEE([]byte(c.kind)), crc32.IEEETable, c.body))
	}
	return out
}

// jpegOfScans is a progressive JPEG in grey whose scans hold one run of empty
// blocks each: some 60 bytes that go through the whole picture.
func jpegOfScans(w, h, scans int) []byte {
	segment := func(mark byte, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0xff, mark}, uint16(len(body)+2)), body...)
	}
	blocks := (w + 7) / 8 * ((h + 7) / 8)
	table := func(class, value byte) []byte { // one code of one bit
		return segment(0xc4, append(append([]byte{class, 1}, make([]byte, 15)...), value)...)
	}
	out := bytes.Join([][]byte{{0xff, 0xd8}, segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...),
		segment(0xc2, 8, byte(h>>8), byte(h), byte(w>>8), byte(w), 1, 1, 0x11, 0), table(0, 0), table(0x10, 0xe0),
		segment(0xda, 1, 1, 0, 0, 0, 0), make([]byte, blocks/8+8)}, nil)
	scan := append(segment(0xda, 1, 1, 0, 1, 63, 0), make([]byte, (((blocks+16383)/16384)*15+7)/8)...)
	return append(append(out, bytes.Repeat(scan, scans)...), 0xff, 0xd9)
}

// attacked is a server on TCP that one user attacks while another one works.
type attacked struct {
	*testing.T
	url      string
	handlers sync.WaitGroup // of requests
	service  *fakeService
}

func newAttacked(t *testing.T) *attacked {
	a := &attacked{T: t, service: newFake()}
	dir := t.TempDir()
	h := newServer(t, a.service, func(o *Options) { o.Inputs = dir }).Handler()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.handlers.Add(1)
		defer a.handlers.Done()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		if !t.Failed() { // handlers of a server that failed may go on for minutes
			site.Close()
		}
	})
	a.url = site.URL
	return a
}

func (a *attacked) call(ctx context.Context, user, method, path, kind, body string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Remote-User", user)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b), err
}

// upload uploads a file of a user, or a mask of it.
func (a *attacked) upload(ctx context.Context, user, what, name string, data []byte) (int, string, error) {
	ref := fmt.Sprintf(`{"filename":%q,"subfolder":"","type":"input"}`, name)
	body, kind := uploadForm(a, name, data, "original_ref", ref)
	return a.call(ctx, user, "POST", "/comfy/"+user+"/upload/"+what, kind, body)
}

// works lets another user do what a person does, each within a second.
func (a *attacked) works(preview string) {
	a.Helper()
	big := `{"user_id":"user002","workflow":{"9":{"class_type":"SaveImage","inputs":{}}},"extra_data":{"x":"` + strings.Repeat("a", 1200<<10) + `"}}`
	for name, do := range map[string]func(context.Context) (int, string, error){
		"upload": func(ctx context.Context) (int, string, error) {
			return a.upload(ctx, "user002", "image", "five.txt", []byte("hello"))
		},
		"preview": func(ctx context.Context) (int, string, error) { return a.call(ctx, "user002", "GET", preview, "", "") },
		"large prompt": func(ctx context.Context) (int, string, error) {
			return a.call(ctx, "user002", "POST", "/api/jobs", "application/json", big)
		},
		"list": func(ctx context.Context) (int, string, error) {
			return a.call(ctx, "user002", "GET", "/api/jobs", "", "")
		},
	} {
		ctx, stop := context.WithTimeout(a.Context(), 20*time.Second)
		start := time.Now()
		status, body, err := do(ctx)
		stop()
		if took := time.Since(start); err != nil || status >= 300 || took > time.Second && !raceDetector {
			a.Errorf("another user's %s: %v, %d %.200s %v", name, took.Round(time.Millisecond), status, body, err)
		}
	}
}

// leaves ends what the attacker does, which must end on the server too.
func (a *attacked) leaves(cancel func()) {
	a.Helper()
	cancel()
	ended, patience := make(chan struct{}), 2*time.Second
	if raceDetector {
		patience *= 10
	}
	go func() { a.handlers.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		a.Error("2 s after the attacker has left, requests still run")
	}
}

// peak is the most memory that this process has had, in MB.
func (a *attacked) peak() (mb int) {
	a.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		a.Skip("no /proc:", err)
	}
	_, after, _ := strings.Cut(string(raw), "VmHWM:")
	if _, err := fmt.Sscan(after, &mb); err != nil {
		a.Fatal(err)
	}
	return mb >> 10
}

// TestLimitsRow01PicturesOfManyBytes: a picture of half a megabyte that takes 0.5
// GB to decode is refused by its header, wherever it comes from, and pictures that
// are taken share a budget.
func TestLimitsRow01PicturesOfManyBytes(t *testing.T) {
	a := newAttacked(t)
	side := uint32(3600)
	if raceDetector {
		side = 600
	}
	bomb, large := pngOfZeros(t, 8192, 8191, 16), pngOfZeros(t, side, side, 8)
	planted := a.service.deliver(t, a.service.add(t, "user001").ID, "a.png", bomb)
	mine := a.service.deliver(t, a.service.add(t, "user002").ID, "a.png", somePicture(t, 512, 512))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, data := range map[string][]byte{"bomb.png": bomb, "large.png": large} {
		if status, body, err := a.upload(ctx, "user001", "image", name, data); status != 200 {
			t.Fatal(status, body, err)
		}
	}
	var attack sync.WaitGroup
	try := func(want int, code string, do func() (int, string, error)) {
		attack.Go(func() {
			if status, body, err := do(); ctx.Err() == nil && (status != want || !strings.Contains(body, code)) {
				t.Errorf("got %d %.300s %v, want %d %s", status, body, err, want, code)
			}
		})
	}
	for i := range 9 {
		try(413, "picture_too_large", func() (int, string, error) { return a.upload(ctx, "user001", "mask", "bomb.png", bomb) })
		try(413, "picture_too_large", func() (int, string, error) {
			return a.call(ctx, "user001", "GET", fmt.Sprintf("/api/outputs/%s/preview?width=%d", planted.ID, 10+i), "", "")
		})
	}
	for range 3 {
		try(200, "large", func() (int, string, error) { return a.upload(ctx, "user001", "mask", "large.png", large) })
	}
	for i := range 3 {
		a.works(fmt.Sprintf("/api/outputs/%s/preview?width=%d", mine.ID, 20+i))
	}
	attack.Wait()
	t.Logf("the process took %d MB", a.peak())
	if mb := a.peak(); mb > 512 && !raceDetector {
		t.Errorf("the process took %d MB", mb)
	}
}

// TestLimitsRow02PicturesOfManyScans: a small JPEG that takes minutes to decode is
// refused, what may be decoded ends when the request does, and meanwhile other
// users notice nothing.
func TestLimitsRow02PicturesOfManyScans(t *testing.T) {
	a := newAttacked(t)
	side, many, rounds := 3200, 40, 10
	if raceDetector {
		side, many, rounds = 600, 4, 2
	}
	bomb, costly := jpegOfScans(4000, 4000, 1000), jpegOfScans(side, side, 99)
	planted := a.service.deliver(t, a.service.add(t, "user001").ID, "a.jpg", bomb)
	mine := a.service.deliver(t, a.service.add(t, "user002").ID, "a.png", somePicture(t, 512, 512))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, data := range map[string][]byte{"bomb.jpg": bomb, "costly.jpg": costly} {
		if status, body, err := a.upload(ctx, "user001", "image", name, data); status != 200 {
			t.Fatal(status, body, err)
		}
	}
	start := time.Now()
	var attack sync.WaitGroup
	for i := range 8 {
		attack.Go(func() {
			status, body, err := a.upload(ctx, "user001", "mask", "bomb.jpg", bomb)
			if ctx.Err() == nil && (status != 413 || !strings.Contains(body, "picture_too_costly")) {
				t.Errorf("a mask of 1,000 scans: %d %.300s %v", status, body, err)
			}
		})
		attack.Go(func() {
			status, body, err := a.call(ctx, "user001", "GET", fmt.Sprintf("/api/outputs/%s/preview?width=%d", planted.ID, 10+i), "", "")
			if ctx.Err() == nil && (status != 413 || !strings.Contains(body, "picture_too_costly")) {
				t.Errorf("a preview of 1,000 scans: %d %.300s %v", status, body, err)
			}
		})
	}
	for range many { // these are decoded, some 2 s each
		attack.Go(func() { _, _, _ = a.upload(ctx, "user001", "mask", "costly.jpg", costly) })
	}
	for i := range rounds {
		a.works(fmt.Sprintf("/api/outputs/%s/preview?width=%d", mine.ID, 20+i))
	}
	t.Logf("attacked for %v", time.Since(start))
	a.leaves(cancel)
	attack.Wait()
}
