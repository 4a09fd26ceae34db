package face

import (
	"encoding/json"
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
	job job.Job
	n   int
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
		o.Dest = name
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

// Media keys are those that ComfyUI 0.8.0 reported (transcript 07-metadata).
func TestMedia(t *testing.T) {
	for _, c := range []struct{ class, file, want string }{
		{"SaveImage", "a.png", `{"images":`}, {"SaveAnimatedPNG", "a.png", `{"animated":[true],"images":`}, {"SaveAnimatedWEBP", "a.webp", `{"animated":[true],"images":`},
		{"SaveWEBM", "a.webm", `{"animated":[true],"images":`}, {"SaveVideo", "a.mp4", `{"animated":[true],"images":`}, {"SaveAudio", "a.flac", `{"audio":`},
		{"SaveAudioMP3", "a.mp3", `{"audio":`}, {"SaveAudioOpus", "a.opus", `{"audio":`}, {"SaveLatent", "a.latent", `{"latents":`}, {"SaveSVGNode", "a.svg", `{"images":`},
		{"SaveGLB", "a.glb", `{"3d":`}, {"VHS_VideoCombine", "a.mp4", `{"gifs":`},
	} {
		s := begin(t, job.Expected{Node: "9", Class: c.class, Count: 1})
		s.assign()
		s.file(job.Stored, "9", c.file)
		b, err := json.Marshal(delivered(api.View{}, s.job)[0].output())
		if err != nil || !strings.HasPrefix(string(b), c.want) {
			t.Errorf("%s: %s", c.class, b)
		}
	}
}
