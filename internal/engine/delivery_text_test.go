package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// What SaveText wrote is kept with the job, for the page shows it in the node; a long one
// is cut off between two letters. The files of other nodes are read by nobody.
func TestTextOfANodeThatShowsIt(t *testing.T) {
	for _, c := range []struct{ class, written, want string }{
		{"SaveText", "two\nlines", "two\nlines"},
		{"SaveText", strings.Repeat("\u00e9", 5000), strings.Repeat("\u00e9", 4096) + " [...]"},
		{"SaveText", "a" + strings.Repeat("\u00e9", 5000), "a" + strings.Repeat("\u00e9", 4095) + " [...]"},
		{"SaveText", "no \xff text", "no \ufffd text"},
		{"SaveImage", "two", ""},
	} {
		open(t, 1, engine.Policy{}, func(h *house) {
			h.share.set(func(s *fakeShare) { s.content = c.written })
			j, _, err := h.Submit(context.Background(), job.Request{User: "user001", Priority: job.Normal, Caller: job.Caller{Name: "user001"},
				Workflow: fmt.Appendf(nil, `[{"Node":"9","Class":%q,"Prefix":"out","Count":1}]`, c.class)})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			h.pass(time.Second)
			h.see(h.prompt(j), job.MarkWhole, "out_00001.txt")
			h.pass(time.Second)
			if o := h.want(j, job.Done).Outputs[0]; o.Text != c.want {
				t.Errorf("%s: text %.40q of %d bytes", c.class, o.Text, len(o.Text))
			}
		})
	}
}
