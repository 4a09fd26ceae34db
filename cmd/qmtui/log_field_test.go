package main

import (
	"slices"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// TestManagerTellsItsLog follows the log of a manager at work: what is told is
// what is written, from the first line on.
func TestManagerTellsItsLog(t *testing.T) {
	s := openSite(t, nil)
	stream, err := s.client.Log(t.Context(), "info")
	check(t, err)
	defer stream.Close()
	id := s.submit("user001", example(t, "text-to-image.json")).ID
	var all []api.LogLine
	for told := false; !told; {
		lines, err := stream.Next()
		check(t, err)
		all = append(all, lines...)
		told = slices.ContainsFunc(lines, func(l api.LogLine) bool { return l.Msg == string(job.Completed) && isAbout(l, id) })
	}
	for i, l := range all {
		if l.Seq != uint64(i+1) || l.Time.IsZero() || l.Level == "debug" {
			t.Fatalf("line %d is %+v", i, l)
		}
	}
	s.eventually("what is told is written, too", func() bool { return len(s.log.lines()) > len(all) }) // and an empty one after the last
}

func isAbout(l api.LogLine, id job.ID) bool {
	return slices.Contains(l.Attrs, api.LogAttr{Key: "job", Value: string(id)})
}

// What is logged before there is a manager, such as advice, is in its tail.
func TestTailBeginsWithTheLogger(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		log, err := newLogger(&logbook{}, config.Log{Level: "warn", Format: format})
		check(t, err)
		if again, _ := server.Tailed(log); again != log {
			t.Errorf("%s: the manager would begin another tail", format)
		}
	}
}
