package sshd

import (
	"net"
	"slices"
	"sync"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// A line is a connection, from before anybody knows whose it is.
type line struct {
	net.Conn
	srv   *Server
	once  sync.Once
	known bool // a good key was shown; held by srv.mu
	at    int  // in which order it came; constant

	mu       sync.Mutex
	visits   int
	channels int
	unused   *time.Timer // ends a line without a visit
}

// maxChannels is how many sessions one line may have, as of OpenSSH.
const maxChannels = 10

type lineKey struct{}

// Bounds on lines whose caller has shown no key yet, as MaxStartups and
// PerSourceMaxStartups of OpenSSH.
const (
	startupsOfSource = 8
	startupsFree     = 32 // from here on, a new line is refused at random
	startupsMost     = 128
)

// pickUp takes a new connection, or nil to refuse it. Of one address that has
// many without a key, the oldest ends: it had its time.
func (s *Server) pickUp(ctx ssh.Context, conn net.Conn) net.Conn {
	s.mu.Lock()
	source, startups := neighbours(addrOf(conn.RemoteAddr())), 0
	var own []*line
	for l := range s.lines {
		if l.known {
			continue
		}
		if startups++; neighbours(addrOf(l.RemoteAddr())) == source {
			own = append(own, l)
		}
	}
	if s.stopping || len(s.lines)-startups >= s.opts.MaxVisits+spareLines || s.guard.blocked(addrOf(conn.RemoteAddr())) {
		s.mu.Unlock()
		return nil
	}
	var ends *line
	if len(own) >= startupsOfSource {
		ends = slices.MinFunc(own, func(a, b *line) int { return a.at - b.at })
	} else if dropStartup(startups, s.random()) {
		s.mu.Unlock()
		s.log.Debug("a line was refused by SSH, since many have shown no key yet", "from", conn.RemoteAddr(), "startups", startups)
		return nil
	}
	s.picked++
	l := &line{Conn: conn, srv: s, at: s.picked}
	l.unused = time.AfterFunc(s.times.unused, func() { _ = l.Close() })
	s.lines[l] = true
	ctx.SetValue(lineKey{}, l)
	s.mu.Unlock()
	if ends != nil {
		_ = ends.Close()
	}
	return l
}

// dropStartup decides whether a line is refused while so many have shown no
// key: never below startupsFree, then with a chance that grows from 30 %, and
// always at startupsMost. random is at least 0 and less than 1.
func dropStartup(startups int, random float64) bool {
	if startups < startupsFree {
		return false
	}
	return random < 0.3+0.7*float64(startups-startupsFree)/(startupsMost-startupsFree)
}

// cameIn notes that the caller of a line has shown a good key.
func (s *Server) cameIn(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.known = true
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
