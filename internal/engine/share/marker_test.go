package share

import (
	"bytes"
	"image"
	"image/png"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestRow10MarkersAreNoOutputs: a start marker is not reported wherever it was
// moved or copied to; a picture like it that a history names is.
func TestRow10MarkersAreNoOutputs(t *testing.T) {
	d := newDisks(t)
	d.opt.Sweep = 5 * time.Second
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	dot, claim := b.Bytes(), `{"job":"j1","prompt_id":"`+prompt+`","attempt":1}`
	marker := withText(dot, "qm", claim)
	for _, path := range []string{"qm-old/" + prompt + "/_started/s_00001_.png", "backup/s_00001.png", "backup/s_00001_ (1).png", "S_00002_.PNG",
		"qm/old/" + prompt + "/_started/s_00001_.png", "qm/restored/s_00001_.png"} {
		d.write(path, marker)
	}
	d.write("qm-bare/"+prompt+"/_started/s_00001_.png", dot) // by a server that writes no metadata
	outputs := []string{"backup/picture.png", "qm-old/" + prompt + "/9/s_00001_.png", "backup/s_00009_.png", "_started/s_00001_.png", "s_00003_.png", "flat/s_00001_.png", "qm/old/" + prompt + "/9/a.png"}
	d.write(outputs[0], marker) // not its name
	for _, path := range outputs[1:3] {
		d.write(path, withText(picture(t, 1), "qm", claim)) // not its size
	}
	d.write(outputs[3], dot)    // nobody's
	d.write(outputs[4], dot)    // nobody's
	d.write(outputs[5], marker) // named by a history
	d.write(outputs[6], withText(picture(t, 2), "qm", claim))
	synctest.Test(t, func(t *testing.T) {
		s := d.share()
		w := watch(t, s)
		s.Watch([]job.Folder{{PromptID: prompt, Live: true, Paths: []job.Path{"flat/s_00001_.png"}}})
		time.Sleep(10 * time.Minute)
		want := map[job.Path]bool{}
		for _, path := range outputs {
			want[job.Path(path)] = true
			if len(w.marks(path, job.MarkWhole)) != 1 {
				t.Errorf("%s is not reported", path)
			}
		}
		for _, x := range w.list() {
			if !want[x.Path] {
				t.Errorf("reported: %+v", x)
			}
		}
		if got := w.marks(outputs[6], job.MarkWhole); len(got) == 1 && (got[0].Claim == nil || got[0].Claim.Job != "j1") {
			t.Errorf("the claim of a file in a folder that is no attempt's: %+v", got[0])
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
}
