package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/engine/share"
	"github.com/comfyume/qmtui/internal/job"
)

// site is an engine over real disks, with a fleet that takes every prompt and
// leaves the writing to the test.
type site struct {
	*testing.T
	*engine.Engine
	outputs, users string
	fleet          *fakeFleet
	ledger         *ledgertest.Memory
	stop           func()
}

// openSite runs fn beside a running engine, with fake time and real files.
func openSite(t *testing.T, p engine.Policy, fn func(s *site)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &site{T: t, outputs: filepath.Join(dir, "outputs"), users: filepath.Join(dir, "users"), fleet: newFleet(9), ledger: ledgertest.NewMemory()}
		for _, d := range []string{s.outputs, s.users} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		s.start(p)
		fn(s)
		s.stop()
	})
}

func (s *site) start(p engine.Policy) {
	disks, err := share.New(share.Options{Outputs: s.outputs, Users: s.users, Watch: "poll", Sweep: time.Minute})
	if err != nil {
		s.Fatal(err)
	}
	s.Engine = engine.New(engine.Options{Ledger: s.ledger, Share: disks, Fleet: s.fleet, Policy: p})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Engine.Run(ctx) }()
	<-s.Ready()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.Errorf("Run ended with %v", err)
		}
	}
}

// pass lets time go by, and the looks of its last moment end: what is written
// then is seen whole or not at all.
func (s *site) pass(d time.Duration) {
	time.Sleep(d) // fake time
	synctest.Wait()
}

// submit asks for a job whose nodes write so many files each, and waits until it was sent.
func (s *site) submit(user string, counts map[string]int) job.Job {
	s.Helper()
	var expect []job.Expected
	for node, n := range counts {
		expect = append(expect, job.Expected{Node: node, Class: "SaveImage", Prefix: "s", Count: n})
	}
	body, _ := json.Marshal(expect)
	j, _, err := s.Submit(context.Background(), job.Request{User: user, Workflow: body, Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		s.Fatal(err)
	}
	s.pass(2 * time.Second) // fake time
	if j, err = s.Job(j.ID); err != nil {
		s.Fatal(err)
	}
	return j
}

// write puts a file into the folder of the job's attempt, as a worker does.
func (s *site) write(j job.Job, name string, body []byte) {
	s.Helper()
	p := filepath.Join(s.outputs, "qm", j.Current().PromptID, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(p, body, 0o644); err != nil {
		s.Fatal(err)
	}
}

// delivered reads the user's folder: what stands in it by name.
func (s *site) delivered(user string) map[string]string {
	s.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(filepath.Join(s.users, user), func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(filepath.Join(s.users, user), p)
		got[filepath.ToSlash(rel)] = content(b)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return got
}

// labelled is a complete PNG that carries a label, and content what a file carries.
func labelled(label string) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		panic(err)
	}
	chunk := append([]byte("tEXtlabel\x00"), label...)
	n, sum := len(chunk)-4, crc32.ChecksumIEEE(chunk)
	whole := slices.Concat(b.Bytes()[:b.Len()-12], []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, chunk,
		[]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, b.Bytes()[b.Len()-12:])
	return whole
}

func content(b []byte) string {
	_, rest, found := bytes.Cut(b, []byte("tEXtlabel\x00"))
	if !found {
		return string(b)
	}
	return string(rest[:len(rest)-16])
}

// TestRow09Groups: a picture, its caption and its settings arrive under one
// number, also when a format tells only at the end of the run that it is complete.
func TestRow09Groups(t *testing.T) {
	openSite(t, engine.Policy{}, func(s *site) {
		for n := 1; n <= 2; n++ {
			j := s.submit("ada", map[string]int{"9": 1})
			s.write(j, "9/s_00001_.png", labelled(fmt.Sprint("picture ", n)))
			s.write(j, "9/s_00001_.json", []byte(fmt.Sprintf(`{"job": %d}`, n)))
			s.write(j, "9/s_00001_.txt", []byte(fmt.Sprint("caption ", n)))
			s.pass(20 * time.Second)
		}
		want := map[string]string{"s_00001_.png": "picture 1", "s_00001_.json": `{"job": 1}`, "s_00001_.txt": "caption 1",
			"s_00002_.png": "picture 2", "s_00002_.json": `{"job": 2}`, "s_00002_.txt": "caption 2"}
		if got := s.delivered("ada"); !maps.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

// TestRow09BatchOrder: batches of two jobs of one user arrive as rising numbers
// in the order of the source, although their files are written in turns, found
// in several looks and copied at once.
func TestRow09BatchOrder(t *testing.T) {
	openSite(t, engine.Policy{Copies: 8, CopiesPerUser: 8}, func(s *site) {
		a, b := s.submit("ada", map[string]int{"9": 6, "12": 2}), s.submit("ada", map[string]int{"9": 6})
		for n := 1; n <= 6; n++ {
			if n <= 2 {
				s.write(a, fmt.Sprintf("12/s_%05d_.png", n), labelled(fmt.Sprint("a 12 ", n)))
			}
			half := labelled(fmt.Sprint("a 9 ", n))
			s.write(a, fmt.Sprintf("9/s_%05d_.png", n), half[:len(half)/2])
			s.write(b, fmt.Sprintf("9/s_%05d_.png", n), labelled(fmt.Sprint("b 9 ", n)))
			if n%2 == 0 {
				s.pass(3 * time.Second)
			}
			if n > 1 { // each becomes complete after the next was begun
				s.write(a, fmt.Sprintf("9/s_%05d_.png", n-1), labelled(fmt.Sprint("a 9 ", n-1)))
			}
		}
		s.write(a, "9/s_00006_.png", labelled("a 9 6"))
		s.pass(20 * time.Second)
		got := s.delivered("ada")
		order := map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(got)) {
			i := strings.LastIndex(got[name], " ")
			order[got[name][:i]] = append(order[got[name][:i]], got[name][i+1:])
		}
		if len(got) != 14 {
			t.Errorf("%d files: %v", len(got), got)
		}
		for batch, numbers := range order {
			if !slices.IsSorted(numbers) {
				t.Errorf("%s arrived in the order %v: %v", batch, numbers, got)
			}
		}
	})
}
