package main

import (
	"os"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

func TestJudgeOwner(t *testing.T) {
	for _, c := range []struct {
		us, owner int
		said      string // part of the error; empty for none
	}{
		{0, 0, ""}, {0, -1, ""}, {1000, 1000, ""},
		{1000, 0, ""}, // a volume whose group may write
		{0, 1, "belongs to "}, {0, 54321, "sudo -u '#54321' qmtui"},
	} {
		err := judgeOwner("/var/lib/qmtui", c.us, c.owner)
		switch {
		case c.said == "" && err != nil:
			t.Errorf("%d in the folder of %d: %v", c.us, c.owner, err)
		case c.said != "" && (err == nil || job.AsError(err).Code != "state_of_another_user" || !strings.Contains(err.Error(), c.said)):
			t.Errorf("%d in the folder of %d: %v", c.us, c.owner, err)
		}
	}
}

// TestRootRunsNoManagerInTheFolderOfAnother: neither as a daemon nor in the panel's process.
func TestRootRunsNoManagerInTheFolderOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who may write everywhere")
	}
	s := openSite(t, func(p *plan) { p.apart = true })
	check(t, os.MkdirAll(s.config.State.Dir, 0o700))
	check(t, os.Chown(s.config.State.Dir, nobody, nobody))
	log, err := newLogger(s.log, config.Log{Level: "info"})
	if err == nil {
		_, err = newManager(s.config, log)
	}
	if err == nil || job.AsError(err).Code != "state_of_another_user" {
		t.Errorf("got %v", err)
	}
	if names, _ := os.ReadDir(s.config.State.Dir); len(names) != 0 {
		t.Errorf("left %v behind", names)
	}
}
