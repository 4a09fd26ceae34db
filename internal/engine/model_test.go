package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestModel lets users, a platform full of faults and kills of the process
// meet in any order, and then holds the house to what it promises: every job
// ends, every whole file stands with its user once, no prompt is sent twice or
// while its files could not be fetched, and the story of a job tells its
// state. QMTUI_MODEL says how many worlds, from seed 1 on; 6 unless said.
// Seeds repeat the dice, not the order in which goroutines throw them.
func TestModel(t *testing.T) {
	worlds, err := strconv.Atoi(cmp.Or(os.Getenv("QMTUI_MODEL"), "6"))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newPlay(t, seed+1).run() })
		})
	}
}

// play is one world with its people, and what was seen of it so far.
type play struct {
	*world
	taken   map[job.ID]string // jobs that were answered for, by user
	keys    map[string]job.ID // of jobs, by user and key
	reached map[string]job.State
	retried map[job.ID]int
}

func newPlay(t *testing.T, seed uint64) *play {
	return &play{newWorld(t, seed), map[job.ID]string{}, map[string]job.ID{}, map[string]job.State{}, map[job.ID]int{}}
}

func (p *play) run() {
	p.start()
	for range 120 {
		p.step()
		p.pass(p.upTo(20 * time.Second))
		p.watch()
	}
	p.settle()
	p.check()
	p.stop()
	if p.Failed() {
		p.Log(strings.Join(p.story, "\n"))
	}
}

// step is one thing that happens.
func (p *play) step() {
	switch n := p.pick(100); {
	case n < 42:
		p.submit()
	case n < 45:
		p.edit()
	case n < 55:
		p.act(job.DoCancel)
	case n < 62:
		p.act(job.DoRetry)
	case n < 66:
		p.mode([]job.Mode{job.ModePaused, job.ModeRunning, job.ModeRunning, job.ModeDraining}[p.pick(4)])
	case n < 72:
		p.mode(job.ModeRunning)
	case n < 78:
		p.shareGoes(true)
	case n < 86:
		p.shareGoes(false)
	case n < 92:
		p.tell("killed at a commit")
		p.ledger.doom(1+p.pick(6), p.pick(2) == 0)
		p.pass(p.upTo(10 * time.Second))
		p.restart()
	case n < 95:
		p.tell("killed")
		p.ledger.doom(1, false)
		p.restart()
	case n < 98:
		p.tell("stopped")
		p.restart()
	default: // nothing happens for a while
		p.pass(p.upTo(20 * time.Minute))
	}
}

// restart ends the process, however it was, and starts another after a while.
func (p *play) restart() {
	p.stop()
	p.pass(p.upTo([]time.Duration{time.Second, time.Minute, 20 * time.Minute}[p.pick(3)]))
	p.start()
}

func (p *play) shareGoes(away bool) {
	hangs := away && p.pick(2) == 0
	p.tell("share away: %v, hangs: %v", away, hangs)
	p.mu.Lock()
	p.away, p.hangs = away && !hangs, hangs
	p.mu.Unlock()
}

func (p *play) mode(m job.Mode) {
	p.tell("mode %s: %v", m, p.SetMode(context.Background(), m, job.Caller{}))
}

