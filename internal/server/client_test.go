package server

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// serve runs a server on TCP and on a socket until the test ends, and returns
// a client for each.
func serve(t *testing.T, svc Service, change func(*Options)) (tcp, socket *api.Client) {
	t.Helper()
	o := Options{Service: svc, Version: "test", Listen: "127.0.0.1:0", Socket: filepath.Join(shortDir(t), "s"),
		TrustedProxies: loopback, UserHeader: "X-Remote-User", Admins: []string{"admin"}}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return dial(t, s.Addr().String()), dial(t, o.Socket)
}

func dial(t *testing.T, target string) *api.Client {
	t.Helper()
	c, err := api.Dial(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestClientRoundTrips(t *testing.T) {
	for _, way := range []string{"tcp", "socket"} {
		t.Run(way, func(t *testing.T) {
			svc := newFake()
			tcp, socket := serve(t, svc, nil)
			c := map[string]*api.Client{"tcp": tcp, "socket": socket}[way]
			roundTrips(t, svc, c)
		})
	}
}

func must[T any](v T, err error) func(*testing.T, string) T {
	return func(t *testing.T, what string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

func roundTrips(t *testing.T, svc *fakeService, c *api.Client) {
	ctx := t.Context()
	req := api.SubmitRequest{User: "user001", Workflow: []byte(`{"9": {"class_type": "SaveImage"}}`), Key: "k1", Name: "first",
		Metadata: []byte(`{"a":1}`), Extra: []byte(`{"extra_pnginfo":{}}`)}
	j, repeated, err := c.Submit(ctx, req)
	if err != nil || repeated || j.Status != "pending" || j.Position == nil || *j.Position != 0 || j.Phase == "" || string(j.Metadata) != `{"a":1}` {
		t.Fatalf("submit: %+v repeated %v: %v", j, repeated, err)
	}
	again, repeated, err := c.Submit(ctx, req)
	if err != nil || !repeated || again.ID != j.ID {
		t.Fatalf("submit again: %s repeated %v: %v", again.ID, repeated, err)
	}
	if got := must(c.Job(ctx, j.ID))(t, "job"); got.Name != "first" || !got.Created.Equal(epoch) {
		t.Errorf("job: %+v", got)
	}
	other, _, _ := c.Submit(ctx, api.SubmitRequest{User: "user002", Workflow: []byte(`{}`)})
	page := must(c.Jobs(ctx, api.Query{Limit: 1}))(t, "jobs")
	if page.Total != 2 || page.Next == "" || len(page.Items) != 1 || page.Items[0].ID != other.ID {
		t.Errorf("jobs: %+v", page)
	}
	mine := must(c.Jobs(ctx, api.Query{Filter: api.Filter{User: "user001", Status: []string{"pending"}, Match: "SAVEIMAGE", Since: epoch}}))(t, "jobs of user001")
	if mine.Total != 1 || mine.Items[0].ID != j.ID {
		t.Errorf("jobs of user001: %+v", mine)
	}
	high := job.High
	if got := must(c.SetPriority(ctx, j.ID, high))(t, "priority"); got.Priority != high {
		t.Errorf("priority: %d", got.Priority)
	}
	w := must(c.Workflow(ctx, j.ID))(t, "workflow")
	if string(w.Workflow) != `{"9":{"class_type":"SaveImage"}}` || len(w.Extra) == 0 {
		t.Errorf("workflow: %s %s", w.Workflow, w.Extra)
	}
	roundTripActions(t, c, j, other)
	roundTripFiles(t, svc, c, j)
	roundTripRest(t, c)
}

func roundTripActions(t *testing.T, c *api.Client, j, other api.Job) {
	ctx := t.Context()
	dry := must(c.Act(ctx, api.ActionRequest{Action: job.DoCancel, Filter: &api.Filter{User: "user002"}, DryRun: true}))(t, "dry run")
	if dry.Matched != 1 || dry.Done != 1 || dry.Results[0].Job.State != job.Queued {
		t.Errorf("dry run: %+v", dry)
	}
	if got := must(c.Cancel(ctx, other.ID))(t, "cancel"); got.State != job.Cancelled || got.Status != "cancelled" {
		t.Errorf("cancel: %+v", got)
	}
	var e *job.Error
	if err := c.Delete(ctx, other.ID); !errors.As(err, &e) || e.Class != job.Conflict || e.Code != "too_late" {
		t.Errorf("cancel twice: %v", err)
	}
	if got := must(c.Retry(ctx, other.ID))(t, "retry"); got.State != job.Queued || len(got.Attempts) != 2 {
		t.Errorf("retry: %+v", got)
	}
	if err := c.Delete(ctx, other.ID); err != nil {
		t.Errorf("delete: %v", err)
	}
	facts := must(c.Facts(ctx, j.ID))(t, "facts")
	if len(facts) != 2 || facts[0].Kind != job.Created || facts[1].Text != "priority is now 1" {
		t.Errorf("facts: %+v", facts)
	}
}

func roundTripFiles(t *testing.T, svc *fakeService, c *api.Client, j api.Job) {
	ctx := t.Context()
	data := somePicture(t, 600, 300)
	o := svc.deliver(t, j.ID, "tests/ComfyUI_00001_.png", data)
	got := must(c.Job(ctx, j.ID))(t, "job")
	if got.Result == nil || got.Result.Images[0] != (api.ResultFile{Filename: "ComfyUI_00001_.png", Subfolder: "tests", Type: "output"}) || got.Worker == nil {
		t.Errorf("result: %+v", got.Result)
	}
	d := must(c.OpenOutput(ctx, o.ID, 0))(t, "open output")
	b, err := io.ReadAll(d)
	d.Close()
	if err != nil || !bytes.Equal(b, data) || d.Name != "ComfyUI_00001_.png" || d.Size != int64(len(data)) || d.Type != "image/png" || d.Checksum == "" {
		t.Errorf("output: %d bytes, %+v: %v", len(b), d, err)
	}
	rest := must(c.OpenOutput(ctx, o.ID, 10))(t, "open at 10")
	b, _ = io.ReadAll(rest)
	rest.Close()
	if !bytes.Equal(b, data[10:]) {
		t.Errorf("range: %d bytes", len(b))
	}
	small := must(c.Preview(ctx, o.ID, 100))(t, "preview")
	cfg, err := png.DecodeConfig(bytes.NewReader(small))
	if err != nil || cfg.Width != 100 || cfg.Height != 50 {
		t.Errorf("preview: %+v: %v", cfg, err)
	}
	page := must(c.UserOutputs(ctx, "user001", api.OutputQuery{State: "stored"}))(t, "user outputs")
	if len(page.Items) != 1 || page.Items[0].Job != j.ID || page.Items[0].Path != "tests/ComfyUI_00001_.png" {
		t.Errorf("user outputs: %+v", page)
	}
}

func roundTripRest(t *testing.T, c *api.Client) {
	ctx := t.Context()
	st := must(c.QueueStatus(ctx))(t, "status")
	if st.Completed != 1 || st.Cancelled != 1 || st.Depth != 0 || st.Mode != job.ModeRunning || st.Counts["done"] != 1 {
		t.Errorf("status: %+v", st)
	}
	for _, m := range []job.Mode{job.ModePaused, job.ModeDraining} {
		if got := must(c.SetMode(ctx, m))(t, "mode"); got.Mode != m {
			t.Errorf("mode: %s", got.Mode)
		}
	}
	ready := must(c.Ready(ctx))(t, "ready")
	if ready.Ready || ready.Reasons[0].Code != "draining" {
		t.Errorf("ready: %+v", ready)
	}
	must(c.SetMode(ctx, job.ModeRunning))(t, "resume")
	if ready := must(c.Ready(ctx))(t, "ready"); !ready.Ready {
		t.Errorf("ready: %+v", ready)
	}
	h := must(c.Health(ctx))(t, "health")
	if h.Status != "healthy" || h.Version != "test" || h.ActiveGPU != "h200" || h.Endpoint != "https://gpu.example/h200" {
		t.Errorf("health: %+v", h)
	}
	if u := must(c.Users(ctx))(t, "users"); len(u) != 2 {
		t.Errorf("users: %+v", u)
	}
	if d := must(c.Spend(ctx, 2))(t, "spend"); len(d) != 2 || d[0].Deployments[0].Amount != 0.97 || d[0].Users[0].User != "user001" {
		t.Errorf("spend: %+v", d)
	}
	if _, err := c.Spend(ctx, 99); job.AsError(err).Class != job.Invalid {
		t.Errorf("99 days: %v", err)
	}
	if s := must(c.LiftBudget(ctx))(t, "lift"); s.Mode != job.ModeRunning {
		t.Errorf("lift: %+v", s)
	}
	orphans := must(c.Orphans(ctx, "open"))(t, "orphans")
	if len(orphans) != 1 || orphans[0].Path != "stray/a\nb.png" {
		t.Fatalf("orphans: %+v", orphans)
	}
	if o := must(c.AssignOrphan(ctx, orphans[0].ID, "user002"))(t, "assign"); o.User != "user002" || o.By == "" {
		t.Errorf("assign: %+v", o)
	}
	if o := must(c.UnassignOrphan(ctx, orphans[0].ID))(t, "unassign"); o.State != job.OrphanOpen || o.User != "" {
		t.Errorf("unassign: %+v", o)
	}
	if b := must(c.OrphanPreview(ctx, orphans[0].ID, 20))(t, "orphan's preview"); !bytes.HasPrefix(b, []byte("\x89PNG")) {
		t.Errorf("the preview of an orphan: %d bytes", len(b))
	}
	if o := must(c.DiscardOrphan(ctx, orphans[0].ID, "a test"))(t, "discard"); o.State != job.OrphanDiscarded || o.Reason != "a test" {
		t.Errorf("discard: %+v", o)
	}
	if w := must(c.Workers(ctx))(t, "workers"); len(w) != 1 || w[0].URL != "https://gpu.example/h200" {
		t.Errorf("workers: %+v", w)
	}
	for _, do := range []func(context.Context, string) (api.Worker, error){c.ActivateWorker, c.WarmWorker, c.CheckWorker} {
		if w := must(do(ctx, "h200"))(t, "worker"); w.Name != "h200" {
			t.Errorf("worker: %+v", w)
		}
	}
	if err := c.ConsoleLog(ctx, map[string]string{"message": "boom"}); err != nil {
		t.Errorf("console log: %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, target := range []string{l.Addr().String(), filepath.Join(shortDir(t), "none")} {
		_, err := dial(t, target).QueueStatus(t.Context())
		if !errors.Is(err, api.ErrNoDaemon) {
			t.Errorf("%s: %v", target, err)
		}
	}
}
