package face

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// story folds facts into a job, one after the other.
type story struct {
	*testing.T
	job  job.Job
	n    int
	text string // of the files that are delivered
}

func begin(t *testing.T, expect ...job.Expected) *story {
	s := &story{T: t}
	s.tell(job.Fact{Kind: job.Created, Spec: &job.Spec{ID: "j", User: "ada", Submitted: noon, Key: Key("mine"), Expect: expect}})
	return s
}

func (s *story) tell(f job.Fact) {
	s.Helper()
	s.n++
	f.Job, f.At = "j", noon.Add(time.Duration(s.n)*time.Second)
	if f.Attempt == 0 && f.Kind != job.Created && f.Kind != job.Wanted {
		f.Attempt = max(1, len(s.job.Attempts))
	}
	next, err := s.job.Apply(f)
	if err != nil {
		s.Fatalf("%s: %v", f.Kind, err)
	}
	s.job = next
}

func (s *story) assign() {
	s.tell(job.Fact{Kind: job.Assigned, PromptID: "w" + string(rune('0'+len(s.job.Attempts))), Deployment: "h200"})
}

func (s *story) file(kind job.Kind, node, name string) {
	o := job.Output{ID: job.OutputID(node + name), Node: node, Source: job.Path("qm/w/" + node + "/" + name), Evidence: job.ByPrefix}
	if kind == job.Stored {
		o.Dest, o.Text = name, s.text
	}
	s.tell(job.Fact{Kind: kind, Output: &o, Evidence: job.ByPrefix})
}

func names(frames []Frame) string {
	var all []string
	for _, f := range frames {
		all = append(all, f.Type)
	}
	return strings.Join(all, " ")
}

// Each step tells what is new, and a step that tells nothing new is silent.
func TestFollowStepByStep(t *testing.T) {
	s := begin(t, job.Expected{Node: "9", Class: "SaveImage", Count: 2}, job.Expected{Node: "12", Class: "SaveVideo"})
	var told Told
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{s.assign, ""},
		{func() { s.tell(job.Fact{Kind: job.Acknowledged}) }, ""},
		{func() { s.tell(job.Fact{Kind: job.Started, Evidence: job.ByPlatform}) }, "execution_start execution_cached"},
		{func() { s.file(job.Seen, "9", "a_1.png") }, "executing progress_state"},
		{func() { s.file(job.Stored, "9", "a_1.png") }, "progress progress_state"},
		{func() { s.file(job.Stored, "12", "v.mp4") }, "executing progress_state"},
		{func() { s.file(job.Stored, "9", "a_2.png") }, "progress progress_state executed"},
		{func() { s.tell(job.Fact{Kind: job.Finished, Evidence: job.ByHistory}) }, ""},
		{func() { s.tell(job.Fact{Kind: job.Completed}) }, "executed execution_success status executing"},
		{func() { s.file(job.Stored, "9", "late.png") }, "progress progress_state executed"},
	} {
		step.do()
		var frames []Frame
		frames, told = Follow(api.View{}, s.job, told)
		if names(frames) != step.want {
			t.Errorf("%s: told %q, want %q", s.job.State(), names(frames), step.want)
		}
		if again, _ := Follow(api.View{}, s.job, told); len(again) != 0 {
			t.Errorf("%s: told twice: %s", s.job.State(), names(again))
		}
	}
	all, _ := Follow(api.View{}, s.job, Told{})
	if want := "execution_start execution_cached progress progress_state executed executed execution_success status executing"; names(all) != want {
		t.Errorf("who missed everything is told %q", names(all))
	}
	video := all[slices.IndexFunc(all, func(f Frame) bool { return f.Type == "executed" && f.Data.(fields)["node"] == "12" })]
	if b, _ := json.Marshal(video.Data); !strings.Contains(string(b), `"animated":[true],"images":[{"filename":"v.mp4","subfolder":"","type":"output"}]`) {
		t.Errorf("a video: %s", b)
	}
}

