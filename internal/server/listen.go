package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// maxSocketPath is in bytes: the shortest limit of the systems we run on
// (macOS: 104 with the NUL).
const maxSocketPath = 103

// listenTCP listens on an address.
func listenTCP(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &job.Error{Code: "listen_in_use", Class: job.Conflict, Message: "somebody listens on " + address + " already",
			Hint: "stop the other process, or set server.listen"}
	case err != nil:
		return nil, &job.Error{Code: "cannot_listen", Class: job.Unavailable, Message: "cannot listen on " + address + ": " + err.Error(),
			Hint: "set server.listen to an address of this machine"}
	}
	return l, nil
}

// listenSocket listens on a unix socket that only its owner may open. What a
// dead process left there is removed; a live one is left alone.
func (s *Server) listenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, &job.Error{Code: "socket_path_too_long", Class: job.Invalid,
			Message: fmt.Sprintf("the socket's path has %d bytes, more than %d: %s", len(path), maxSocketPath, path), Hint: "set server.socket to a shorter path"}
	}
	if err := ownFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, socketError(path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(socketError(path, err), l.Close())
	}
	return &socketListener{l.(*net.UnixListener), s.log}, nil
}

// ownFolder makes the socket's folder for us alone. One that is there must not
// be open for others to write, since they could put their socket in the place of ours.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return socketError(dir, err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return socketError(dir, err)
	}
	if open := info.Mode().Perm() & 0o022; open != 0 {
		return &job.Error{Code: "socket_folder_open", Class: job.Invalid,
			Message: fmt.Sprintf("others may write to %s (mode %04o), where the socket belongs", dir, info.Mode().Perm()),
			Hint:    fmt.Sprintf("chmod 700 %s, or set server.socket to a folder of its own", dir)}
	}
	return nil
}

// clearStale removes a socket that nobody answers on.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return socketError(path, err)
	case info.Mode().Type() != fs.ModeSocket:
		return &job.Error{Code: "not_a_socket", Class: job.Conflict, Message: path + " is there and is not a socket", Hint: "move it away, or set server.socket"}
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		return &job.Error{Code: "socket_in_use", Class: job.Conflict, Message: "another manager answers on " + path,
			Hint: "use that one, or stop it first"}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return socketError(path, err)
	}
	return nil
}

func socketError(path string, err error) error {
	return &job.Error{Code: "cannot_listen", Class: job.Unavailable, Message: "cannot listen on " + path + ": " + err.Error(),
		Hint: "set server.socket to a place that this user may write to"}
}
