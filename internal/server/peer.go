package server

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"
)

// socketListener lets in only our own user and root, whatever the socket's
// mode says, and names each connection by its peer.
type socketListener struct {
	*net.UnixListener
	log *slog.Logger
}

// Accept waits for a caller who may come in.
func (l *socketListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(conn)
		if err == nil && mayEnter(uid, os.Geteuid()) {
			return peerConn{conn, peerAddr(userName(uid))}, nil
		}
		l.log.Warn("refused a caller on the socket", "uid", uid, "error", err)
		conn.Close()
	}
}

func mayEnter(uid, ours int) bool { return uid == ours || uid == 0 }

// peerConn is a connection whose remote address is the name of the peer.
type peerConn struct {
	net.Conn
	peer peerAddr
}

func (c peerConn) RemoteAddr() net.Addr { return c.peer }

// peerAddr is the name of the user at the other end of a unix socket. No
// caller by TCP can have such an address.
type peerAddr string

// Network names the network, for net.Addr.
func (peerAddr) Network() string { return "unix" }

func (a peerAddr) String() string { return string(a) }

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid%d", uid)
}
