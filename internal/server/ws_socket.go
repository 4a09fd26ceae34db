package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/comfyume/qmtui/internal/job"
)

// The rhythm of a WebSocket.
const (
	pingEvery   = 20 * time.Second
	pongTimeout = 20 * time.Second
	maxHeard    = 256 << 10 // bytes of one message of the client
)

// Why a socket ends, told with the close frame.
var (
	errStopping   = errors.New("the manager is stopping")
	errFellBehind = errors.New("the reader fell behind")
)

// socket is one WebSocket. Only talk writes to it; another goroutine reads,
// and a third asks whether the peer is still there.
type socket struct {
	conn *websocket.Conn
	// heard brings text that the client sent. What nobody takes is dropped.
	heard chan []byte
	// pings counts those sent, pongs is the number of the last that was answered.
	pings, pongs atomic.Int64
}

// converse upgrades the call to a WebSocket and lets talk have it until talk returns, the peer goes away or does not answer, the
// login ends, or the server stops. All its goroutines are gone on return.
func (s *Server) converse(w http.ResponseWriter, r *request, talk func(context.Context, *socket) error) error {
	if err := s.checkSocketOrigin(r.Request); err != nil {
		return err
	}
	// The line outlives the login for as long as a goodbye takes.
	line, hangUp := context.WithCancel(context.WithoutCancel(r.Context()))
	defer hangUp()
	leave, err := r.enterSocket()
	if err != nil {
		return err
	}
	defer leave()
	defer s.sockets.leave(s.sockets.enter(hangUp))
	if err := wantsUpgrade(r.Request); err != nil {
		return err
	}
	// The origin is checked above, more strictly than the library would.
	conn, err := websocket.Accept(w, r.Request, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		s.log.Debug("a WebSocket was not opened", "peer", r.RemoteAddr, "error", err)
		return nil // it has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxHeard)
	k := &socket{conn: conn, heard: make(chan []byte, 4)}
	var aside sync.WaitGroup
	aside.Go(func() { defer hangUp(); k.listen(line) })
	aside.Go(func() { defer hangUp(); k.keepAlive(line) })
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	context.AfterFunc(line, cancel)
	err = talk(ctx, k)
	s.log.Debug("a WebSocket ends", "peer", r.RemoteAddr, "error", err)
	k.close(r.Context(), err)
	hangUp()
	aside.Wait()
	return nil
}

// wantsUpgrade says in our own form what the library would say in its own.
func wantsUpgrade(r *http.Request) error {
	if r.Header.Get("Sec-WebSocket-Key") != "" {
		return nil
	}
	return &job.Error{Code: "upgrade_required", Class: job.Invalid, Message: "this is a WebSocket", Hint: "open it as ws:// or wss://"}
}

// listen hands on text until the peer goes away.
func (k *socket) listen(ctx context.Context) {
	for {
		kind, data, err := k.conn.Read(ctx)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			continue
		}
		select {
		case k.heard <- data:
		default:
		}
	}
}

// keepAlive pings until the peer does not answer.
func (k *socket) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n := k.pings.Add(1)
		within, cancel := context.WithTimeout(ctx, pongTimeout)
		err := k.conn.Ping(within)
		cancel()
		if err != nil {
			return
		}
		k.pongs.Store(n)
	}
}

// send writes v as one text message. A reader who does not take it in time is
// cut off.
func (k *socket) send(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, slowReader)
	defer cancel()
	return k.conn.Write(within, websocket.MessageText, b)
}

// close says goodbye with a reason; a peer who is gone, or does not read, is
// just left.
func (k *socket) close(call context.Context, err error) {
	switch {
	case errors.Is(err, errStopping):
		_ = k.conn.Close(websocket.StatusGoingAway, err.Error())
	case errors.Is(err, errFellBehind):
		_ = k.conn.Close(websocket.StatusTryAgainLater, err.Error())
	case errors.Is(context.Cause(call), errLoginEnded):
		_ = k.conn.Close(websocket.StatusPolicyViolation, errLoginEnded.Message)
	}
}
