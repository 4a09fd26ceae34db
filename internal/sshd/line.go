package sshd

import (
	"net"
	"net/netip"
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

// Bounds on lines whose caller has shown no key yet.
const (
	startupsOfSource = 8
	startupsMost     = 128
)

// pickUp takes a new connection, or nil to refuse it. Where too many have shown
// no key, one of those ends for it.
func (s *Server) pickUp(ctx ssh.Context, conn net.Conn) net.Conn {
	s.mu.Lock()
	startups := map[netip.Prefix][]*line{}
	known := 0
	for l := range s.lines {
		if l.known {
			known++
			continue
		}
		source := neighbours(addrOf(l.RemoteAddr()))
		startups[source] = append(startups[source], l)
	}
	if s.stopping || known >= s.opts.MaxVisits+spareLines || s.guard.blocked(addrOf(conn.RemoteAddr())) {
		s.mu.Unlock()
		return nil
	}
	ends := outgoing(startups, neighbours(addrOf(conn.RemoteAddr())))
	s.picked++
	l := &line{Conn: conn, srv: s, at: s.picked}
	l.unused = time.AfterFunc(s.times.unused, func() { _ = l.Close() })
	s.lines[l] = true
	ctx.SetValue(lineKey{}, l)
	s.mu.Unlock()
	if ends != nil {
		s.log.Debug("a line ends by SSH, since many have shown no key yet", "from", ends.RemoteAddr())
		_ = ends.Close()
	}
	return l
}

// outgoing is the line that ends for a new one of source, among those without a
// key; nil for none. A source that has its most loses its oldest. When all
// places are taken, the source with the most of them does, so that a caller
// with a key, who needs a place for a moment, is kept from coming in only by
// as many sources as there are places.
func outgoing(startups map[netip.Prefix][]*line, source netip.Prefix) *line {
	if own := startups[source]; len(own) >= startupsOfSource {
		return oldest(own)
	}
	all := 0
	var from []*line
	for _, lines := range startups {
		all += len(lines)
		if len(lines) > len(from) || len(lines) == len(from) && oldest(lines).at < oldest(from).at {
			from = lines
		}
	}
	if all < startupsMost {
		return nil
	}
	return oldest(from)
}

func oldest(lines []*line) *line {
	return slices.MinFunc(lines, func(a, b *line) int { return a.at - b.at })
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
