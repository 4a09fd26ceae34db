package picture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/HugoSmits86/nativewebp"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/picture/picturetest"
)

// TestMain is also the helper. It says at its end how much memory it has had.
func TestMain(m *testing.M) {
	if !IsHelper() {
		os.Exit(m.Run())
	}
	err := Serve(os.Stdin, os.Stdout)
	raw, _ := os.ReadFile("/proc/self/status")
	_, peak, _ := strings.Cut(string(raw), "VmHWM:")
	peak, _, _ = strings.Cut(peak, "\n")
	fmt.Fprint(os.Stderr, strings.TrimSpace(peak))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noisy is a picture that does not compress.
func noisy(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	return img
}

// opaque is a picture with few colours and without transparency.
func opaque(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.SetNRGBA(i%w, i/w, color.NRGBA{byte(i % w), byte(i / w), 7, 255})
	}
	return img
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img))
	return b.Bytes()
}

// samples are pictures of 40 x 20 pixels in every format.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	r := image.Rect(0, 0, 40, 20)
	out := map[string][]byte{
		"rgba": asPNG(t, noisy(40, 20)), "rgba16": asPNG(t, image.NewNRGBA64(r)), "grey": asPNG(t, image.NewGray(r)), "grey16": asPNG(t, image.NewGray16(r)),
		"palette": asPNG(t, image.NewPaletted(r, color.Palette{color.Black, color.White})), "rgb16": asPNG(t, image.NewYCbCr(r, image.YCbCrSubsampleRatio420)), "rgb": asPNG(t, opaque(40, 20)),
	}
	var j, g, w bytes.Buffer
	check(t, jpeg.Encode(&j, noisy(40, 20), nil))
	check(t, gif.Encode(&g, noisy(40, 20), nil))
	check(t, nativewebp.Encode(&w, noisy(40, 20), nil))
	out["jpeg"], out["gif"], out["webp"] = j.Bytes(), g.Bytes(), w.Bytes()
	out["progressive"] = picturetest.Progressive(40, 20, 3, 3)
	return out
}

