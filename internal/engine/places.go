package engine

import (
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

// places remembers which places in users' folders are spoken for, so that two
// copies never choose the same. Safe for any goroutine.
type places struct {
	mu    sync.Mutex
	taken map[string]job.OutputID
	users map[string]*sync.Mutex
}

func newPlaces() *places {
	return &places{taken: map[string]job.OutputID{}, users: map[string]*sync.Mutex{}}
}

// choose lets pick find a place for the output while no other choice for that
// user is going on, and reserves it.
func (p *places) choose(user string, id job.OutputID, pick func(taken func(string) bool) (string, error)) (string, error) {
	lock := p.user(user)
	lock.Lock()
	defer lock.Unlock()
	dest, err := pick(func(dest string) bool { return p.heldByOther(user, dest, id) })
	if err == nil {
		p.reserve(user, dest, id)
	}
	return dest, err
}

func (p *places) user(user string) *sync.Mutex {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users[user] == nil {
		p.users[user] = &sync.Mutex{}
	}
	return p.users[user]
}

// place is what a name occupies: ComfyUI counts across extensions, so a
// numbered name takes its number for all of them.
func place(user, dest string) string {
	if stem := strings.TrimSuffix(dest, path.Ext(dest)); numbered.MatchString(stem) {
		dest = stem
	}
	return user + "/" + dest
}

var numbered = regexp.MustCompile(`_[0-9]{5,}_$`)

func (p *places) heldByOther(user, dest string, id job.OutputID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	holder, ok := p.taken[place(user, dest)]
	return ok && holder != id
}

func (p *places) reserve(user, dest string, id job.OutputID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[place(user, dest)] = id
}

func (p *places) release(user, dest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, place(user, dest))
}
