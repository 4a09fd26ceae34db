package server

import (
	"context"
	"fmt"
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

// Bounds on WebSockets.
const (
	maxSockets     = 1024 // at once
	socketsPerUser = 32   // at once, of one user
)

// sockets are the open WebSockets. net/http forgets a connection that it has
// handed over, so the drain waits for them here. The zero value is ready.
type sockets struct {
	mu    sync.Mutex
	all   map[*entrance]bool
	users map[string]int
	idle  chan struct{} // closed when none is left, once somebody waits
}

// entrance is the place of one socket.
type entrance struct {
	user string // empty: counted under no name
	kill context.CancelFunc
}

// enter takes a place; kill ends the socket at once.
func (k *sockets) enter(user string, kill context.CancelFunc) (*entrance, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.all) >= maxSockets || user != "" && k.users[user] >= socketsPerUser {
		return nil, &job.Error{Code: "too_many_sockets", Class: job.TooMany, Transient: true, RetryAfter: 10,
			Message: fmt.Sprintf("%d WebSockets are open already, %d of yours", len(k.all), k.users[user]), Hint: "close some pages, or wait"}
	}
	if k.all == nil {
		k.all, k.users = map[*entrance]bool{}, map[string]int{}
	}
	e := &entrance{user, kill}
	k.all[e] = true
	k.users[user]++
	return e, nil
}

func (k *sockets) leave(e *entrance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, e)
	if k.users[e.user]--; k.users[e.user] <= 0 {
		delete(k.users, e.user)
	}
	if len(k.all) == 0 && k.idle != nil {
		close(k.idle)
		k.idle = nil
	}
}

// drain waits until all have left; those that have not when ctx ends are
// killed. It is called once.
func (k *sockets) drain(ctx context.Context) {
	k.mu.Lock()
	if len(k.all) == 0 {
		k.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	k.idle = idle
	k.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
		k.killAll()
		<-idle
	}
}

func (k *sockets) killAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e := range k.all {
		e.kill()
	}
}
