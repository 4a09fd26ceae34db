package share

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/job"
)

func TestPlaceOfOneFile(t *testing.T) {
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
		{name: "dataset collides", source: "qm/p/9/image_00000.png", here: []string{"image_00000.png", "image_00000-2.png"}, want: "image_00001.png"},
		{name: "VHS sound", source: "qm/p/9/vid_00001-audio.mp4", here: []string{"vid_00001-audio.mp4"}, want: "vid_00002-audio.mp4"},
		{name: "a name of the user's own", source: "qm/p/9/anna.png", here: []string{"anna_00001_.png"}, want: "anna.png"},
		{name: "only when it is taken", source: "qm/p/9/anna.png", here: []string{"anna.png", "anna.txt"}, taken: []string{"anna-2.png"}, want: "anna-3.png"},
		{name: "a number is no counter by itself", source: "qm/p/9/trip_2024.png", here: []string{"trip_2024.png"}, want: "trip_2024-2.png"},
		{name: "a seed is none", source: "qm/p/9/seed_00123456789.png", here: []string{"seed_00123456789.png"}, want: "seed_00123456789-2.png"},
		{name: "a time that is free", source: "qm/p/9/2026-11-30-0930_anna.png", here: []string{"2026-11-30-1530_anna.png"}, want: "2026-11-30-0930_anna.png"},
		{name: "frames begin where the node began", source: "qm/p/9/shot.01001.exr", want: "shot.01001.exr"},
		{name: "both forms of ComfyUI count", source: "qm/p/9/cat_00001.png", here: []string{"cat_00003_.webp"}, want: "cat_00004.png"},
		{name: "and the other way round", source: "qm/p/9/cat_00001_.png", here: []string{"cat_00003.webp"}, want: "cat_00004_.png"},
		{name: "number in front", source: "qm/p/9/0001_cat.png", here: []string{"0001_cat.png", "2024_dog.png"}, want: "0002_cat.png"},
		{name: "past the zeros", source: "qm/p/9/WAS_0001.png", here: []string{"WAS_0001.png", "WAS_9999.png"}, want: "WAS_10000.png"},
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
		w := newWish(job.Transfer{Source: job.Path(c.source)}, c.aside)
		names := append([]string(nil), c.here...)
		got := assign([]wish{w}, map[string][]string{w.folder: append(names, c.taken...)})[0]
		if got != c.want || len(got) > maxName {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// batch names files of one user from a description: the source, and behind an
// arrow the place that it has.
func batch(sources ...string) []wish {
	var all []wish
	for _, s := range sources {
		source, dest, _ := strings.Cut(s, " -> ")
		all = append(all, newWish(job.Transfer{Source: job.Path("qm/p/" + source), Dest: dest}, ""))
	}
	return all
}

// TestRow09Groups: files of one node that share stem and counter keep one number.
func TestRow09Groups(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []string
		here    []string
		want    []string
	}{
		{"sidecars", []string{"9/s_00001_.png", "9/s_00001_.txt", "9/s_00001_.json"}, nil,
			[]string{"s_00001_.png", "s_00001_.txt", "s_00001_.json"}},
		{"behind others", []string{"9/s_00001_.json", "9/s_00001_.png", "9/s_00001_.txt"}, []string{"s_00007_.webp"},
			[]string{"s_00008_.json", "s_00008_.png", "s_00008_.txt"}},
		{"other separators", []string{"9/s_00001_.png", "9/s_00001.txt"}, []string{"s_00001_.png"},
			[]string{"s_00002_.png", "s_00002.txt"}},
		{"a video with its sound and first frame", []string{"9/v_00001_.mp4", "9/v_00001_-audio.mp4", "9/v_00001.png", "9/v_00001-audio.mp4"}, []string{"v_00002_.mp4"},
			[]string{"v_00003_.mp4", "v_00003_-audio.mp4", "v_00003.png", "v_00003-audio.mp4"}},
		{"a late sidecar", []string{"9/s_00001_.png -> s_00008_.png", "9/s_00001_.txt"}, []string{"s_00008_.png", "s_00009_.png"},
			[]string{"s_00008_.png", "s_00008_.txt"}},
		{"a late sidecar whose number somebody else has meanwhile", []string{"9/s_00001_.png -> s_00008_.png", "9/s_00001_.txt"}, []string{"s_00008_.webp"},
			[]string{"s_00008_.png", "s_00009_.txt"}},
		{"of two nodes they are strangers", []string{"9/s_00001_.png", "12/s_00001_.txt"}, nil,
			[]string{"s_00001_.png", "s_00002_.txt"}},
		{"without a number", []string{"9/anna.png", "9/anna.txt"}, []string{"anna.png"},
			[]string{"anna-2.png", "anna-2.txt"}},
		{"without a number, late", []string{"9/anna.png -> anna-2.png", "9/anna.txt"}, []string{"anna.png", "anna-2.png"},
			[]string{"anna-2.png", "anna-2.txt"}},
		{"a caption of another job beside its picture", []string{"9/anna.txt"}, []string{"anna.png"},
			[]string{"anna.txt"}},
		{"names that become the same", []string{"9/a\n_00001_.png", "9/a\t_00001_.png", "9/b.\n", "9/b.\t"}, nil,
			[]string{"a__00001_.png", "a__00002_.png", "b._", "b-2._"}},
	} {
		if got := assign(batch(c.sources...), map[string][]string{"": c.here}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestRow09BatchOrder: the numbers rise with node and counter, in whatever order
// and in however many looks the files are found.
func TestRow09BatchOrder(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []string
		here    []string
		want    []string
	}{
		{"found in any order", []string{"9/c_00003_.png", "9/c_00001_.png", "9/c_00002_.png"}, []string{"c_00004_.png"},
			[]string{"c_00007_.png", "c_00005_.png", "c_00006_.png"}},
		{"two nodes with one prefix", []string{"12/c_00001_.png", "9/c_00002_.png", "9/c_00001_.png"}, nil,
			[]string{"c_00003_.png", "c_00002_.png", "c_00001_.png"}},
		{"nodes of a subgraph", []string{"9_3a12/c_00001_.png", "9_3a2/c_00001_.png"}, nil,
			[]string{"c_00002_.png", "c_00001_.png"}},
		{"a second look", []string{"9/c_00001_.png -> c_00005_.png", "9/c_00003_.png", "9/c_00002_.png"}, []string{"c_00004_.png", "c_00005_.png"},
			[]string{"c_00005_.png", "c_00007_.png", "c_00006_.png"}},
		{"the first was the last to be complete", []string{"9/c_00002_.png -> c_00006_.png", "9/c_00001_.png"}, []string{"c_00004_.png", "c_00006_.png"},
			[]string{"c_00006_.png", "c_00005_.png"}},
		{"another job came between two looks", []string{"9/c_00001_.png -> c_00001_.png", "9/c_00003_.png", "9/c_00002_.png"}, []string{"c_00001_.png", "c_00002_.png", "c_00003_.png"},
			[]string{"c_00001_.png", "c_00005_.png", "c_00004_.png"}},
		{"nor does a free number below bring them out of order", []string{"9/p_0003.png -> p_0007.png", "9/p_0004.png"}, []string{"p_0007.png", "p_0008.png"},
			[]string{"p_0007.png", "p_0009.png"}},
		{"in the sub-folder for cancelled jobs all the same", []string{"9/c_00001_.png -> cancelled/c_00001_.png", "9/c_00002_.png"}, nil,
			[]string{"cancelled/c_00001_.png", "c_00001_.png"}},
	} {
		if got := assign(batch(c.sources...), map[string][]string{"": c.here}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestRow23SequenceNames: names without the underscore of ComfyUI's own keep
// their form and their digits, and sequences stay sequences.
func TestRow23SequenceNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []string
		here    []string
		want    []string
	}{
		{"ComfyUI 0.33", []string{"9/p8_00001.png"}, []string{"p8_00001.png"}, []string{"p8_00002.png"}},
		{"a batch", []string{"9/p8_00001.png", "9/p8_00002.png"}, []string{"p8_00001.png", "p8_00002.png"}, []string{"p8_00003.png", "p8_00004.png"}},
		{"newest last, although the first are gone", []string{"9/p8_00001.png"}, []string{"p8_00002.png"}, []string{"p8_00003.png"}},
		{"WAS", []string{"9/ComfyUI_0001.png", "9/ComfyUI_0002.png"}, []string{"ComfyUI_0001.png"}, []string{"ComfyUI_0002.png", "ComfyUI_0003.png"}},
		{"WAS past 999", []string{"9/w_0999.png", "9/w_1000.png", "9/w_1001.png"}, []string{"w_0999.png"}, []string{"w_1000.png", "w_1001.png", "w_1002.png"}},
		{"EXR", []string{"9/shot.0001.exr", "9/shot.0002.exr"}, []string{"shot.0001.exr", "shot.0002.exr"}, []string{"shot.0003.exr", "shot.0004.exr"}},
		{"no separator", []string{"9/img001.png", "9/img002.png"}, []string{"img001.png"}, []string{"img002.png", "img003.png"}},
		{"dataset from zero", []string{"9/image_00000.png", "9/image_00000.txt", "9/image_00001.png", "9/image_00001.txt"}, []string{"image_00000.png"},
			[]string{"image_00001.png", "image_00001.txt", "image_00002.png", "image_00002.txt"}},
		{"small numbers beside each other", []string{"9/a_1.png", "9/a_2.png"}, []string{"a_1.png"}, []string{"a_2.png", "a_3.png"}},
		{"ten is not padded", []string{"9/a_9.png", "9/a_10.png"}, nil, []string{"a_9.png", "a_10.png"}},
		{"a number that does not belong to the sequence", []string{"9/a_00001.png", "9/a_7.png"}, []string{"a_7.png"}, []string{"a_00001.png", "a_7-2.png"}},
	} {
		if got := assign(batch(c.sources...), map[string][]string{"": c.here}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestChooseNamesABatch lists each folder of the user once and heeds what is
// spoken for.
func TestChooseNamesABatch(t *testing.T) {
	d := newDisks(t)
	writeFile(t, d.user("a/c_00002_.png"), nil)
	s := d.share()
	var listed int
	s.step = func(string) error { listed++; return nil }
	got, err := s.Choose(t.Context(), []job.Transfer{transfer("a/c_00002_.png", ""), transfer("a/c_00001_.png", ""), transfer("b/c_00001_.png", "")},
		[]string{"a/c_00003_.png", "a/d_00009_.png", "c_00009_.png"})
	if want := []string{"a/c_00005_.png", "a/c_00004_.png", "b/c_00001_.png"}; err != nil || !slices.Equal(got, want) || listed != 2 {
		t.Errorf("%q after %d lists, %v", got, listed, err)
	}
}

func TestLongNamesStayApart(t *testing.T) {
	long := strings.Repeat("x", 240)
	got := assign(batch("9/"+long+"a", "9/"+long+"b", "10/"+long+"a"), map[string][]string{})
	if got[0] == got[1] || got[2] != got[0]+"-2" {
		t.Errorf("%q", got)
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
		w := newWish(job.Transfer{Source: job.Path(source)}, "cancelled")
		first := assign([]wish{w}, map[string][]string{})[0]
		folder, name := splitPlace(first)
		dest := assign([]wish{w}, map[string][]string{folder: {name}})[0]
		if dest == first {
			t.Fatalf("%q twice becomes %q", source, dest)
		}
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
