package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// halfThenLater saves a video, and a picture of a node that takes its time.
const halfThenLater = `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":16,"color":8421504}},
"2":{"class_type":"CreateVideo","inputs":{"images":["1",0],"fps":24.0}},
"3":{"class_type":"SaveVideo","inputs":{"video":["2",0],"filename_prefix":"user001_001_video","format":"auto","codec":"auto"}},
"4":{"class_type":"ImageInvert","inputs":{"image":["1",0]}},
"5":{"class_type":"SaveAnimatedPNG","inputs":{"images":["4",0],"filename_prefix":"user001_001_later","fps":6.0,"compress_level":4}}}`

// Field case 8: directory watching matched with a settle time of 2 s: half
// MP4s came, later nodes were missed. Here a pause of the writer is four times
// the settle time and the later node ten times, and both are waited for.
func TestField08HalfFilesAndLaterNodes(t *testing.T) {
	t.Parallel()
	const pause = 500 * time.Millisecond // the simulator's 2 ms at this speed
	s := openSite(t, func(p *plan) {
		p.workers.Speed = 0.004
		p.workers.Render = simulator.Span{Min: 20 * time.Millisecond, Max: 20 * time.Millisecond}
		p.config.Share.Poll = config.Duration(20 * time.Millisecond)
		p.config.Queue.Settle = config.Duration(pause / 4)
	})
	j := s.submit("user001", []byte(halfThenLater))
	early := s.await(j.ID, "partly delivered", func(j api.Job) bool { return len(stored(j)) > 0 })
	if video := stored(early)[0]; video.Node != "3" || early.State != job.Running {
		t.Errorf("while %s the output of node %s is delivered, want the video while running", early.State, video.Node)
	}
	j = s.awaitEnd(j.ID, job.Done)
	for _, o := range stored(j) {
		if took := o.WholeAt.Sub(o.SeenAt.Time); took < pause {
			t.Errorf("%s was whole %s after it was seen: it never was seen half, so this shows nothing", o.Filename, took)
		}
	}
	if len(stored(j)) != 2 || len(j.Warnings) > 0 {
		t.Errorf("outputs %+v, warnings %+v", j.Outputs, j.Warnings)
	}
	s.judge()
}

func stored(j api.Job) []api.Output {
	return slices.DeleteFunc(slices.Clone(j.Outputs), func(o api.Output) bool { return o.State != job.OutputStored })
}

// allSaveNodes has a node of every kind that saves, from a mesh to a model,
// and a preview beside them.
const allSaveNodes = `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":3,"color":8421504}},
"2":{"class_type":"CLIPTextEncode","inputs":{"text":"all","clip":["4",1]}},
"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sd_xl_base_1.0.safetensors"}},
"5":{"class_type":"EmptyLatentImage","inputs":{"width":64,"height":64,"batch_size":1}},
"3":{"class_type":"KSampler","inputs":{"model":["4",0],"seed":7,"steps":20,"cfg":8.0,"sampler_name":"euler","scheduler":"normal","positive":["2",0],"negative":["2",0],"latent_image":["5",0],"denoise":1.0}},
"6":{"class_type":"CreateVideo","inputs":{"images":["1",0],"fps":24.0}},
"7":{"class_type":"EmptyAudio","inputs":{"duration":0.5,"sample_rate":44100,"channels":2}},
"20":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"user001_001_picture"}},
"21":{"class_type":"SaveAnimatedPNG","inputs":{"images":["1",0],"filename_prefix":"user001_001_moving","fps":6.0,"compress_level":4}},
"22":{"class_type":"SaveAnimatedWEBP","inputs":{"images":["1",0],"filename_prefix":"user001_001_webp","fps":6.0,"lossless":true,"quality":80,"method":"default"}},
"23":{"class_type":"SaveVideo","inputs":{"video":["6",0],"filename_prefix":"user001_001_video","format":"auto","codec":"auto"}},
"24":{"class_type":"SaveWEBM","inputs":{"images":["1",0],"filename_prefix":"user001_001_webm","codec":"vp9","fps":24.0,"crf":32.0}},
"25":{"class_type":"SaveAudio","inputs":{"audio":["7",0],"filename_prefix":"user001_001_flac"}},
"26":{"class_type":"SaveAudioMP3","inputs":{"audio":["7",0],"filename_prefix":"user001_001_mp3","quality":"V0"}},
"27":{"class_type":"SaveAudioOpus","inputs":{"audio":["7",0],"filename_prefix":"user001_001_opus","quality":"64k"}},
"28":{"class_type":"SaveLatent","inputs":{"samples":["3",0],"filename_prefix":"user001_001_latent"}},
"30":{"class_type":"QMSVG","inputs":{"text":"hello"}},
"29":{"class_type":"SaveSVGNode","inputs":{"svg":["30",0],"filename_prefix":"user001_001_svg"}},
"32":{"class_type":"QMMesh","inputs":{"k":0}},
"31":{"class_type":"SaveGLB","inputs":{"mesh":["32",0],"filename_prefix":"user001_001_mesh"}},
"33":{"class_type":"ModelSave","inputs":{"model":["4",0],"filename_prefix":"user001_001_model"}},
"34":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}}`

