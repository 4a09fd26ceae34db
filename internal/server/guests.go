package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

// guests are callers whom another door of this process has made out, such as
// SSH by a key. They speak the same HTTP over connections inside the process:
// on the unix socket they would all be the manager's own user.
type guests struct {
	hall *hall

	mu    sync.Mutex
	names map[string]who // by the address of their connections
	count int
}

func newGuests() guests {
	return guests{hall: &hall{arrivals: make(chan net.Conn), closed: make(chan struct{})}, names: map[string]who{}}
}

// Guest is a caller of [Server.Admit].
type Guest struct {
	Name     string // for the audit log and the time line of jobs
	Proof    string // what the name rests on, see [job.Caller]
	ReadOnly bool   // may look and not act
}

// Admit lets an admin in who came by SSH. Each call of dial opens a connection,
// once the server runs; leave ends them all.
func (s *Server) Admit(g Guest) (dial func(context.Context) (net.Conn, error), leave func()) {
	h := &s.guests
	stay, end := context.WithCancel(context.Background())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	addr := peerAddr(fmt.Sprintf("%s, %s, guest %d", g.Name, viaSSH, h.count))
	h.names[string(addr)] = who{Caller: job.Caller{Name: g.Name, Admin: true, Via: viaSSH, Proof: g.Proof}, readOnly: g.ReadOnly}
	dial = func(ctx context.Context) (net.Conn, error) { return h.hall.enter(ctx, stay, addr) }
	return dial, func() {
		end()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.names, string(addr))
	}
}

// byGuest knows a guest by the connection's address.
func (s *Server) byGuest(r *http.Request) (who, error) {
	h := &s.guests
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.names[r.RemoteAddr]
	if !ok {
		return who{}, &job.Error{Code: "login_required", Class: job.Forbidden, Message: "this guest has left", Hint: "connect again"}
	}
	return w, nil
}

// hall is a listener for connections inside this process.
type hall struct {
	arrivals chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

// enter opens a connection that ends with stay.
func (h *hall) enter(ctx, stay context.Context, as peerAddr) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case h.arrivals <- peerConn{far, as}:
	case <-h.closed:
		return nil, net.ErrClosed
	case <-stay.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return guestConn{near, context.AfterFunc(stay, func() { near.Close() })}, nil
}

// guestConn is forgotten when it is closed.
type guestConn struct {
	net.Conn
	forget func() bool
}

func (c guestConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// Accept waits for the next guest's connection.
func (h *hall) Accept() (net.Conn, error) {
	select {
	case c := <-h.arrivals:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the waiting, of both sides.
func (h *hall) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is no address that anybody could connect to.
func (h *hall) Addr() net.Addr { return peerAddr("guests") }
