package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
)

const (
	systemState = "/var/lib/qmtui"
	socketName  = "qmtui.sock"

	// maxSocket is the longest socket path in bytes that every system takes:
	// sun_path has 104 on the BSDs and macOS, with the zero at the end, 108 on Linux.
	maxSocket = 103
)

// StateDir is where database and lock live: state.dir, else
// $XDG_STATE_HOME/qmtui, else /var/lib/qmtui for root when that exists, else
// ~/.local/state/qmtui. env is as in Options. It makes no folder.
func (c Config) StateDir(env []string) (string, error) {
	if env == nil {
		env = os.Environ()
	}
	return c.stateDir(newEnvironment(env))
}

func (c Config) stateDir(env environment) (string, error) {
	if c.State.Dir != "" {
		return filepath.Clean(c.State.Dir), nil
	}
	dir, _, err := stateDirOf(env, os.Geteuid() == 0, systemState)
	return dir, err
}

// stateDirOf also says whether the folder is the system's, shared by every session.
func stateDirOf(env environment, root bool, system string) (dir string, shared bool, err error) {
	if x := env.get("XDG_STATE_HOME"); filepath.IsAbs(x) {
		return filepath.Join(x, "qmtui"), false, nil
	}
	if info, err := os.Stat(system); root && err == nil && info.IsDir() {
		return system, true, nil
	}
	if home := env.get("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local/state/qmtui"), false, nil
	}
	return "", false, &Problem{Code: CodeNoHome, Key: "state.dir", Message: "there is no folder for the database, because $HOME is not set", Hint: "set state.dir, or $QMTUI_STATE_DIR"}
}

// SSHPaths are where the SSH server's host key and the file of authorized keys
// live: what the configuration says, else in the state folder.
func (c Config) SSHPaths(env []string) (hostKey, authorized string, err error) {
	dir, err := c.StateDir(env)
	return cmp.Or(c.SSH.HostKeyFile, filepath.Join(dir, "ssh_host_key")), cmp.Or(c.SSH.AuthorizedKeys, filepath.Join(dir, "ssh_authorized_keys")), err
}

// SocketPath is where daemon and clients meet: server.socket; else beside the
// database when state.dir is set or is the system's, so that both find it
// whatever session they run in; else $XDG_RUNTIME_DIR/qmtui/qmtui.sock; else
// beside the database. A path of 104 bytes or more is a Problem.
func (c Config) SocketPath(env []string) (string, error) {
	if env == nil {
		env = os.Environ()
	}
	path, err := c.socketPath(newEnvironment(env), os.Geteuid() == 0, systemState)
	if err != nil {
		return "", err
	}
	return path, checkSocket(path)
}

func (c Config) socketPath(env environment, root bool, system string) (string, error) {
	if c.Server.Socket != "" {
		return filepath.Clean(c.Server.Socket), nil
	}
	if c.State.Dir != "" {
		return filepath.Join(c.State.Dir, socketName), nil
	}
	dir, shared, err := stateDirOf(env, root, system)
	if run := env.get("XDG_RUNTIME_DIR"); filepath.IsAbs(run) && !shared {
		return filepath.Join(run, "qmtui", socketName), nil
	}
	return filepath.Join(dir, socketName), err
}

func checkSocket(path string) error {
	if len(path) <= maxSocket {
		return nil
	}
	return &Problem{Code: CodeSocketPath, Key: "server.socket",
		Message: fmt.Sprintf("the socket path has %d bytes, and %d is the most: %s", len(path), maxSocket, path),
		Hint:    "set server.socket to a shorter path, such as /run/qmtui/qmtui.sock"}
}
