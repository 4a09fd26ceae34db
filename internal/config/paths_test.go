package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestStateAndSocketPaths(t *testing.T) {
	system := t.TempDir()
	absent := filepath.Join(system, "absent")
	for name, c := range map[string]struct {
		change        func(*Config)
		env           environment
		root          bool
		system        string
		state, socket string
	}{
		"home":                  {env: environment{"HOME": "/h"}, state: "/h/.local/state/qmtui", socket: "/h/.local/state/qmtui/qmtui.sock"},
		"runtime folder":        {env: environment{"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/1"}, state: "/h/.local/state/qmtui", socket: "/run/user/1/qmtui/qmtui.sock"},
		"XDG state":             {env: environment{"HOME": "/h", "XDG_STATE_HOME": "/s"}, root: true, state: "/s/qmtui", socket: "/s/qmtui/qmtui.sock"},
		"relative XDG is void":  {env: environment{"HOME": "/h", "XDG_STATE_HOME": "s"}, state: "/h/.local/state/qmtui", socket: "/h/.local/state/qmtui/qmtui.sock"},
		"root":                  {env: environment{"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"}, root: true, state: system, socket: system + "/qmtui.sock"},
		"root, not installed":   {env: environment{"HOME": "/root"}, root: true, system: absent, state: "/root/.local/state/qmtui", socket: "/root/.local/state/qmtui/qmtui.sock"},
		"not root":              {env: environment{"HOME": "/h"}, state: "/h/.local/state/qmtui", socket: "/h/.local/state/qmtui/qmtui.sock"},
		"nothing":               {env: environment{"HOME": ""}, state: "", socket: ""},
		"nothing but a runtime": {env: environment{"XDG_RUNTIME_DIR": "/run/user/1"}, state: "", socket: "/run/user/1/qmtui/qmtui.sock"},
		"set": {change: func(c *Config) { c.State.Dir = "/var/q/" }, env: environment{"XDG_RUNTIME_DIR": "/run/user/1"},
			state: "/var/q", socket: "/var/q/qmtui.sock"},
		"socket set": {change: func(c *Config) { c.State.Dir, c.Server.Socket = "/var/q", "/run/q.sock" }, state: "/var/q", socket: "/run/q.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			if c.change != nil {
				c.change(&cfg)
			}
			if c.system == "" {
				c.system = system
			}
			state, stateErr := cfg.State.Dir, error(nil)
			if state == "" {
				state, _, stateErr = stateDirOf(c.env, c.root, c.system)
			}
			if filepath.Clean(state) != filepath.Clean(c.state) || (c.state == "") != (stateErr != nil) {
				t.Errorf("state %q, %v; want %q", state, stateErr, c.state)
			}
			socket, err := cfg.socketPath(c.env, c.root, c.system)
			if (c.socket == "") != (err != nil) || err == nil && socket != c.socket {
				t.Errorf("socket %q, %v; want %q", socket, err, c.socket)
			}
		})
	}
}

func TestSocketPathHasALimit(t *testing.T) {
	for length, good := range map[int]bool{103: true, 104: false} {
		cfg := Default()
		cfg.Server.Socket = "/" + strings.Repeat("s", length-1)
		_, err := cfg.SocketPath([]string{})
		if (err == nil) != good {
			t.Errorf("%d bytes: %v", length, err)
		}
		if ps := ProblemsOf(err); !good && (len(ps) != 1 || ps[0].Code != CodeSocketPath || ps[0].Hint == "") {
			t.Errorf("got %v", err)
		}
	}
}
