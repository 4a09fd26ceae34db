package share

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// carrying is disks with folders for inputs.
func carrying(t testing.TB) (d *disks, inputs, uploads string) {
	t.Helper()
	d = newDisks(t)
	dir := filepath.Dir(d.outputs)
	inputs, uploads = filepath.Join(dir, "inputs"), filepath.Join(dir, "uploads")
	for _, f := range []string{inputs, uploads} {
		if err := os.Mkdir(f, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.opt.Inputs, d.opt.UserInputs = inputs, uploads
	return d, inputs, uploads
}

// loads is a picture that node 10 loads.
func loads(p string) job.Input {
	return job.Input{Node: "10", Class: "LoadImage", Input: "image", Name: p, Base: "input", Path: p, Noun: "image", Needed: true, Outputs: []string{"9"}}
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// filesIn is every regular file below dir with its content.
func filesIn(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		all[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantTree(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	got := filesIn(t, dir)
	for p, b := range want {
		if got[p] != b {
			t.Errorf("%s holds %q, want %q", p, got[p], b)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %v, want %d files", got, len(want))
	}
}

// TestTakeTwoUsers: two users have a file of one name, and each job gets its own user's bytes.
func TestTakeTwoUsers(t *testing.T) {
	d, inputs, uploads := carrying(t)
	s, want := d.share(), map[string]string{}
	for _, user := range []string{"user001", "user002"} {
		writeFile(t, filepath.Join(uploads, user, "a.png"), []byte("of "+user))
		for range 2 { // the second time it stands there
			got, err := s.Take(t.Context(), user, []job.Input{loads("a.png")})
			if err != nil || len(got) != 1 || got[0].Sum != sha([]byte("of "+user)) || got[0].Size != 10 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		want["qm/"+user+"/"+sha([]byte("of "+user))+"/input/a.png"] = "of " + user
	}
	wantTree(t, inputs, want)
}

// TestTakenBytesAreTheJobs: what the user does to the file afterwards changes nothing.
func TestTakenBytesAreTheJobs(t *testing.T) {
	d, inputs, uploads := carrying(t)
	s, own := d.share(), filepath.Join(uploads, "user001", "a.png")
	writeFile(t, own, []byte("old"))
	got, err := s.Take(t.Context(), "user001", []job.Input{loads("a.png")})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, own, []byte("new"))
	if err := s.Stage(t.Context(), "user001", got[0]); err != nil {
		t.Errorf("it stands there: %v", err)
	}
	staged := "qm/user001/" + sha([]byte("old")) + "/input/a.png"
	wantTree(t, inputs, map[string]string{staged: "old"})
	writeFile(t, filepath.Join(inputs, staged), []byte("damaged"))
	e := job.AsError(s.Stage(t.Context(), "user001", got[0]))
	if e == nil || e.Code != "input_changed" || e.Transient {
		t.Errorf("damaged, and the user's file is another: %v", e)
	}
	writeFile(t, own, []byte("old"))
	if err := s.Stage(t.Context(), "user001", got[0]); err != nil {
		t.Error(err)
	}
	wantTree(t, inputs, map[string]string{staged: "old"})
	if err := errors.Join(os.Remove(own), os.Remove(filepath.Join(inputs, staged))); err != nil {
		t.Fatal(err)
	}
	if c := code(s.Stage(t.Context(), "user001", got[0])); c != "input_missing" {
		t.Errorf("both are gone: %s", c)
	}
}

// TestWhereInputsAreLookedFor: outputs, temporary uploads, folders, and the site's own files.
func TestWhereInputsAreLookedFor(t *testing.T) {
	d, inputs, uploads := carrying(t)
	d.opt.Subfolder = "pages/{user}"
	writeFile(t, filepath.Join(uploads, "user001", "sketches", "a b.png"), []byte("sketch"))
	writeFile(t, filepath.Join(uploads, "user001", "temp", "threed", "t.png"), []byte("temp"))
	writeFile(t, filepath.Join(uploads, "user001", "3d", "m.glb"), []byte("model"))
	writeFile(t, filepath.Join(d.users, "user001", "still_00001_.png"), []byte("still"))
	writeFile(t, filepath.Join(inputs, "logo.png"), []byte("the site's"))
	of := func(base, p, below string) job.Input {
		in := loads(p)
		in.Base, in.Below = base, below
		return in
	}
	spare := loads("gone.png")
	spare.Needed = false
	got, err := d.share().Take(t.Context(), "user001", []job.Input{of("input", "sketches/a b.png", ""), of("temp", "threed/t.png", ""),
		of("input", "3d/m.glb", "3d"), of("output", "still_00001_.png", ""), of("output", "pages/user001/still_00001_.png", ""), loads("logo.png"), spare})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 {
		t.Errorf("taken are %+v", got)
	}
	wantTree(t, inputs, map[string]string{
		"logo.png": "the site's",
		"qm/user001/" + sha([]byte("sketch")) + "/input/sketches/a b.png":               "sketch",
		"qm/user001/" + sha([]byte("temp")) + "/temp/threed/t.png":                      "temp",
		"3d/qm/user001/" + sha([]byte("model")) + "/input/3d/m.glb":                     "model",
		"qm/user001/" + sha([]byte("still")) + "/output/still_00001_.png":               "still",
		"qm/user001/" + sha([]byte("still")) + "/output/pages/user001/still_00001_.png": "still",
	})
}

// TestInputsRefused: what is not a plain file of the user's own is never read.
func TestInputsRefused(t *testing.T) {
	d, inputs, uploads := carrying(t)
	own, other := filepath.Join(uploads, "user001"), filepath.Join(uploads, "user002")
	secret := filepath.Join(t.TempDir(), "secret.png")
	writeFile(t, secret, []byte("secret"))
	writeFile(t, filepath.Join(other, "theirs.png"), []byte("secret"))
	writeFile(t, filepath.Join(own, "real.png"), []byte("real"))
	writeFile(t, filepath.Join(own, "folder.png", "x"), []byte("x"))
	for name, to := range map[string]string{"abs.png": secret, "up.png": "../user002/theirs.png", "dir": "../user002", "loop.png": "loop.png", "inside.png": "real.png"} {
		if err := os.Symlink(to, filepath.Join(own, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(own, "pipe.png"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("user002", filepath.Join(uploads, "user003")); err != nil {
		t.Fatal(err)
	}
	s := d.share()
	for name, want := range map[string]string{"abs.png": "input_refused", "up.png": "input_refused", "dir/theirs.png": "input_refused", "loop.png": "input_refused",
		"pipe.png": "input_refused", "folder.png": "input_refused", "real.png/x": "input_missing", "nope.png": "input_missing", "inside.png": ""} {
		_, err := s.Take(t.Context(), "user001", []job.Input{loads(name)})
		if code(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if want == "" {
			continue
		}
		var nodes map[string]struct{ Errors []struct{ Details string } }
		if e := job.AsError(err); e.Class != job.Invalid || json.Unmarshal(e.NodeErrors, &nodes) != nil || !strings.HasPrefix(nodes["10"].Errors[0].Details, "image - Invalid image file: "+name) {
			t.Errorf("%s: node errors %s", name, e.NodeErrors)
		}
	}
	if _, err := s.Take(t.Context(), "user003", []job.Input{loads("theirs.png")}); err == nil {
		t.Error("a user's folder that is a link to another user's was read")
	}
	if _, err := s.Take(t.Context(), "../x", []job.Input{loads("a.png")}); code(err) != "bad_user" {
		t.Errorf("a user that is a path: %v", err)
	}
	wantTree(t, inputs, map[string]string{"qm/user001/" + sha([]byte("real")) + "/input/inside.png": "real"})
	if err := os.Rename(uploads, uploads+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(t.Context(), "user001", []job.Input{loads("real.png")}); code(err) != "inputs_not_mounted" {
		t.Errorf("the folder of all users is away: %v", err)
	}
}

// stageSteps are the places where a staging can die.
var stageSteps = []string{"inputs", "input source", "input folder", "input stale", "input reserve", "input create", "input bytes", "input sync",
	"input publish", "input folder sync", "input finished"}

// TestFailedStaging fails each step once: the job is taken all the same, nothing
// of a half file stays, and the next try ends with one file.
func TestFailedStaging(t *testing.T) {
	for _, step := range stageSteps {
		d, inputs, uploads := carrying(t)
		writeFile(t, filepath.Join(uploads, "user001", "a.png"), []byte("bytes"))
		s := d.share()
		s.step = func(name string) error {
			if name == step {
				return unix.ENOSPC
			}
			return nil
		}
		got, err := s.Take(t.Context(), "user001", []job.Input{loads("a.png")})
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, %v", step, got, err)
		}
		if err := s.Stage(t.Context(), "user001", got[0]); code(err) != "disk_full" && filesIn(t, inputs)["qm/user001/"+got[0].Sum+"/input/a.png"] == "" {
			t.Errorf("%s: %v", step, err)
		}
		for p := range filesIn(t, inputs) {
			if strings.Contains(p, ".part") {
				t.Errorf("%s left %s", step, p)
			}
		}
		s.step = nil
		if err := s.Stage(t.Context(), "user001", got[0]); err != nil {
			t.Errorf("%s, again: %v", step, err)
		}
		wantTree(t, inputs, map[string]string{"qm/user001/" + got[0].Sum + "/input/a.png": "bytes"})
	}
}

// TestCrashedStaging is no test: it is the process that TestStagingCrash kills.
func TestCrashedStaging(t *testing.T) {
	step := os.Getenv("CRASH_STAGE")
	if step == "" {
		t.Skip("only runs as the victim of TestStagingCrash")
	}
	s, err := New(Options{Outputs: os.Getenv("CRASH_OUTPUTS"), Users: os.Getenv("CRASH_USERS"), Inputs: os.Getenv("CRASH_INPUTS"), UserInputs: os.Getenv("CRASH_UPLOADS")})
	if err != nil {
		t.Fatal(err)
	}
	s.step = func(name string) error {
		if name == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	_, err = s.Take(context.Background(), "user001", []job.Input{loads("a.png")})
	t.Fatalf("survived %s: %v", step, err)
}

// TestStagingCrash kills a staging process at each step and stages again.
func TestStagingCrash(t *testing.T) {
	for _, step := range stageSteps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			d, inputs, uploads := carrying(t)
			b := bytes.Repeat([]byte("bytes"), 100_000)
			writeFile(t, filepath.Join(uploads, "user001", "a.png"), b)
			victim := exec.Command(os.Args[0], "-test.run=^TestCrashedStaging$")
			victim.Env = append(os.Environ(), "CRASH_OUTPUTS="+d.outputs, "CRASH_USERS="+d.users, "CRASH_INPUTS="+inputs, "CRASH_UPLOADS="+uploads, "CRASH_STAGE="+step)
			out, err := victim.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != -1 {
				t.Fatalf("was not killed: %v\n%s", err, out)
			}
			in := loads("a.png")
			in.Sum, in.Size = sha(b), int64(len(b))
			if err := d.share().Stage(t.Context(), "user001", in); err != nil {
				t.Fatal(err)
			}
			wantTree(t, inputs, map[string]string{"qm/user001/" + in.Sum + "/input/a.png": string(b)})
		})
	}
}

// TestStagingAtOnce: many jobs with one file at once end with one file.
func TestStagingAtOnce(t *testing.T) {
	d, inputs, uploads := carrying(t)
	writeFile(t, filepath.Join(uploads, "user001", "a.png"), []byte("bytes"))
	s := d.share()
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := s.Take(t.Context(), "user001", []job.Input{loads("a.png"), loads("a.png")}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantTree(t, inputs, map[string]string{"qm/user001/" + sha([]byte("bytes")) + "/input/a.png": "bytes"})
}

// TestStagingWaits: what stands in the way is told, transient, and heals.
func TestStagingWaits(t *testing.T) {
	d, inputs, uploads := carrying(t)
	writeFile(t, filepath.Join(uploads, "user001", "a.png"), []byte("bytes"))
	in := loads("a.png")
	in.Sum, in.Size = sha([]byte("bytes")), 5
	for _, c := range []struct {
		code         string
		break_, mend func() error
		change       func(*Options)
	}{
		{"inputs_not_mounted", func() error { return os.Rename(inputs, inputs+"-away") }, func() error { return os.Rename(inputs+"-away", inputs) }, nil},
		{"folder_blocked", func() error { return os.WriteFile(filepath.Join(inputs, "qm"), nil, 0o644) }, func() error { return os.Remove(filepath.Join(inputs, "qm")) }, nil},
		{"disk_full", nil, nil, func(o *Options) { o.Reserve = 1 << 60 }},
		{"share_not_mounted", func() error { return os.Rename(d.outputs, d.outputs+"-away") }, func() error { return os.Rename(d.outputs+"-away", d.outputs) }, nil},
	} {
		opt := d.opt
		if c.change != nil {
			c.change(&opt)
		}
		s, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		if c.break_ != nil {
			if err := c.break_(); err != nil {
				t.Fatal(err)
			}
		}
		e := job.AsError(s.Stage(t.Context(), "user001", in))
		if e == nil || e.Code != c.code || !e.Transient {
			t.Errorf("%s: %+v", c.code, e)
		}
		if c.mend != nil {
			if err := c.mend(); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantTree(t, inputs, map[string]string{})
	if err := d.share().Stage(t.Context(), "user001", in); err != nil {
		t.Errorf("healed: %v", err)
	}
}

// TestHungInputs: a share that hangs keeps nobody who submits, and costs no
// more than a bounded number of goroutines.
func TestHungInputs(t *testing.T) {
	d, _, uploads := carrying(t)
	s := d.share()
	reached, hung := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(hung) })
	var once sync.Once
	s.step = func(name string) error {
		if name != "inputs" {
			return nil
		}
		once.Do(func() { close(reached) })
		<-hung
		return unix.EIO // who was left behind writes nothing any more
	}
	writeFile(t, filepath.Join(uploads, "user001", "a.png"), []byte("bytes"))
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-reached
		leave()
	}()
	got, err := s.Take(ctx, "user001", []job.Input{loads("a.png")})
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for s.begin(task{name: "stage an input", limit: stagings}) { // as if all were left behind
	}
	other := got[0]
	other.Path = "other.png"
	if e := job.AsError(s.Stage(t.Context(), "user001", other)); e == nil || e.Code != "share_stalled" || !e.Transient {
		t.Errorf("one more: %v", e)
	}
	s.setStatus(func(st *job.ShareStatus) { st.Stalled = true })
	s.step = func(name string) error {
		if name == "inputs" {
			t.Error("a share that is known to hang was tried")
		}
		return nil
	}
	if _, err := s.Take(t.Context(), "user001", []job.Input{loads("a.png")}); err != nil {
		t.Errorf("taken all the same: %v", err)
	}
}

// TestTidy: only staged files go, when nothing refers to them and they have not been used for long.
func TestTidy(t *testing.T) {
	d, inputs, uploads := carrying(t)
	now := time.Now()
	d.opt.Now = func() time.Time { return now }
	s := d.share()
	name := map[string]string{}
	var live job.Input
	for _, n := range []string{"old.png", "live.png", "again.png"} {
		writeFile(t, filepath.Join(uploads, "user001", n), []byte(n))
		got, err := s.Take(t.Context(), "user001", []job.Input{loads(n)})
		if err != nil {
			t.Fatal(err)
		}
		if name[n] = stagedName("user001", got[0]); n == "live.png" {
			live = got[0]
		}
	}
	foreign := []string{"old.png", "qm/readme.txt", "qm/user001/x.png", "qm/user001/" + live.Sum + "/notes.txt", "3d/m.glb", "3d/qm/x"}
	for _, p := range foreign {
		writeFile(t, filepath.Join(inputs, p), []byte("foreign"))
	}
	left := filepath.Join(filepath.Dir(name["old.png"]), ".qmtui-0123456789abcdef.part")
	writeFile(t, filepath.Join(inputs, left), []byte("half"))
	past := now.Add(-48 * time.Hour)
	for p := range filesIn(t, inputs) {
		if err := os.Chtimes(filepath.Join(inputs, p), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stage(t.Context(), "user001", jobInput(t, s, "again.png")); err != nil { // used again: young
		t.Fatal(err)
	}
	inUse := map[string][]job.Input{"user001": {live}}
	n, err := s.Tidy(t.Context(), now.Add(-24*time.Hour), inUse)
	if err != nil || n != 2 {
		t.Errorf("removed %d, %v", n, err)
	}
	want := map[string]string{name["live.png"]: "live.png", name["again.png"]: "again.png"}
	for _, p := range foreign {
		want[p] = "foreign"
	}
	wantTree(t, inputs, want)
	if n, err := s.Tidy(t.Context(), now.Add(time.Hour), inUse); err != nil || n != 1 {
		t.Errorf("later: removed %d, %v", n, err)
	}
	delete(want, name["again.png"])
	wantTree(t, inputs, want)
	if _, err := os.Stat(filepath.Dir(filepath.Dir(filepath.Join(inputs, name["old.png"])))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of a removed file stays: %v", err)
	}
}

func jobInput(t testing.TB, s *Share, n string) job.Input {
	t.Helper()
	in := loads(n)
	sum, size, err := s.sumOf(t.Context(), &pulse{}, "user001", in)
	if err != nil {
		t.Fatal(err)
	}
	in.Sum, in.Size = sum, size
	return in
}

// TestForgetInputs: what was staged for one user goes, with the folder of that
// name, and nothing else does.
func TestForgetInputs(t *testing.T) {
	d, inputs, uploads := carrying(t)
	s := d.share()
	want := map[string]string{"qm/readme.txt": "foreign"}
	writeFile(t, filepath.Join(inputs, "qm/readme.txt"), []byte("foreign"))
	for _, user := range []string{"user001", "user0012"} {
		for _, n := range []string{"a.png", "b.png"} {
			writeFile(t, filepath.Join(uploads, user, n), []byte(n))
			got, err := s.Take(t.Context(), user, []job.Input{loads(n)})
			if err != nil {
				t.Fatal(err)
			}
			if user == "user0012" {
				want[stagedName(user, got[0])] = n
			}
		}
	}
	for _, c := range []struct {
		dry bool
		n   int
	}{{true, 2}, {false, 2}, {false, 0}, {true, 0}} {
		if n, err := s.ForgetInputs(t.Context(), "user001", c.dry); err != nil || n != c.n {
			t.Errorf("dry run %t: %d files, %v; want %d", c.dry, n, err, c.n)
		}
	}
	wantTree(t, inputs, want)
	if _, err := os.Stat(filepath.Join(inputs, "qm/user001")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the user's folder stays: %v", err)
	}
	if left := filesIn(t, uploads); len(left) != 4 {
		t.Errorf("the users' own files: %v", left)
	}
}
