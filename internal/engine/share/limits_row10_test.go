package share

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// TestLimitsRow10ManyLinksInOneFolder: 20,000 symbolic links, or as many names
// of one file, give a handful of reports, and keep nobody's files waiting.
func TestLimitsRow10ManyLinksInOneFolder(t *testing.T) {
	const links = 20_000
	for name, plant := range map[string]func(folder string, i int) error{
		"symbolic": func(folder string, i int) error {
			return os.Symlink("/etc/passwd", filepath.Join(folder, fmt.Sprintf("a%05d_00001_.png", i)))
		},
		"hard": func(folder string, i int) error {
			return unix.Link(filepath.Join(folder, "..", "twice"), filepath.Join(folder, fmt.Sprintf("a%05d_00001_.png", i)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisks(t)
			good := []string{string(source("0_00001_.png")), string(source("m_00001_.png")), string(source("z_00001_.png"))}
			for i, path := range good {
				d.write(path, picture(t, i+1))
			}
			folder := filepath.Join(d.outputs, filepath.Dir(good[0]))
			writeFile(t, filepath.Join(filepath.Dir(folder), "twice"), picture(t, 9))
			for i := range links {
				if err := plant(folder, i); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Test(t, func(t *testing.T) {
				s := d.share()
				w := watch(t, s)
				s.Watch([]job.Folder{{PromptID: prompt, Live: true}})
				pass(30 * time.Second)
				for _, path := range good {
					if len(w.marks(path, job.MarkWhole)) != 1 {
						t.Errorf("%s is not seen to be whole", path)
					}
				}
				hostile, more := 0, 0
				for _, s := range w.list() {
					if s.Mark == job.MarkHostile {
						hostile++
						more += s.More
					}
				}
				if hostile != oddTold+1 || more < links-oddTold || more > links+1-oddTold {
					t.Errorf("%d reports, which count %d more", hostile, more)
				}
				before := len(w.list())
				pass(time.Minute)
				if after := len(w.list()); after != before {
					t.Errorf("%d reports more", after-before)
				}
				if err := w.stop(); err != nil {
					t.Error(err)
				}
			})
			if n := strings.Count(d.logs.String(), "\n"); n > 50 {
				t.Errorf("%d lines in the log", n)
			}
		})
	}
}
