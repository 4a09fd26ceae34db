package comfy

import (
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
