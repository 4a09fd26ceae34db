package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/picture/picturetest"
)

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
	side, rows := uint32(3600), uint32(8191)
	if raceDetector {
		side, rows = 600, 600 // the header of the large one is all that counts
	}
	bomb, large := picturetest.PNG(8192, 8191, 16, rows), picturetest.PNG(side, side, 8, side)
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
	bomb, costly := picturetest.Progressive(4000, 4000, 1, 1000), picturetest.Progressive(side, side, 1, 99)
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