// submit asks for a job of one to three files, sometimes again with the key of before.
func (p *play) submit() {
	user := fmt.Sprint("user", p.pick(4))
	key := ""
	if p.pick(3) == 0 {
		key = fmt.Sprint("key", p.pick(5))
	}
	body, _ := json.Marshal([]job.Expected{{Node: "9", Class: "SaveImage", Prefix: "out", Count: 1 + p.pick(3)}})
	j, _, err := p.Submit(context.Background(), job.Request{User: user, Workflow: body, Key: key, Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		p.tell("submit of %s: %v", user, err)
		return
	}
	p.tell("submit of %s: %s", user, j.ID)
	if before, known := p.keys[user+key]; key != "" && known && before != j.ID {
		p.Errorf("the key %s of %s is job %s and was %s", key, user, j.ID, before)
	}
	if key != "" {
		p.keys[user+key] = j.ID
	}
	p.taken[j.ID] = user
}

// act asks for something for some job.
func (p *play) act(v job.Verb) {
	page, err := p.ledger.Jobs(job.Query{Limit: 1000})
	if err != nil || len(page.Jobs) == 0 {
		return
	}
	j := page.Jobs[p.pick(len(page.Jobs))]
	p.retried[j.ID] += btoi(v == job.DoRetry)
	r, err := p.Act(context.Background(), job.Action{Verb: v, Filter: job.Filter{IDs: []job.ID{j.ID}}, Caller: job.Caller{Name: "admin", Admin: true}})
	if err == nil && r[0].Error != nil {
		err = r[0].Error
	}
	p.tell("%s %s: %v", v, j.ID, err)
}

// bookPost is asked at every POST: the intent is durable, it is the only one,
// there is room for it, and its files could be fetched.
func (w *world) bookPost(s job.Submission) {
	w.tell("POST %s, attempt %d of %s", s.PromptID, s.Attempt, s.Job)
	j, err := w.ledger.ByPrompt(s.PromptID)
	if err != nil || j.ID != s.Job {
		w.Errorf("prompt %s was sent, and the ledger has %v of it", s.PromptID, err)
	}
	flying := 0
	open, _ := w.ledger.Open()
	for _, x := range open {
		a := x.Current()
		// A prompt that gave no sign for long, now or before its first one, may have
		// lent its slot to another.
		waited := a.When(job.Started, job.Seen, job.Whole).Sub(a.When(job.Acknowledged, job.Unanswered))
		silent := time.Since(a.LastEvidence()) > 2*time.Second || waited > 2*time.Second
		flying += btoi(a.State.InFlight() && !(silent && a.State != job.Submitting) && a.When(job.Unanswered).IsZero())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, again := w.posts[s.PromptID]; again {
		w.Errorf("prompt %s was sent twice", s.PromptID)
	}
	if w.away || w.looked.IsZero() {
		w.Errorf("prompt %s was sent while its files could not be fetched", s.PromptID)
	}
	if flying > worldCapacity {
		w.Errorf("%d jobs fly with room for %d", flying, worldCapacity)
	}
	w.posts[s.PromptID] = s
}

// watch holds what holds at every moment: no attempt goes back, and nothing
// stands with the wrong user or twice.
func (p *play) watch() {
	page, err := p.ledger.Jobs(job.Query{Limit: 1000})
	if err != nil {
		p.Fatal(err)
	}
	for _, j := range page.Jobs {
		for _, a := range j.Attempts {
			at := fmt.Sprint(j.ID, "/", a.N)
			if a.State < p.reached[at] {
				p.Errorf("attempt %s went from %s back to %s", at, p.reached[at], a.State)
			}
			p.reached[at] = a.State
		}
	}
	owners := p.wholeFiles()
	for source, places := range p.deliveries() {
		if len(places) != 1 || !strings.HasPrefix(places[0], owners[source]+"/") {
			p.Errorf("%s of %q stands at %q", source, owners[source], places)
		}
	}
}

// settle ends all trouble and lets everything come to its end.
func (p *play) settle() {
	p.mu.Lock()
	p.calm, p.away, p.hangs = true, false, false
	p.mu.Unlock()
	p.stop()
	p.start()
	if err := p.SetMode(context.Background(), job.ModeRunning, job.Caller{}); err != nil {
		p.Error(err)
	}
	for range 200 {
		p.pass(5 * time.Minute)
		if n, err := p.ledger.Open(); err == nil && len(n) == 0 {
			return
		}
	}
}

func (p *play) check() {
	p.watch()
	delivered := p.deliveries()
	for source, user := range p.wholeFiles() {
		if len(delivered[source]) == 0 && !p.edited[source] {
			p.Errorf("%s of %s was written and is lost", source, user)
		}
	}
	if old := p.stale(); len(old) > 0 {
		p.Errorf("written again, and the older version stands: %q", old)
	}
	for id, user := range p.taken {
		j, err := p.ledger.Job(id)
		if err != nil || j.User != user {
			p.Errorf("job %s of %s was answered for: %v", id, user, err)
			continue
		}
		p.checkJob(j)
	}
	if r := p.ledger.Rejects(); len(r) > 0 {
		p.Errorf("the engine recorded what is impossible: %+v", r)
	}
}

func (p *play) checkJob(j job.Job) {
	if !j.State().Terminal() || !j.Closed {
		p.Errorf("job %s is %s, closed %v, at the end", j.ID, j.State(), j.Closed)
	}
	if most := (1 + worldPolicy.Retries) * (1 + p.retried[j.ID]); p.sent(j) > most {
		p.Errorf("job %s was paid for %d times, at most %d was asked for", j.ID, p.sent(j), most)
	}
	if n, want := len(storedOutputs(j)), j.Expect[0].Count; j.State() == job.Done && n < want && len(j.Warnings) == 0 {
		p.Errorf("job %s is done with %d of %d files and says nothing", j.ID, n, want)
	}
	facts, err := p.ledger.Facts(j.ID)
	if err != nil {
		p.Fatal(err)
	}
	var told job.Job
	for _, f := range facts {
		if told, err = told.Apply(f); err != nil {
			p.Errorf("job %s: %s does not follow from its story: %v", j.ID, f.Kind, err)
			return
		}
	}
	if told.Rev = j.Rev; !reflect.DeepEqual(told, j) {
		p.Errorf("job %s is not what its story tells:\n%+v\n%+v", j.ID, j, told)
	}
}

// sent counts the attempts that cost something: those that were run, and those
// that a server accepted.
func (p *play) sent(j job.Job) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range j.Attempts {
		if a.PromptID != "" && a.When(job.Refused).IsZero() && (p.runs[a.PromptID] != nil || !a.When(job.Acknowledged).IsZero()) {
			n++
		}
	}
	return n
}

func storedOutputs(j job.Job) (all []job.Output) {
	for _, o := range j.Outputs {
		if o.State == job.OutputStored {
			all = append(all, o)
		}
	}
	return all
}
