package ui

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/png"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/picture"
)

// noise is a PNG that no compression makes small.
func noise(w, h int) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

// With kitty's protocol a picture goes to the terminal once, whole; a new size
// and leaving the pane only move its placement, and quitting frees it.
func TestKittyPicturesOnATerminal(t *testing.T) {
	f := fixture()
	f.picture, f.flow = noise(64, 64), nil // without facts of a workflow the room for the picture stays
	k := NewKitty(false)
	var now atomic.Int64
	k.now = func() time.Time { return epoch.Add(time.Duration(now.Load())) }
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	g := newLiveTerminal(t, 120, 32)
	m := New(ctx, Options{Manager: quietFeed{f}, Clock: stillClock{}, Theme: ThemeDark, Images: ImagesKitty, Kitty: k})
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(g), tea.WithWindowSize(120, 32), tea.WithFPS(fps),
		tea.WithColorProfile(colorprofile.TrueColor), tea.WithEnvironment([]string{"TERM=xterm-kitty"}), tea.WithoutSignals())
	done := make(chan error, 1)
	go func() { _, err := p.Run(); done <- err }()
	press := func(keys ...string) {
		for _, key := range keys {
			p.Send(keyPress(key))
		}
	}
	p.Send(newsMsg{news{snapshot: &api.Snapshot{Jobs: f.jobs}}})
	p.Send(pollDone{status: &f.status, workers: f.workers, orphans: f.orphans, users: f.users})
	press("2", "down", "enter")

	got := g.gets("Ga=T,U=1,f=100,t=d,q=2,i=224,c=")
	text := got[strings.Index(got, ";")+1:]
	for !strings.Contains(got, "m=0;") {
		got = g.gets("Gq=2,m=")
		text += got[strings.Index(got, ";")+1:]
	}
	if b, err := base64.StdEncoding.DecodeString(text); err != nil || !bytes.Equal(b, f.picture) {
		t.Fatalf("%d bytes came, %v; %d were sent", len(b), err, len(f.picture))
	}
	w, h := placedAt(k, 224)
	g.showsImage(224, w*h)

	p.Send(tea.WindowSizeMsg{Width: 110, Height: 30})
	g.gets("Ga=d,d=i,q=2,i=224")
	g.gets("Ga=p,U=1,q=2,i=224,c=")
	if nw, nh := placedAt(k, 224); nw == w && nh == h {
		t.Errorf("the size stayed %dx%d", w, h)
	}

	press("3")
	g.showsImage(224, 0)
	now.Store(int64(unseenFor))
	k.mail <- struct{}{}
	g.gets("Ga=d,d=i,q=2,i=224")

	press("2")
	g.gets("Ga=p,U=1,q=2,i=224,c=")
	p.Quit()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_, _ = g.Write([]byte(k.Clear()))
	g.gets("Ga=d,d=I,q=2,i=224")
	if len(g.commands) > 0 {
		t.Errorf("the terminal got %.80q as well", <-g.commands)
	}
	if g.e.IsAltScreen() {
		t.Error("the terminal is left on the alternate screen")
	}
}

// placedAt is the size of an image's placement.
func placedAt(k *Kitty, image int) (w, h int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, x := range k.held {
		if x.image == image {
			return x.w, x.h
		}
	}
	return 0, 0
}

// Where there are no colours or only plain signs, nothing can number an image.
func TestKittyNeedsColours(t *testing.T) {
	for _, c := range []struct {
		profile colorprofile.Profile
		ascii   bool
	}{{colorprofile.ASCII, false}, {colorprofile.TrueColor, true}} {
		st := NewStyles(true, c.profile, c.ascii)
		p := newPreviews()
		p.kitty = NewKitty(false)
		p.hold("a")
		b := testPicture(40, 40)
		img, err := picture.DecodePreview(b)
		p.learn(previewMsg{"a", img, b, err})
		if got := strings.Join(p.draw(st, "a", 20, 10), ""); !printableASCII(got) || got == "" || p.kitty.take() != "" {
			t.Errorf("%v, ascii %t: %q", c.profile, c.ascii, got)
		}
	}
}

func TestForgottenPreviewsAreFreed(t *testing.T) {
	p := newPreviews()
	p.kitty = NewKitty(false)
	p.hold("first")
	p.kitty.place("first", []byte("png"), 4, 2)
	p.kitty.take()
	for i := range maxPreviews {
		p.hold(job.OutputID(rune('a' + i)))
	}
	if got := p.kitty.take(); got != freeing(firstImage) {
		t.Errorf("%q", got)
	}
}
