package server

import (
	"context"
	"sync"
)

// sockets are the open WebSockets. net/http forgets a connection that it has
// handed over, so the drain waits for them here. The zero value is ready.
type sockets struct {
	mu   sync.Mutex
	all  map[*entrance]bool
	idle chan struct{} // closed when none is left, once somebody waits
}

// entrance is one socket.
type entrance struct{ kill context.CancelFunc }

// enter counts a socket in; kill ends it at once.
func (k *sockets) enter(kill context.CancelFunc) *entrance {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[*entrance]bool{}
	}
	e := &entrance{kill}
	k.all[e] = true
	return e
}

func (k *sockets) leave(e *entrance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, e)
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
