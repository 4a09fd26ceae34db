package sshd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"charm.land/ssh"
	"charm.land/wish/v2"
	gossh "golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/job"
)

// spareLines are those of known keys beside the ones with a panel.
const spareLines = 16

// keysAgain is how soon a visit ends whose key is no longer good.
const keysAgain = 5 * time.Second

// times are what is waited for.
type times struct {
	greet  time.Duration // until a caller has shown a good key
	unused time.Duration // of a line without a panel
	ask    time.Duration // between two questions whether anybody is there
	answer time.Duration // for the answer
	grace  time.Duration // from the end of a visit until its line is closed
	keys   time.Duration // between two looks at the keys of open visits
}

var usual = times{greet: 20 * time.Second, unused: 30 * time.Second, ask: 15 * time.Second, answer: 30 * time.Second, grace: 5 * time.Second, keys: keysAgain}

// Server shows the panel by SSH. Make it with [New]; its methods may be called
// from any goroutine, Run once.
type Server struct {
	opts  Options
	log   *slog.Logger
	times times
	ring  *keyring
	guard *guard
	ssh   *ssh.Server

	running  sync.WaitGroup // what a visit needs
	visiting sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	visits   map[*visit]bool
	lines    map[*line]bool
	picked   int // lines so far
	stopping bool
}

// New reads the host key, or makes one. It starts nothing. A keys file that is
// not there lets nobody in until it is.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{opts: o, log: o.Logger, times: usual, ring: newKeyring(o), guard: newGuard(o.Now), visits: map[*visit]bool{}, lines: map[*line]bool{}}
	key, err := hostKey(o.HostKey)
	if err != nil {
		return nil, err
	}
	s.ssh, err = wish.NewServer(wish.WithHostKeyPEM(key), wish.WithVersion("qmtui"), wish.WithPublicKeyAuth(s.admit), s.bounded,
		wish.WithMiddleware(func(ssh.Handler) ssh.Handler { return s.receive }))
	return s, err
}

// bounded sets what wish has no option for: what an unknown caller may cost,
// and that nothing is forwarded and there is no subsystem.
func (s *Server) bounded(srv *ssh.Server) error {
	srv.HandshakeTimeout = s.times.greet
	srv.ConnCallback = s.pickUp
	srv.ConnectionFailedCallback = s.turnedAway
	srv.ServerConfigCallback = func(ctx ssh.Context) *gossh.ServerConfig {
		c := &gossh.ServerConfig{MaxAuthTries: 6, Config: modern(), PublicKeyAuthAlgorithms: gossh.SupportedAlgorithms().PublicKeyAuths}
		c.AuthLogCallback = func(_ gossh.ConnMetadata, _ string, err error) {
			if l, ok := ctx.Value(lineKey{}).(*line); ok && err == nil {
				s.cameIn(l)
			}
		}
		return c
	}
	srv.ChannelHandlers = map[string]ssh.ChannelHandler{"session": open}
	srv.RequestHandlers = map[string]ssh.RequestHandler{}
	srv.SubsystemHandlers = map[string]ssh.SubsystemHandler{}
	return nil
}

// admit says whether a key may come in, which it is asked before the caller
// has proved to have it.
func (s *Server) admit(ctx ssh.Context, key ssh.PublicKey) bool {
	_, err := s.ring.find(key, addrOf(ctx.RemoteAddr()))
	if err != nil {
		s.log.Info("a key was refused by SSH", "key", gossh.FingerprintSHA256(key), "login", harmless(ctx.User()), "from", ctx.RemoteAddr(), "why", err)
	}
	return err == nil
}

// modern are the algorithms without those on SHA-1 and in CBC mode, and
// without a group that the client chooses.
func modern() gossh.Config {
	a := gossh.SupportedAlgorithms()
	old := func(name string) bool { return name == gossh.HMACSHA1 || name == gossh.KeyExchangeDHGEXSHA256 }
	return gossh.Config{KeyExchanges: slices.DeleteFunc(a.KeyExchanges, old), Ciphers: a.Ciphers, MACs: slices.DeleteFunc(a.MACs, old)}
}

// turnedAway hears of lines that ended before anybody had shown a good key.
// Those that tried none are bounded by their number.
func (s *Server) turnedAway(conn net.Conn, err error) {
	if refused := (*gossh.ServerAuthError)(nil); errors.As(err, &refused) {
		s.guard.failed(addrOf(conn.RemoteAddr()))
	}
	s.log.Debug("nobody came in by SSH", "from", conn.RemoteAddr(), "why", err)
}

// Listen opens the address, so that callers may connect before Run serves
// them. Run does it when nobody did.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.opts.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &job.Error{Code: "ssh_listen_in_use", Class: job.Conflict, Message: "somebody listens on " + s.opts.Listen + " already", Hint: "stop the other process, or set ssh.listen"}
	case err != nil:
		return &job.Error{Code: "ssh_cannot_listen", Class: job.Unavailable, Message: "cannot listen on " + s.opts.Listen + ": " + err.Error(), Hint: "set ssh.listen to an address of this machine"}
	}
	s.listener = l
	return nil
}

// Close gives up what Listen opened when Run will not be called.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// Addr is the address that Listen opened; nil for none.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Run serves until ctx ends, then tells every visitor and closes their lines.
// It returns when nothing of it runs any more; nil after ctx has ended.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	if s.ring.count() == 0 {
		s.log.Warn("no key may come in by SSH yet", "code", "ssh_no_keys", "file", s.opts.Keys, "next", "put a public key into it")
	}
	served := make(chan error, 1)
	go func() { served <- s.ssh.Serve(s.listener) }()
	look := time.NewTicker(s.times.keys)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			s.stop()
			<-served
			return nil
		case err := <-served:
			s.stop()
			return &job.Error{Code: "ssh_cannot_listen", Class: job.Unavailable, Message: "SSH is not served any more: " + err.Error(), Hint: "start the manager again"}
		case <-look.C:
			s.recheck()
		}
	}
}

// stop ends every visit, and then every line.
func (s *Server) stop() {
	s.mu.Lock()
	s.stopping = true
	for v := range s.visits {
		v.end(errStopping)
	}
	s.mu.Unlock()
	s.visiting.Wait() // each line is closed within the grace
	s.mu.Lock()
	lines := make([]*line, 0, len(s.lines))
	for l := range s.lines {
		lines = append(lines, l)
	}
	s.mu.Unlock()
	_ = s.ssh.Close()
	for _, l := range lines {
		_ = l.Close()
	}
	s.running.Wait()
}

// recheck ends the visits whose key was taken away, or is good for less now.
func (s *Server) recheck() {
	s.mu.Lock()
	open := make([]*visit, 0, len(s.visits))
	for v := range s.visits {
		open = append(open, v)
	}
	s.mu.Unlock()
	for _, v := range open {
		k, err := s.ring.find(v.key, v.addr)
		if errors.Is(err, errUnread) {
			continue // whoever is in stays until the file says no
		}
		if err != nil || k.ReadOnly != v.ReadOnly || k.Name != v.Name {
			v.end(errKeyGone)
		}
	}
}

// Visits is how many panels are open.
func (s *Server) Visits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.visits)
}