// Another attempt begins anew; a prompt taken from the queue just leaves it.
func TestFollowAttempts(t *testing.T) {
	s := begin(t, job.Expected{Node: "9", Class: "SaveImage", Count: 1})
	s.assign()
	s.tell(job.Fact{Kind: job.Started, Evidence: job.ByPlatform})
	s.tell(job.Fact{Kind: job.Broke, Error: &job.Error{Code: "x", Message: "died", Transient: true}, Evidence: job.ByPlatform})
	if !MayReturn(s.job) {
		t.Error("a transient failure is taken for the end")
	}
	first, told := Follow(api.View{}, s.job, Told{})
	s.tell(job.Fact{Kind: job.Renewed, Attempt: 2})
	s.assign()
	s.tell(job.Fact{Kind: job.Started, Evidence: job.ByPlatform})
	second, _ := Follow(api.View{}, s.job, told)
	if names(first) != "execution_start execution_cached execution_error status executing" || names(second) != "execution_start execution_cached" {
		t.Errorf("%q, then %q", names(first), names(second))
	}
	s = begin(t)
	s.tell(job.Fact{Kind: job.Wanted, Want: job.WantCancel})
	s.tell(job.Fact{Kind: job.Withdrawn})
	if frames, _ := Follow(api.View{}, s.job, Told{}); len(frames) != 0 || Visible(s.job) {
		t.Errorf("cancelled in the queue: %s", names(frames))
	}
}

// A start that is learned of after a cancel was told starts nothing on the
// page; and a job that another overtook still gets a higher number at its end.
func TestFollowStartAfterTheEnd(t *testing.T) {
	s := begin(t)
	s.assign()
	waiting := Number(s.job)
	s.tell(job.Fact{Kind: job.Withdrawn})
	_, told := Follow(api.View{}, s.job, Told{})
	s.tell(job.Fact{Kind: job.Started, Evidence: job.ByPrefix})
	if late, _ := Follow(api.View{}, s.job, told); len(late) != 0 {
		t.Errorf("after the end: %s", names(late))
	}
	if ended := Number(s.job); ended <= waiting {
		t.Errorf("number %v at the end, %v while waiting", ended, waiting)
	}
}

func TestNotification(t *testing.T) {
	s := begin(t)
	in := Notification(s.job, job.Standing{Phase: "waiting in line, 2 ahead"})
	s.assign()
	cold := Notification(s.job, job.Standing{Phase: "waiting for a GPU, 3s"})
	if in.Data.(fields)["value"] != "waiting in line, 2 ahead" || cold.Data.(fields)["value"] != "Waiting for a machine: waiting for a GPU, 3s" || cold.Data.(fields)["id"] != "mine" {
		t.Errorf("%v, %v", in.Data, cold.Data)
	}
}

// Every kind of output is told as a real server told it, recorded from ComfyUI 0.8.0 and
// 0.33.0; the extension's story.test.js reads the same file.
func TestMedia(t *testing.T) {
	raw, err := os.ReadFile("../api/testdata/kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []struct {
		Class  string
		Files  []string
		Text   string
		Output json.RawMessage
	}
	if err := json.Unmarshal(raw, &kinds); err != nil || len(kinds) < 20 {
		t.Fatal(len(kinds), err)
	}
	for _, c := range kinds {
		s := begin(t, job.Expected{Node: "9", Class: c.Class, Count: len(c.Files)})
		s.assign()
		for _, name := range c.Files {
			s.text = c.Text
			s.file(job.Stored, "9", name)
		}
		got, err := json.Marshal(delivered(api.View{}, s.job)[0].output())
		var want, is any
		if err != nil || json.Unmarshal(got, &is) != nil || json.Unmarshal(c.Output, &want) != nil || !reflect.DeepEqual(is, want) {
			t.Errorf("%s: %s, want %s", c.Class, got, c.Output)
		}
	}
}