// Field case 9: a list of five known save nodes missed audio, WebM and GLB,
// and workflows with only previews waited the full time-out.
func TestField09AllSaveNodes(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	s := openSite(t, func(p *plan) {
		p.front = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests.Add(1); next.ServeHTTP(w, r) })
		}
	})
	preview, err := fs.ReadFile(assets.Prompts, "prompts/preview-only.json")
	check(t, err)
	_, _, err = s.client.Submit(t.Context(), api.SubmitRequest{User: "user001", Workflow: preview})
	if e := refusedAs(t, err, "previews_only"); e.Class != job.Invalid || requests.Load() > 0 {
		t.Errorf("class %s after %d requests to the deployment, want a refusal before anything is sent", e.Class, requests.Load())
	}
	j := s.submit("user001", []byte(allSaveNodes))
	j = s.awaitEnd(j.ID, job.Done)
	if len(j.Warnings) > 0 {
		t.Errorf("warnings %+v", j.Warnings)
	}
	s.wantDelivered("user001", "user001_001_picture_00001_.png", "user001_001_picture_00002_.png", "user001_001_picture_00003_.png",
		"user001_001_moving_00001_.png", "user001_001_webp_00001_.webp", "user001_001_video_00001_.mp4", "user001_001_webm_00001_.webm",
		"user001_001_flac_00001_.flac", "user001_001_mp3_00001_.mp3", "user001_001_opus_00001_.opus", "user001_001_latent_00001_.latent",
		"user001_001_svg_00001_.svg", "user001_001_mesh_00001_.glb", "user001_001_model_00001_.safetensors")
	s.judge()
}

// Field case 14: images uploaded by a user never reached the workers. Where
// nothing is carried, a missing one is said at once, with the node that wants
// it, and what an admin sets.
func TestField14MissingInputNamesItsNode(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) { p.config.Users.Inputs = "" })
	j := s.submit("user001", []byte(`{"10":{"class_type":"LoadImage","inputs":{"image":"only_on_my_machine.png"}},
		"9":{"class_type":"SaveImage","inputs":{"images":["10",0],"filename_prefix":"a"}}}`))
	j = s.awaitEnd(j.ID, job.Failed)
	e := refusedAs(t, j.ErrorDetail.Err(), "worker_refused")
	if e.Node != "10" || e.NodeType != "LoadImage" || !strings.Contains(e.Message, "only_on_my_machine.png") {
		t.Errorf("error %+v", e)
	}
	if !strings.Contains(e.Hint, "share.inputs and users.inputs") {
		t.Errorf("next step %q", e.Hint)
	}
	if why := string(e.NodeErrors); !strings.Contains(why, `"10"`) || !strings.Contains(why, "LoadImage") || !strings.Contains(why, "only_on_my_machine.png") {
		t.Errorf("node errors %s", why)
	}
	s.eventually("the fleet rests", s.fleet.Idle)
	for _, w := range s.fleet.Manifest() {
		if !w.Marker {
			t.Errorf("%s was rendered although nothing can be", w.Path)
		}
	}
	if len(j.Attempts) != 1 {
		t.Errorf("%d attempts at what cannot work", len(j.Attempts))
	}
}

// Field case 15: execution errors leave no file, so that nothing was known
// until the time-out. A random balancer lets some look into history find it.
func TestField15ExecutionErrorWithoutFile(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) { p.workers.Faults.ExecutionError = 1 })
	j := s.submit("user001", []byte(failing))
	j = s.awaitEnd(j.ID, job.Failed)
	wantNodeError(t, j)
	if len(j.Attempts) != 1 || j.Evidence != job.ByHistory {
		t.Errorf("%d attempts, evidence %s", len(j.Attempts), j.Evidence)
	}
	s.wantDelivered("user001")
}

// failing has its heaviest node, where the simulator raises, at 5.
const failing = `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":1,"color":0}},
"5":{"class_type":"ImageInvert","inputs":{"image":["1",0]}},
"9":{"class_type":"SaveImage","inputs":{"images":["5",0],"filename_prefix":"user001_001_failing"}}}`

