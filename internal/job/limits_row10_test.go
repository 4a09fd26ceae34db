package job

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestLimitsRow10WarningsOfOneJob: however much happens to a job's files, it
// keeps a bounded number of warnings of each kind, and says that there are more.
func TestLimitsRow10WarningsOfOneJob(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	j, err := Job{}.Apply(Fact{Job: "j1", Kind: Created, At: at, Spec: &Spec{ID: "j1", User: "user001"}})
	if err != nil {
		t.Fatal(err)
	}
	note := func(code string, i int) error {
		next, err := j.Apply(Fact{Job: "j1", Kind: Noted, At: at.Add(time.Second), Warning: &Warning{Code: code, At: at, Message: fmt.Sprint("file ", i)}})
		j = next
		return err
	}
	for i := range 1000 {
		if err := note("hostile_file", i); (err == nil) != (i <= MaxAlike) || err != nil && !errors.Is(err, ErrStale) {
			t.Fatalf("warning %d: %v", i, err)
		}
	}
	if err := note("partial", 1); err != nil {
		t.Error(err)
	}
	if len(j.Warnings) != MaxAlike+2 || j.Warnings[MaxAlike].Message == "file 20" || j.Warnings[MaxAlike].Code != "hostile_file" {
		t.Errorf("%d warnings: %+v", len(j.Warnings), j.Warnings[len(j.Warnings)-2:])
	}
}
