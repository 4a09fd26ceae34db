package ui

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestPlaceholders(t *testing.T) {
	const p = "\U0010EEEE"
	for _, c := range []struct {
		image, w, h int
		want        []string
	}{
		{224, 1, 1, []string{"\x1b[38;5;224m" + p + "\u0305\u0305" + inkEnd}},
		{255, 3, 2, []string{
			"\x1b[38;5;255m" + p + "\u0305\u0305" + p + "\u0305\u030d" + p + "\u0305\u030e" + inkEnd,
			"\x1b[38;5;255m" + p + "\u030d\u0305" + p + "\u030d\u030d" + p + "\u030d\u030e" + inkEnd}},
		{230, 0, 0, []string{}},
	} {
		got := placeholders(c.image, c.w, c.h)
		if !slices.Equal(got, c.want) {
			t.Errorf("%d, %dx%d: %q, want %q", c.image, c.w, c.h, got, c.want)
		}
		for _, l := range got {
			if n := fitWidth(l); n != c.w {
				t.Errorf("%d cells wide, want %d", n, c.w)
			}
		}
	}
	last := placeholders(224, maxPlaced, maxPlaced)[maxPlaced-1]
	if last == placeholders(224, maxPlaced, 1)[0] || fitWidth(last) != maxPlaced {
		t.Error("the last row of the largest placement is not numbered")
	}
}

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		bytes int
		sizes []int
	}{{0, []int{0}}, {1, []int{4}}, {3072, []int{4096}}, {3073, []int{4096, 4}}, {3 * 3072, []int{4096, 4096, 4096}}, {10_000, []int{4096, 4096, 4096, 1048}}} {
		b := bytes.Repeat([]byte{7, 1, 200, 0, 255}, c.bytes/5+1)[:c.bytes]
		parts := chunks(b)
		var sizes []int
		for _, p := range parts {
			sizes = append(sizes, len(p))
		}
		back, err := base64.StdEncoding.DecodeString(strings.Join(parts, ""))
		if !slices.Equal(sizes, c.sizes) || err != nil || !bytes.Equal(back, b) {
			t.Errorf("%d bytes: parts of %v, want %v; %v", c.bytes, sizes, c.sizes, err)
		}
	}
}

func TestSequences(t *testing.T) {
	long := transmission(224, 40, 20, make([]byte, 2*3072+1))
	for _, c := range []struct{ name, got, want string }{
		{"a small picture", strings.Join(transmission(224, 4, 2, []byte("png")), "|"), "\x1b_Ga=T,U=1,f=100,t=d,q=2,i=224,c=4,r=2,m=0;cG5n\x1b\\"},
		{"the first part", long[0][:48], "\x1b_Ga=T,U=1,f=100,t=d,q=2,i=224,c=40,r=20,m=1;AAA"},
		{"a part in the middle", long[1][:12], "\x1b_Gq=2,m=1;A"},
		{"the last part", long[2], "\x1b_Gq=2,m=0;AA==\x1b\\"},
		{"placing", placing(225, 8, 4), "\x1b_Ga=p,U=1,q=2,i=225,c=8,r=4\x1b\\"},
		{"taking off", unplacing(225), "\x1b_Ga=d,d=i,q=2,i=225\x1b\\"},
		{"freeing", freeing(225), "\x1b_Ga=d,d=I,q=2,i=225\x1b\\"},
		{"through tmux", throughTmux(freeing(225)), "\x1bPtmux;\x1b\x1b_Ga=d,d=I,q=2,i=225\x1b\x1b\\\x1b\\"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	if len(long) != 3 {
		t.Errorf("%d parts", len(long))
	}
}

// place is Kitty.place for a tiny picture.
func place(k *Kitty, id string, w, h int) (int, bool) {
	return k.place(job.OutputID(id), []byte("png"), w, h)
}

func TestAPictureIsReadyOnceItIsTaken(t *testing.T) {
	k := NewKitty(false)
	n, ready := place(k, "a", 4, 2)
	if n != firstImage || ready {
		t.Errorf("%d, ready %t", n, ready)
	}
	if got := k.take(); got != transmission(n, 4, 2, []byte("png"))[0] {
		t.Errorf("%q", got)
	}
	if again, ready := place(k, "a", 4, 2); again != n || !ready || k.take() != "" {
		t.Errorf("%d, ready %t: sent again", again, ready)
	}
	if _, ready := place(k, "a", 8, 4); ready {
		t.Error("ready before the terminal has the new size")
	}
	if got := k.take(); got != unplacing(n)+placing(n, 8, 4) {
		t.Errorf("%q", got)
	}
}

func TestUnseenPicturesLoseTheirPlacement(t *testing.T) {
	k := NewKitty(false)
	now := epoch
	k.now = func() time.Time { return now }
	n, _ := place(k, "a", 4, 2)
	k.take()
	now = now.Add(unseenFor - 1)
	if got := k.take(); got != "" {
		t.Errorf("too early: %q", got)
	}
	now = now.Add(1)
	if got := k.take(); got != unplacing(n) {
		t.Errorf("%q", got)
	}
	if got := k.take(); got != "" {
		t.Errorf("twice: %q", got)
	}
	if back, ready := place(k, "a", 4, 2); back != n || ready || k.take() != placing(n, 4, 2) {
		t.Error("a picture that comes back is not only placed")
	}
}

func TestNumbersAreReusedAndFreed(t *testing.T) {
	k := NewKitty(false)
	for i := range maxPreviews {
		if n, _ := place(k, fmt.Sprint(i), 4, 2); n != firstImage+i || n > 255 {
			t.Fatalf("picture %d has number %d", i, n)
		}
	}
	if n, _ := place(k, "one too many", 4, 2); n != 0 {
		t.Errorf("number %d is given twice", n)
	}
	k.take()
	k.forget("5")
	if n, _ := place(k, "new", 4, 2); n != firstImage+5 {
		t.Errorf("number %d", n)
	}
	if got := k.take(); !strings.HasPrefix(got, freeing(firstImage+5)) {
		t.Errorf("%q", got)
	}
}

func TestClear(t *testing.T) {
	const in, out = "\x1b[?2026h\x1b[?1049h", "\x1b[?1049l\x1b[?2026l"
	for _, tmux := range []bool{false, true} {
		k := NewKitty(tmux)
		if got := k.Clear(); got != "" {
			t.Errorf("nothing to clear: %q", got)
		}
		place(k, "a", 4, 2)
		place(k, "b", 4, 2)
		want := in + freeing(firstImage) + freeing(firstImage+1) + out
		if tmux {
			want = throughTmux(freeing(firstImage)) + throughTmux(freeing(firstImage+1))
		}
		if got := k.Clear(); got != want {
			t.Errorf("tmux %t: %q", tmux, got)
		}
		if got := k.Clear() + k.take(); got != "" {
			t.Errorf("tmux %t, again: %q", tmux, got)
		}
	}
}
