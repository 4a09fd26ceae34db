package ui

import (
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func ago(d time.Duration) api.Time { return api.Time{Time: epoch.Add(-d)} }

func jobID(n int) job.ID { return job.ID(fmt.Sprintf("01a20000-0000-7000-8000-%012d", n)) }

// makeJob is job n of a user in a state, as the contract shows it.
func makeJob(n int, user, name string, st job.State, old time.Duration) api.Job {
	j := api.Job{ID: jobID(n), User: user, Name: name, State: st, Status: st.Status(), Priority: job.Normal, Created: ago(old), Updated: ago(0),
		Phase: st.String(), Attempts: []api.Attempt{{N: 1, State: st, Assigned: ago(old / 2)}},
		Expected: []api.Expected{{Node: "9", Class: "SaveImage", Prefix: "ComfyUI"}}}
	if st != job.Queued {
		j.Deployment, j.Evidence, j.EvidenceAt = "h200-spot", job.ByPlatform, ago(12*time.Second)
		j.Attempts[0].Deployment = j.Deployment
	}
	switch {
	case st == job.Running:
		j.Started, j.Evidence, j.Phase = ago(old/2), job.ByPrefix, "rendering, "+age(old/2)+" of about 1m"
	case st == job.Queued:
		at, wait := n, float64(40*n)
		j.Position, j.Wait, j.Phase = &at, &wait, fmt.Sprintf("waiting in line, %d ahead", n)
	case st.Terminal():
		j.Started, j.Completed = ago(old/2), ago(old/4)
	}
	if st == job.Done {
		j.Phase = "done, 1 file"
		j.Outputs = []api.Output{{ID: job.OutputID(fmt.Sprintf("out%d", n)), Node: "9", Filename: "ComfyUI_00001_.png", State: job.OutputStored, Size: 1843200,
			Checksum: "xxh64:0011223344556677", Evidence: job.ByPrefix, SeenAt: ago(old / 3), StoredAt: ago(old / 4), Attempt: 1,
			Path: "film/ComfyUI_00001_.png", Source: "qm/p1/9/ComfyUI_00001_.png"}}
	}
	if st == job.Failed {
		text := "node 4: CUDA out of memory; use a smaller batch"
		j.Error, j.Phase = &text, "failed: CUDA out of memory"
		j.ErrorDetail = &api.Error{Code: "execution_error", Message: "CUDA out of memory", Hint: "use a smaller batch", Node: "4", NodeType: "KSampler",
			Traceback: []string{"Traceback (most recent call last):", "  File \"execution.py\", line 496, in execute", "torch.OutOfMemoryError: CUDA out of memory"}}
	}
	return j
}

// outOfBudget is a site where nothing more may be spent today, and whose share
// is not what it was.
func outOfBudget(f *fakeManager) {
	f.status.Mode = job.ModePaused
	f.status.Share.Error = &job.Error{Code: "share_changed", Message: "/mnt/sfs/outputs is ext4, and it was nfs from files:/sfs: its files may be others", Hint: `if that is right, run "qmtui queue accept-share"`}
	f.status.Warnings = []job.Warning{{Code: "budget_reached", At: ago(20 * time.Minute).Time, Message: "9.60 of the cap of 10.00 of h200-spot is spent today: no job is sent to h200-spot",
		Hint: `they wait until midnight and what is in flight goes on; to spend more today: "qmtui queue resume --over-budget"`}}
}

// fixture is a site in the middle of a lesson.
func fixture() *fakeManager {
	lost := "nobody has seen the job for 30m; retry it"
	f := &fakeManager{status: api.QueueStatus{Mode: job.ModeRunning, Depth: 7, InFlight: 2, Capacity: 2, Active: "h200-spot", MaxDepth: 1000, Orphans: 2,
		Scheduling: "fair", Share: job.ShareStatus{Path: "/mnt/sfs/outputs", Mounted: true, LookedAt: epoch}}}
	f.jobs = []api.Job{
		makeJob(1, "ada", "forest at dawn", job.Running, 80*time.Second),
		makeJob(2, "grace", "logo study", job.Accepted, 50*time.Second),
		makeJob(3, "ada", "forest at dusk", job.Queued, 45*time.Second),
		makeJob(4, "linus", "", job.Queued, 40*time.Second),
		makeJob(5, "grace", "logo study, red", job.Queued, 30*time.Second),
		makeJob(6, "ada", "forest, night", job.Queued, 20*time.Second),
		makeJob(7, "edsger", "upscale 4x", job.Submitting, 15*time.Second),
		makeJob(8, "ada", "portrait", job.Done, 10*time.Minute),
		makeJob(9, "grace", "batch of four", job.Done, 22*time.Minute),
		makeJob(10, "linus", "huge batch", job.Failed, 30*time.Minute),
		makeJob(11, "edsger", "never came", job.Lost, 50*time.Minute),
		makeJob(12, "ada", "typo", job.Cancelled, 55*time.Minute),
	}
	f.jobs[10].Error = &lost
	f.jobs[7].Inputs = []api.Input{{Node: "10", Class: "LoadImage", Input: "image", Name: "sketches/face\x1b[2J.png", Size: 640 << 10},
		{Node: "11", Class: "LoadImageMask", Input: "image", Name: "face-mask.png", Size: 12 << 10}}
	f.jobs[4].Priority = job.High
	f.jobs[1].Warnings = []job.Warning{{Code: "nodes_dropped", Message: "node 12 will never write", Hint: "look at its inputs", At: epoch.Add(-40 * time.Second)}}
	f.workers = []api.Worker{
		{Name: "h200-spot", Driver: "comfyui", URL: "https://gpu.example/h200-spot", Capacity: 2, InFlight: 2, PricePerHour: 0.97, ScaleToZero: true, Active: true,
			State: job.WarmthWarm, Because: "it answered a prompt", Evidence: job.ByPlatform, Since: epoch.Add(-9 * time.Minute), At: epoch.Add(-12 * time.Second),
			Today: job.Spent{Billed: 4200, Amount: 1.13, Evidence: job.ByPlatform}, Rules: "held workshop 09:45-17:00; at most 20.00 a day; hands over to h200-on-demand",
			Held: &job.Held{Since: ago(15 * time.Minute).Time},
			Cold: job.Timing{Count: 5, P50: 301, P90: 420, Last: 288, Recent: []float64{280, 420, 310, 301, 288}},
			Warm: job.Timing{Count: 40, P50: 42, P90: 71, Last: 38, Recent: []float64{40, 42, 71, 38, 45, 41, 39, 60, 38}},
			System: &job.System{Version: "0.8.0", Python: "3.12.3 (main)", OutputDirectory: "/mnt/sfs/outputs",
				Devices: []job.Device{{Name: "cuda:0 NVIDIA H200", VRAMTotal: 150 << 30, VRAMFree: 31 << 30}}}, SystemAt: epoch.Add(-2 * time.Minute)},
		{Name: "b300-spot", Driver: "comfyui", URL: "https://gpu.example/b300-spot", Capacity: 1, PricePerHour: 1.61, ScaleToZero: true,
			State: job.WarmthFailing, Because: "503 for 4m", Since: epoch.Add(-4 * time.Minute), At: epoch.Add(-30 * time.Second), Evidence: job.ByPlatform,
			Error: &job.Error{Code: "no_capacity", Message: "the platform has no machine of that kind", Hint: "make another deployment active"}},
	}
	f.users = []api.User{
		{User: "ada", Queued: 2, Running: 1, Done: 14, Failed: 1, GPUSeconds: 620, Charge: 310, Outputs: 31, Bytes: 73 << 20, Newest: epoch.Add(-150 * time.Second), MaxQueued: 50, MaxRunning: 2},
		{User: "edsger", Running: 1, Done: 3, Failed: 2, GPUSeconds: 120, Charge: 60, Outputs: 3, Bytes: 9 << 20, Newest: epoch.Add(-2 * time.Hour), MaxQueued: 50, MaxRunning: 2},
		{User: "grace", Queued: 1, Running: 1, Done: 9, GPUSeconds: 340, Charge: 150, Outputs: 12, Bytes: 41 << 20, Newest: epoch.Add(-330 * time.Second), MaxQueued: 50, MaxRunning: 2},
		{User: "linus", Queued: 1, Done: 1, Failed: 4, GPUSeconds: 15, Charge: 5, Outputs: 1, Bytes: 1 << 20, Newest: epoch.Add(-26 * time.Hour), MaxQueued: 50, MaxRunning: 2},
	}
	f.outputs = map[string][]api.UserOutput{}
	for _, j := range f.jobs {
		for _, o := range j.Outputs {
			f.outputs[j.User] = append(f.outputs[j.User], api.UserOutput{Output: o, Job: j.ID, JobName: j.Name, User: j.User, Created: j.Created})
		}
	}
	f.orphans = []api.Orphan{
		{Orphan: job.Orphan{ID: "orph1", Path: "stray/ComfyUI_00007_.png", Size: 2 << 20, SeenAt: epoch.Add(-11 * time.Minute), Suggest: []string{"ada", "grace"}, State: job.OrphanOpen}},
		{Orphan: job.Orphan{ID: "orph2", Path: "stray/\x1b[31mred\u202e.png", Size: 1 << 20, SeenAt: epoch.Add(-14 * time.Minute), State: job.OrphanOpen}},
	}
	f.facts = []api.Fact{
		{At: ago(30 * time.Minute), Kind: job.Created, Evidence: job.ByManager, Actor: "linus", Text: "submitted"},
		{At: ago(28 * time.Minute), Kind: job.Assigned, Attempt: 1, Evidence: job.ByManager, Text: "goes to h200-spot"},
		{At: ago(27 * time.Minute), Kind: job.Acknowledged, Attempt: 1, Evidence: job.ByPlatform, Text: "the deployment accepted the prompt"},
		{At: ago(20 * time.Minute), Kind: job.Broke, Attempt: 1, Evidence: job.ByHistory, Text: "a worker reported an error: CUDA out of memory", Error: &api.Error{Code: "execution_error"}},
	}
	f.flow = []byte(`{"3":{"class_type":"KSampler","inputs":{"seed":8566257,"steps":20,"model":["4",0]}},"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"flux1-dev.safetensors"}},` +
		`"6":{"class_type":"CLIPTextEncode","inputs":{"text":"a forest at dawn, fog, 35mm","clip":["4",1]}},"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"ComfyUI","images":["8",0]}}}`)
	f.picture = testPicture(64, 48)
	return f
}
