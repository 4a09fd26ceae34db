package comfy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestExpandedAsThePageDoes(t *testing.T) {
	now := time.Date(2026, 8, 3, 9, 5, 7, 0, time.UTC)
	for text, want := range map[string]string{
		"%date:yyyy-MM-dd%/x":              "2026-08-03/x",
		"%date:yy.M.d h-mm-ss%":            "%date:yy.M.d h-mm-ss%", // the page takes the dot for that of a widget
		"%date:yyM d h-mm-ss yyy%":         "268 3 9-05-07 yyy",
		"%EmptyImage.width%x":              "64x",
		"%Blank.height%":                   "48",
		"%A sampler.seed%":                 "18446744073709551615",
		"%A sampler.name%":                 "a_b_c",
		"%SaveImage.images%":               "%SaveImage.images%",
		"%Nobody.width%":                   "%Nobody.width%",
		"%EmptyImage.depth%":               "%EmptyImage.depth%",
		"%width%_%year%%batch%":            "%width%_%year%%batch%",
		"100%":                             "100%",
		"qm/" + attempt + "/9/%date:yyyy%": "qm/" + attempt + "/9/2026",
	} {
		raw := `{"1":{"class_type":"EmptyImage","_meta":{"title":"Blank"},"inputs":{"width":64,"height":48,"batch_size":1,"color":7}},
			"2":{"class_type":"KSampler","_meta":{"title":"A sampler"},"inputs":{"seed":18446744073709551615,"name":"a/b:c"}},
			"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"` + text + `"}},
			"8":{"class_type":"Image Save","inputs":{"images":["1",0],"output_path":"` + text + `","filename_prefix":"` + text + `"}}}`
		p := parse(t, raw)
		before, _ := p.MarshalJSON()
		q := p.Expanded(now, nil)
		for _, at := range [][2]string{{"9", "filename_prefix"}, {"8", "output_path"}, {"8", "filename_prefix"}} {
			if got := input(t, q, at[0], at[1]); got != want {
				t.Errorf("%s of %s: %q is %q, want %q", at[1], at[0], text, got, want)
			}
		}
		if after, _ := p.MarshalJSON(); string(before) != string(after) {
			t.Errorf("the prompt was changed: %s", after)
		}
	}
}

// TestRow18LongTextsAreNotExpanded: what is too long for a prefix is refused
// without the cost of expanding it, also when a short text would become long.
func TestRow18LongTextsAreNotExpanded(t *testing.T) {
	for name, c := range map[string]struct{ prefix, widget string }{
		"many replacements": {strings.Repeat("%a.b%", 9<<20/5), "x"},
		"many dates":        {strings.Repeat("%date:yyyy%", 9<<20/11), "x"},
		"a long widget":     {strings.Repeat("%Text.text%", 100), strings.Repeat("x", 9<<20)},
	} {
		p := parse(t, `{"1":{"class_type":"Text","inputs":{"text":"`+c.widget+`"}},"2":{"class_type":"EmptyImage","inputs":{"width":64}},
			"9":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"`+c.prefix+`"}}}`)
		allocated := testing.AllocsPerRun(1, func() { p.Expanded(time.Now(), nil) })
		q := p.Expanded(time.Now(), nil)
		if n := len(input(t, q, "9", "filename_prefix").(string)); n > max(len(c.prefix), 1<<20) || allocated > 10_000 {
			t.Errorf("%s: %d bytes, %v allocations", name, n, allocated)
		}
		var r *Refusal
		if err := q.Check(nil); !errors.As(err, &r) || r.Code != "prefix_too_long" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSavingPreviews(t *testing.T) {
	preview := `{` + blank + `,"2":{"class_type":"PreviewImage","inputs":{"images":["1",0]}},"3":{"class_type":"PreviewAny","inputs":{"source":["1",0]}}}`
	q, turned := parse(t, preview).SavingPreviews(nil)
	if len(turned) != 1 || turned[0] != "2" || q.Check(nil) != nil {
		t.Fatalf("turned %v: %v", turned, q.Check(nil))
	}
	if out := q.Outputs(nil); len(out) != 1 || out[0].Class != "SaveImage" || out[0].Prefix != "ComfyUI" || out[0].Count != 1 {
		t.Errorf("outputs %+v", out)
	}
	beside := strings.Replace(preview, `"3":`, saved+`,"3":`, 1)
	if _, turned := parse(t, beside).SavingPreviews(nil); turned != nil {
		t.Errorf("beside a save node %v were turned", turned)
	}
	if _, turned := parse(t, preview).SavingPreviews(objectInfo(t, `{"EmptyImage":{},"PreviewImage":{"output_node":true},"PreviewAny":{"output_node":true}}`)); turned != nil {
		t.Errorf("%v were turned into what the server lacks", turned)
	}
}