func TestHeaders(t *testing.T) {
	for name, want := range map[string]struct {
		pixel  int
		memory int64 // of 40 x 20 pixels
	}{
		"rgba": {4, 3200}, "rgba16": {8, 6400}, "grey": {1, 800}, "grey16": {2, 1600}, "palette": {1, 800}, "rgb16": {8, 6400}, "rgb": {4, 3200},
		"jpeg": {3, 48 * 32 * 3 / 2}, "progressive": {3, 48 * 32 * 3 / 2 * 5}, "gif": {1, 1600}, "webp": {4, 8000},
	} {
		b := samples(t)[name]
		h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil || h.Width != 40 || h.Height != 20 || h.Pixel != want.pixel || h.Memory != want.memory {
			t.Errorf("%s: %+v %v, want %+v", name, h, err, want)
		}
		img, err := decode(b)
		if err != nil || img.Bounds().Dx() != 40 || img.Bounds().Dy() != 20 {
			t.Errorf("%s is decoded to %v", name, err)
		}
		for n := range b {
			if _, err := ReadHeader(bytes.NewReader(b[:n]), int64(n)); err != nil && !errors.Is(err, ErrUnreadable) {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
	}
	if _, err := ReadHeader(broken{}, 100); err == nil || errors.Is(err, ErrUnreadable) {
		t.Errorf("a disk that fails: %v", err)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

func TestJPEGCost(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		code string
	}{
		"few scans": {picturetest.Progressive(64, 64, 3, 10), ""}, "many scans": {picturetest.Progressive(64, 64, 1, 100), "picture_too_costly"},
		"many scans in the thumbnail": {thumbnailed(picturetest.Progressive(64, 64, 1, 4), picturetest.Progressive(64, 64, 1, 100)[:1000]), ""},
		"large and many scans":        {picturetest.Progressive(8000, 8000, 1, 17), "picture_too_costly"},
		"an ordinary one":             {samples(t)["jpeg"], ""},
	} {
		err := jpegCost(c.b)
		if got := job.AsError(err); (got == nil) != (c.code == "") || got != nil && got.Code != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

// thumbnailed puts another picture into a segment of the first one.
func thumbnailed(b, other []byte) []byte {
	out := append(bytes.Clone(b[:2]), 0xff, 0xe1, byte((len(other)+2)>>8), byte(len(other)+2))
	return append(append(out, other...), b[2:]...)
}

// TestPeakOfHelper holds what a helper may take against what it takes, for the
// pictures whose decoders take the most.
func TestPeakOfHelper(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil || raceDetector {
		t.Skip("no /proc, or a detector that takes memory of its own")
	}
	var w bytes.Buffer
	check(t, nativewebp.Encode(&w, opaque(2000, 2000), nil))
	large := asPNG(t, noisy(2000, 2000))
	for name, files := range map[string][][]byte{
		"png": {large}, "png of 16 bits": {asPNG(t, image.NewNRGBA64(image.Rect(0, 0, 2000, 2000)))}, "webp": {w.Bytes()},
		"progressive jpeg": {picturetest.Progressive(2000, 2000, 3, 3)}, "mask": {large, large},
	} {
		j := task{Memory: helperMemory}
		for _, f := range files {
			h, err := ReadHeader(bytes.NewReader(f), int64(len(f)))
			check(t, err)
			j.Sizes, j.Memory = append(j.Sizes, int64(len(f))), j.Memory+int64(len(f))
			if f = files[0]; len(files) == 1 {
				j.Preview = 256
				j.Memory += h.Memory + h.previewMemory(256)
			} else {
				j.Memory = max(j.Memory, helperMemory+int64(2*len(f))+h.Memory+h.pixels()) // the result is not held here
			}
		}
		line, err := json.Marshal(j)
		check(t, err)
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{helperMark + "=1", "GOMAXPROCS=1"}
		cmd.Stdin = bytes.NewReader(append(append(line, '\n'), bytes.Join(files, nil)...))
		var said bytes.Buffer
		cmd.Stderr = &said
		answer, err := cmd.Output()
		var kB int64
		if _, serr := fmt.Sscan(said.String(), &kB); err != nil || serr != nil || !bytes.HasPrefix(answer, []byte(pngMagic)) {
			t.Errorf("%s: %v, %.100q, %s", name, err, answer, said.String())
			continue
		}
		t.Logf("%s: %d MB of %d MB, %v", name, kB>>10, j.Memory>>20, cmd.ProcessState.UserTime())
		if kB<<10 > j.Memory+j.Memory/10 {
			t.Errorf("%s took %d MB, and may take %d MB", name, kB>>10, j.Memory>>20)
		}
	}
}

// A helper whose header stands for less than its picture takes is ended, and
// nothing else: memory is the kernel's and the runtime's business.
func TestHelperWithoutMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the detector takes memory of its own")
	}
	g := New(Options{})
	b := asPNG(t, noisy(2000, 2000))
	j := task{Preview: 100, Sizes: []int64{int64(len(b)) + 1<<30}, Memory: helperMemory}
	if _, err := g.run(t.Context(), j, previewResult, bytes.NewReader(b)); job.AsError(err).Code != "picture_too_large" {
		t.Errorf("%v", err)
	}
}

func TestCancelledPicture(t *testing.T) {
	g := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	leave, err := g.Enter(ctx, "user001")
	check(t, err)
	defer leave()
	reads := make(chan struct{})
	b := asPNG(t, noisy(64, 64))
	ended := make(chan error)
	go func() {
		_, err := g.Preview(ctx, stalling{bytes.NewReader(b), reads}, 1<<20, 100)
		ended <- err
	}()
	<-reads // the helper waits for the rest of the file
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// stalling is a file whose end does not come.
type stalling struct {
	r     *bytes.Reader
	reads chan struct{}
}

func (s stalling) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) <= s.r.Size() {
		return s.r.ReadAt(b, off)
	}
	s.reads <- struct{}{}
	select {}
}

// A caller has two pictures at once, whoever else has theirs.
func TestPlaces(t *testing.T) {
	g := New(Options{})
	var leaves []func()
	for _, caller := range []string{"a", "a", "b", "b"} {
		leave, err := g.Enter(t.Context(), caller)
		check(t, err)
		leaves = append(leaves, leave)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Enter(ctx, "a"); err == nil {
		t.Error("a third picture of one caller")
	}
	for _, leave := range leaves {
		leave()
	}
	if len(g.callers) != 0 {
		t.Errorf("callers are remembered: %v", g.callers)
	}
}

func TestPreviewsAndMasks(t *testing.T) {
	refused := map[string]int{}
	g := New(Options{Refused: func(reason string) { refused[reason]++ }})
	for name, b := range samples(t) {
		out, err := g.Preview(t.Context(), bytes.NewReader(b), int64(len(b)), 10)
		check(t, err)
		if img, err := DecodePreview(out); err != nil || img.Bounds() != image.Rect(0, 0, 10, 5) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "rgb" && name != "jpeg" && name != "rgba16" {
			continue // masked like one of these
		}
		out, err = g.Mask(t.Context(), b, samples(t)["rgba"])
		check(t, err)
		if img, err := png.Decode(bytes.NewReader(out)); err != nil || img.Bounds() != image.Rect(0, 0, 40, 20) {
			t.Errorf("%s masked: %v", name, err)
		}
	}
	whole := samples(t)["rgba"]
	for name, c := range map[string]struct {
		original, mask []byte
		want           error
	}{
		"half a mask": {whole, whole[:len(whole)/2], MaskError{ErrUnreadable}}, "half a picture": {whole[:len(whole)/2], whole, ErrUnreadable},
		"another size": {whole, asPNG(t, noisy(3, 3)), MaskError{ErrOtherSize}},
	} {
		_, err := g.Mask(t.Context(), c.original, c.mask)
		if !errors.Is(err, errors.Unwrap(c.want)) && !errors.Is(err, c.want) || errors.As(err, new(MaskError)) != errors.As(c.want, new(MaskError)) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if refused["unreadable"] != 2 {
		t.Errorf("%v", refused)
	}
}

func BenchmarkPreview(b *testing.B) {
	g, f := New(Options{}), asPNG(b, noisy(1024, 1024))
	for b.Loop() {
		if _, err := g.Preview(b.Context(), bytes.NewReader(f), int64(len(f)), 256); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecode is a preview without a process of its own.
func BenchmarkDecode(b *testing.B) {
	f := asPNG(b, noisy(1024, 1024))
	for b.Loop() {
		img, err := decode(f)
		check(b, err)
		check(b, png.Encode(&bytes.Buffer{}, shrunk(img, 256)))
	}
}

// cpuTime is what this process has taken.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // it fails for a bad address
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// FuzzPicture: whatever the bytes are, the gate judges them soon, and what it
// decodes is of the size that the header says.
func FuzzPicture(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Add(picturetest.Progressive(8000, 8000, 1, 1000))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			t.Skip()
		}
		start := cpuTime()
		h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
		if err == nil && h.Format == "jpeg" {
			err = jpegCost(b)
		}
		if err == nil && h.Memory <= 1<<20 {
			if img, err := decode(b); err == nil && img.Bounds().Size() != image.Pt(h.Width, h.Height) {
				if h.Format != "gif" || img.Bounds().Dx() > h.Width || img.Bounds().Dy() > h.Height { // a frame may be smaller
					t.Errorf("%+v is decoded to %v", h, img.Bounds())
				}
			}
		}
		if took := cpuTime() - start; took > 500*time.Millisecond && !raceDetector {
			t.Errorf("%d bytes took %v", len(b), took)
		}
	})
}
