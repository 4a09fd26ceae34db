package share

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/job"
)

func TestFree(t *testing.T) {
	long := strings.Repeat("é", 120)
	for _, c := range []struct {
		name   string
		source string
		aside  string
		here   []string
		taken  []string
		want   string
	}{
		{name: "first", source: "qm/p/9/cat_00001_.png", want: "cat_00001_.png"},
		{name: "the user's own counter goes on", source: "qm/p/9/cat_00001_.png", here: []string{"cat_00007_.png", "cat_00003_.png"}, want: "cat_00008_.png"},
		{name: "whatever the extension", source: "qm/p/9/cat_00001_.png", here: []string{"cat_00002_.webp"}, want: "cat_00003_.png"},
		{name: "another prefix does not count", source: "qm/p/9/cat_00001_.png", here: []string{"cats_00007_.png", "Cat_00009_.png", "cat_9.png"}, want: "cat_00001_.png"},
		{name: "a number of another length counts", source: "qm/p/9/cat_00001_.png", here: []string{"cat_100000_.png"}, want: "cat_100001_.png"},
		{name: "not a number counts as none", source: "qm/p/9/cat_00001_.png", here: []string{"cat_x_.png"}, want: "cat_00001_.png"},
		{name: "an absurd number does not count", source: "qm/p/9/cat_00001_.png", here: []string{"cat_9999999999999999_.png"}, want: "cat_00001_.png"},
		{name: "taken places are not free", source: "qm/p/9/cat_00001_.png", here: []string{"cat_00001_.png"}, taken: []string{"cat_00002_.png"}, want: "cat_00003_.png"},
		{name: "folders of the prefix", source: "qm/p/9/video/a/cat_00004_.mp4", taken: []string{"cat_00001_.mp4"}, want: "video/a/cat_00002_.mp4"},
		{name: "numbers in the prefix", source: "qm/p/9/x_12345_00001_.png", want: "x_12345_00001_.png"},
		{name: "cancelled", source: "qm/p/9/v/cat_00001_.png", aside: "cancelled", want: "cancelled/v/cat_00001_.png"},
		{name: "dataset", source: "qm/p/9/set/image_00000.png", want: "set/image_00000.png"},
		{name: "dataset collides", source: "qm/p/9/image_00000.png", here: []string{"image_00000.png", "image_00000-2.png"}, want: "image_00000-3.png"},
		{name: "VHS sound", source: "qm/p/9/vid_00001-audio.mp4", here: []string{"vid_00001-audio.mp4"}, want: "vid_00001-audio-2.mp4"},
		{name: "no extension", source: "qm/p/9/notes", here: []string{"notes"}, want: "notes-2"},
		{name: "outside qm", source: "old/cat_00001_.png", want: "old/cat_00001_.png"},
		{name: "outside its node", source: "qm/p/cat_00001_.png", want: "cat_00001_.png"},
		{name: "newline and escape", source: "qm/p/9/a\n\x1b[31mb_00001_.png", want: "a__[31mb_00001_.png"},
		{name: "bidi and zero width", source: "qm/p/9/a\u202egnp\u200b_00001_.png", want: "a_gnp__00001_.png"},
		{name: "invalid UTF-8", source: "qm/p/9/a\xff\xfe_00001_.png", want: "a___00001_.png"},
		{name: "leading dot", source: "qm/p/9/.bashrc", want: "_.bashrc"},
		{name: "leading dash", source: "qm/p/9/-rf_00001_.png", want: "_-rf_00001_.png"},
		{name: "dots as folders", source: "qm/p/9/.../x_00001_.png", want: "_.../x_00001_.png"},
		{name: "backslash", source: `qm/p/9/a\..\b_00001_.png`, want: "a_.._b_00001_.png"},
		{name: "too long", source: "qm/p/9/" + long + "_00001_.png", want: strings.Repeat("é", 94) + "~bb658d82_00001_.png"},
		{name: "other scripts stay", source: "qm/p/9/图✓_00001_.png", want: "图✓_00001_.png"},
	} {
		taken := map[string]bool{}
		p := wish(job.Path(c.source), c.aside)
		for _, name := range c.taken {
			taken[join(p.folder, name)] = true
		}
		if got := p.free(c.here, func(d string) bool { return taken[d] }); got != c.want || len(got) > maxName {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLongNamesStayApart(t *testing.T) {
	long := strings.Repeat("x", 240)
	a, b := wish(job.Path("qm/p/9/"+long+"a"), ""), wish(job.Path("qm/p/9/"+long+"b"), "")
	if a == b || a != wish(job.Path("qm/p/9/"+long+"a"), "") {
		t.Errorf("%v %v", a, b)
	}
}

// FuzzWish holds that no name on the share makes a place that leaves the
// user's folder, hides, or is unfit for a screen.
func FuzzWish(f *testing.F) {
	for _, seed := range []string{"qm/p/9/cat_00001_.png", "qm/p/9/../../x", "..", "", "qm/p/9/", "\x00", "a//b", "-", ".", "qm/p/9/a_00001_.\n", "~", "qm/p/9/" + strings.Repeat("\xff/", 40)} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, source string, n int) {
		if strings.ContainsRune(source, 0) || len(source) > 4096 {
			return
		}
		p := wish(job.Path(source), "cancelled")
		dest := p.free([]string{p.name(1)}, func(d string) bool { return false })
		if checkDest(dest) != nil || !filepath.IsLocal(dest) || !utf8.ValidString(dest) {
			t.Fatalf("%q becomes %q", source, dest)
		}
		for _, part := range strings.Split(dest, "/") {
			if part == "" || len(part) > maxName || strings.ContainsAny(part[:1], ".-~") {
				t.Fatalf("%q becomes %q with %q", source, dest, part)
			}
		}
		for _, r := range dest {
			if !unicode.IsPrint(r) || r == '\\' {
				t.Fatalf("%q becomes %q", source, dest)
			}
		}
	})
}

func TestCheckDest(t *testing.T) {
	for _, bad := range []string{"", ".", "..", "../x", "/x", "a/../x", "a//x", "a/", "./a", "a\x00"} {
		if checkDest(bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := checkDest("video/cat_00001_.mp4"); err != nil {
		t.Error(err)
	}
}
