package engine

import (
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

// places remembers which places in users' folders are spoken for although
// nothing may stand there yet, so that two files never get the same. Safe for
// any goroutine.
type places struct {
	mu    sync.Mutex
	taken map[string]map[job.OutputID]string // by user: the place of a file
	users map[string]*sync.Mutex
}

func newPlaces() *places {
	return &places{taken: map[string]map[job.OutputID]string{}, users: map[string]*sync.Mutex{}}
}

// choose lets pick find places for files of one user while no other choice for
// that user is going on, and reserves them. pick learns which places belong to
// files outside the batch.
func (p *places) choose(batch []job.Transfer, pick func(taken []string) ([]string, error)) ([]string, error) {
	user := batch[0].User
	lock := p.user(user)
	lock.Lock()
	defer lock.Unlock()
	dests, err := pick(p.others(user, batch))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range batch {
		if t.Dest == "" {
			p.reserve(user, t.Output, dests[i])
		}
	}
	return dests, nil
}

func (p *places) user(user string) *sync.Mutex {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users[user] == nil {
		p.users[user] = &sync.Mutex{}
	}
	return p.users[user]
}

// others lists the places of a user's files that are not in the batch.
func (p *places) others(user string, batch []job.Transfer) []string {
	in := make(map[job.OutputID]bool, len(batch))
	for _, t := range batch {
		in[t.Output] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var dests []string
	for id, dest := range p.taken[user] {
		if !in[id] {
			dests = append(dests, dest)
		}
	}
	return dests
}

func (p *places) reserve(user string, id job.OutputID, dest string) {
	if p.taken[user] == nil {
		p.taken[user] = map[job.OutputID]string{}
	}
	p.taken[user][id] = dest
}

func (p *places) release(user string, ids ...job.OutputID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.taken[user], id)
	}
}

// follow brings the reservations of a job's files up to date: recorded places
// are kept until a file stands there or never will.
func (p *places) follow(j job.Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range j.Outputs {
		switch held := p.taken[j.User][o.ID]; {
		case o.Beside != "" && held == "":
			p.reserve(j.User, o.ID, o.Beside)
		case o.State.Settled() && o.Beside == "":
			delete(p.taken[j.User], o.ID)
		case o.Dest != "" && held == "":
			p.reserve(j.User, o.ID, o.Dest)
		}
	}
}

// forget gives up the reservations of a job.
func (p *places) forget(j job.Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range j.Outputs {
		delete(p.taken[j.User], o.ID)
	}
}
