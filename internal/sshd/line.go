package sshd

import (
	"net"
	"sync"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// A line is a connection, from before anybody knows whose it is.
type line struct {
	net.Conn
	srv  *Server
	once sync.Once

	mu       sync.Mutex
	visits   int
	channels int
	unused   *time.Timer // ends a line without a visit
}

// maxChannels is how many sessions one line may have, as of OpenSSH.
const maxChannels = 10

type lineKey struct{}

// pickUp takes a new connection, or nil to refuse it.
func (s *Server) pickUp(ctx ssh.Context, conn net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || len(s.lines) >= s.opts.MaxVisits+spareLines || s.guard.blocked(addrOf(conn.RemoteAddr())) {
		return nil
	}
	l := &line{Conn: conn, srv: s}
	l.unused = time.AfterFunc(s.times.unused, func() { _ = l.Close() })
	s.lines[l] = true
	ctx.SetValue(lineKey{}, l)
	return l
}

// Close closes the connection, as often as it likes.
func (l *line) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = l.Conn.Close()
		l.unused.Stop()
		l.srv.mu.Lock()
		defer l.srv.mu.Unlock()
		delete(l.srv.lines, l)
	})
	return err
}

// open has one session of a line, which is not a visit yet.
func open(srv *ssh.Server, conn *gossh.ServerConn, asked gossh.NewChannel, ctx ssh.Context) {
	l := ctx.Value(lineKey{}).(*line)
	if !l.more(1) {
		_ = asked.Reject(gossh.ResourceShortage, "too many sessions")
		return
	}
	defer l.more(-1)
	ssh.DefaultSessionHandler(srv, conn, asked, ctx)
}

// more counts sessions; false when there are too many.
func (l *line) more(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.channels+n > maxChannels {
		return false
	}
	l.channels += n
	return true
}

// use counts a visit; its end makes the line wait for the next one.
func (l *line) use() (over func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visits++
	l.unused.Stop()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.visits--; l.visits == 0 {
			l.unused.Reset(l.srv.times.unused)
		}
	}
}