func wantNodeError(t *testing.T, j api.Job) {
	t.Helper()
	e := refusedAs(t, j.ErrorDetail.Err(), "out_of_memory")
	if e.Node != "5" || e.NodeType != "ImageInvert" || !strings.Contains(e.Message, "OutOfMemoryError") || len(e.Traceback) == 0 {
		t.Errorf("error %+v", e)
	}
	if j.Error == nil || !strings.HasPrefix(*j.Error, "node 5: ") {
		t.Errorf("in one sentence: %v", j.Error)
	}
}

// Field case 16: prefix handling dropped the user's file name and folder.
func TestField16PrefixKept(t *testing.T) {
	t.Parallel()
	s := openSite(t, nil)
	var jobs []api.Job
	for _, prefix := range []string{"film/scene 1/take", "film/scene 1/take", "Übung/図", "plain", "size_%width%x%height%"} {
		jobs = append(jobs, s.submit("user001", saving(prefix)))
	}
	jobs = append(jobs, s.submit("user001", []byte(`{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":1,"color":0}},
		"7":{"class_type":"StringConcatenate","inputs":{"string_a":"linked/","string_b":"name","delimiter":""}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":["7",0]}}}`)))
	for i, j := range jobs {
		jobs[i] = s.awaitEnd(j.ID, job.Done)
	}
	s.wantDelivered("user001", "film/scene 1/take_00001_.png", "film/scene 1/take_00002_.png", "Übung/図_00001_.png", "plain_00001_.png",
		"size_64x48_00001_.png", "linked/name_00001_.png")
	if o := jobs[2].Outputs[0]; o.Filename != "図_00001_.png" || o.Subfolder != "Übung" {
		t.Errorf("the page asks for %q in %q", o.Filename, o.Subfolder)
	}
}

// A prefix that a node computes cannot lead into the folder of another attempt,
// whose files belong to another user.
func TestComputedPrefixStaysInItsFolder(t *testing.T) {
	t.Parallel()
	s := openSite(t, nil)
	victim := s.awaitEnd(s.submit("user002", saving("mine")).ID, job.Done)
	j := s.submit("user001", fmt.Appendf(nil, `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":1,"color":0}},
		"7":{"class_type":"StringConcatenate","inputs":{"string_a":"../../%s/9/","string_b":"planted","delimiter":""}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":["7",0]}}}`, victim.PromptID))
	s.awaitEnd(j.ID, job.Done)
	s.wantDelivered("user001", "_/_/"+victim.PromptID+"/9/planted_00001_.png")
	s.wantDelivered("user002", "mine_00001_.png")
}

// A balancer that never lets history reach the right replica, and one that
// always does: both end right, the second sooner where a run breaks, and then
// with the node and its message.
func TestBalancerNeverAndAlways(t *testing.T) {
	t.Parallel()
	for _, balance := range []simulator.Balance{simulator.Never, simulator.Sticky} {
		t.Run(string(balance)+" good", func(t *testing.T) { t.Parallel(); deliverBehind(t, balance) })
	}
	t.Run("never broken", func(t *testing.T) { t.Parallel(); breakUnseen(t) })
	t.Run("sticky broken", func(t *testing.T) { t.Parallel(); breakSeen(t) })
}

func deliverBehind(t *testing.T, balance simulator.Balance) {
	s := openSite(t, func(p *plan) { p.workers.Balance = balance })
	var jobs []api.Job
	for n := range 4 {
		jobs = append(jobs, s.submit("user001", savingBatch(demo.Prefix("user001", n, "take"), 1+n)))
	}
	for _, j := range jobs {
		s.awaitEnd(j.ID, job.Done)
	}
	s.judge()
}

// breakUnseen breaks a job where no history tells of it: the deadline does.
func breakUnseen(t *testing.T) {
	const bound = 5 * time.Second
	s := openSite(t, func(p *plan) {
		p.workers.Balance, p.workers.Faults.ExecutionError = simulator.Never, 1
		p.config.Queue.RunTimeout = config.Duration(bound)
	})
	j := s.awaitEnd(s.submit("user001", []byte(failing)).ID, job.Lost)
	refusedAs(t, j.ErrorDetail.Err(), "run_timeout")
	if took := j.Completed.Sub(j.Created.Time); took < bound {
		t.Errorf("given up after %s", took)
	}
}

// breakSeen breaks one where a history tells of it: long before the deadline.
func breakSeen(t *testing.T) {
	s := openSite(t, func(p *plan) {
		p.workers.Balance, p.workers.Faults.ExecutionError = simulator.Sticky, 1
		p.config.Queue.RunTimeout, p.config.Queue.EvidenceTimeout = config.Duration(time.Hour), config.Duration(time.Hour)
	})
	wantNodeError(t, s.awaitEnd(s.submit("user001", []byte(failing)).ID, job.Failed))
}
