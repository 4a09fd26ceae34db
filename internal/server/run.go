package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// doors are the open listeners.
type doors struct {
	mu          sync.Mutex
	tcp, socket net.Listener
	readOnly    net.Listener // the socket for looking
}

// Listen opens the TCP address and the sockets, so that callers may connect
// before Run serves them. Run does it when nobody did. Errors have the codes
// listen_in_use, socket_in_use, socket_path_too_long and the like.
func (s *Server) Listen() error {
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	var err error
	if s.opts.Socket != "" && s.doors.socket == nil {
		if s.doors.socket, err = s.listenSocket(s.opts.Socket); err != nil {
			s.doors.socket = nil
			return err
		}
	}
	if s.opts.ReadOnlySocket != "" && s.doors.readOnly == nil {
		if s.doors.readOnly, err = s.listenSocket(s.opts.ReadOnlySocket); err != nil {
			s.doors.readOnly = nil
			return errors.Join(err, s.doors.closeSockets())
		}
	}
	if s.opts.Listen != "" && s.doors.tcp == nil {
		if s.doors.tcp, err = listenTCP(s.opts.Listen); err != nil {
			s.doors.tcp = nil
			return errors.Join(err, s.doors.closeSockets())
		}
	}
	return nil
}

func (d *doors) closeSockets() error {
	var errs []error
	for _, l := range []*net.Listener{&d.socket, &d.readOnly} {
		if *l != nil {
			errs = append(errs, (*l).Close())
			*l = nil
		}
	}
	return errors.Join(errs...)
}

// Addr is the TCP address that Listen opened; nil for none.
func (s *Server) Addr() net.Addr {
	s.doors.mu.Lock()
	defer s.doors.mu.Unlock()
	if s.doors.tcp == nil {
		return nil
	}
	return s.doors.tcp.Addr()
}

// Run serves until ctx ends, then drains: event streams and WebSockets end at
// once, other calls have [Options.Grace] to finish. It returns when nothing of it runs any
// more; nil after a drain. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	if s.opts.Service == nil {
		return &job.Error{Code: "no_service", Class: job.Internal, Message: "the server has nothing to serve"}
	}
	if err := s.Listen(); err != nil {
		return err
	}
	var servers []*http.Server
	var running sync.WaitGroup
	failed := make(chan error, 4)
	for l, h := range map[net.Listener]http.Handler{s.doors.tcp: s.Handler(), s.doors.socket: s.SocketHandler(), s.doors.readOnly: s.ReadOnlyHandler(),
		s.guests.hall: s.front(s.byGuest)} {
		if l == nil {
			continue
		}
		srv := s.httpServer(h)
		servers = append(servers, srv)
		running.Go(func() { failed <- srv.Serve(l) })
	}
	sctx, stop := context.WithCancel(ctx)
	running.Go(func() { s.logins.keepSweeping(sctx) })
	running.Go(func() { s.opts.Disks.Run(sctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop()
	s.drain(servers)
	running.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// httpServer bounds what a caller may cost before a handler sees it; handlers
// bound the rest call by call.
func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// drain ends the servers, each within the grace.
func (s *Server) drain(servers []*http.Server) {
	close(s.stopping)
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Grace)
	defer cancel()
	var all sync.WaitGroup
	for _, srv := range servers {
		all.Go(func() {
			if srv.Shutdown(ctx) != nil {
				srv.Close()
			}
		})
	}
	all.Wait()
	s.sockets.drain(ctx) // from now on none is added; all have heard of the stop
}
