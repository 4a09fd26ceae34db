package fleet

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// What the workers listed is known after a restart, with its age, and nobody is
// asked for it.
func TestTheNodeListIsKeptOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, memory := &fake{}, newNotebook()
		keep := func(o *Options) { o.Settings = memory }
		fl := open(t, f, spec(), keep)
		if got := fl.Nodes("h200"); got.JSON != nil {
			t.Errorf("before anything: %+v", got)
		}
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		first := fl.Nodes("h200")
		if first.Deployment != "h200" || !first.At.Equal(time.Now()) || !strings.Contains(string(first.JSON), "MySave") {
			t.Errorf("after a look: %+v", first)
		}
		asked := f.count("")
		elapse(t, 3*time.Hour)
		again := open(t, f, spec(), keep)
		got := again.Nodes("")
		if string(got.JSON) != string(first.JSON) || !got.At.Equal(first.At) {
			t.Errorf("after a restart: %s of %s", got.JSON, got.At)
		}
		if d := again.Deployments()[0]; d.Nodes != 3 || !d.NodesAt.Equal(first.At) {
			t.Errorf("it has %d nodes of %s", d.Nodes, d.NodesAt)
		}
		// A list of three hours ago refuses nothing: the worker decides.
		unknown := `{"1":{"class_type":"NewNode","inputs":{}},"9":{"class_type":"MySave","inputs":{"images":["1",0],"filename_prefix":"a"}}}`
		checked, err := again.Check("", []byte(unknown), nil)
		if err != nil || len(checked.Warnings) == 0 || checked.Warnings[0].Code != "node_list_old" {
			t.Errorf("an unknown class: %+v, %v", checked.Warnings, err)
		}
		if n := f.count("") - asked; n != 0 {
			t.Errorf("%d requests", n)
		}
		moved, err := New(Options{Deployments: []Spec{{Name: "h200", URL: "https://other.example"}}, HTTP: f.client(), Settings: memory})
		if err != nil {
			t.Fatal(err)
		}
		if got := moved.Nodes(""); got.JSON != nil {
			t.Errorf("workers at another address have %s", got.JSON)
		}
	})
}

// It is written when it changes, and now and then for its age.
func TestTheNodeListIsNotWrittenEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, memory := &fake{}, newNotebook()
		fl := open(t, f, spec(), func(o *Options) { o.Settings = memory })
		at := func() time.Time {
			if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
				t.Fatal(err)
			}
			var k keptNodes
			if found, err := memory.Setting("nodes.h200", &k); !found || err != nil {
				t.Fatalf("nothing is kept: %v", err)
			}
			return k.At
		}
		first := at()
		elapse(t, 30*time.Minute)
		if got := at(); !got.Equal(first) {
			t.Errorf("written again after half an hour: %s", got)
		}
		elapse(t, 31*time.Minute)
		if got := at(); !got.Equal(time.Now()) {
			t.Errorf("not written after an hour: %s", got)
		}
	})
}

// The asked deployment wins, then the one that was submitted to, then the newest.
func TestNodesOfSeveralDeployments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		a, b, c := spec(), spec(), spec()
		a.Name, b.Name, c.Name = "a", "b", "c"
		a.URL, b.URL, c.URL = "https://a.example", "https://b.example", "https://c.example"
		fl, err := New(Options{Deployments: []Spec{a, b, c}, HTTP: f.client()})
		if err != nil {
			t.Fatal(err)
		}
		of := func(deployment string) string { return fl.Nodes(deployment).Deployment }
		if got := of("c"); got != "" {
			t.Errorf("nobody was asked, and %q is known", got)
		}
		for _, name := range []string{"b", "a"} {
			if _, err := fl.Refresh(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			elapse(t, time.Minute)
		}
		if of("b") != "b" || of("c") != "a" || of("") != "a" {
			t.Errorf("b: %s, c: %s, none: %s", of("b"), of("c"), of(""))
		}
		s := submission(1)
		s.Deployment = "b"
		if fact := fl.Submit(t.Context(), s); fact.Kind != job.Acknowledged {
			t.Fatalf("%+v", fact)
		}
		if of("c") != "b" || of("a") != "a" {
			t.Errorf("c: %s, a: %s", of("c"), of("a"))
		}
	})
}

// Prompts that end before anybody asks about them have the list read as well,
// once each and only when it is due; a machine that may sleep is left alone.
func TestQuickPromptsHaveTheNodesRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := spec()
		s.KeepAlive, s.ScaleToZero = 5*time.Second, true
		fl := open(t, f, s)
		_, stop := start(t, fl)
		defer stop()
		quick := func(n int) {
			if fact := fl.Submit(t.Context(), submission(n)); fact.Kind != job.Acknowledged {
				t.Fatalf("%+v", fact)
			}
			fl.Follow([]job.Flight{flight(n, job.Accepted)})
			fl.Follow(nil)
			synctest.Wait()
		}
		quick(1)
		if n := f.count("GET /object_info"); n != 1 || fl.Nodes("h200").JSON == nil {
			t.Errorf("read %d times", n)
		}
		quick(2)
		elapse(t, time.Hour)
		fl.Follow(nil)
		synctest.Wait()
		if n := f.count("GET /object_info"); n != 1 {
			t.Errorf("read %d times, with nothing sent since", n)
		}
		quick(3)
		if n := f.count("GET /object_info"); n != 2 {
			t.Errorf("read %d times after an hour", n)
		}
		if fact := fl.Submit(t.Context(), submission(4)); fact.Kind != job.Acknowledged {
			t.Fatalf("%+v", fact)
		}
		elapse(t, time.Hour) // it has fallen asleep since
		fl.Follow([]job.Flight{flight(4, job.Accepted)})
		before := f.count("")
		fl.Follow(nil)
		synctest.Wait()
		if n := f.count("") - before; n != 0 {
			t.Errorf("%d requests woke it", n)
		}
	})
}
