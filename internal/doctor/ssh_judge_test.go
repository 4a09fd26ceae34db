package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
)

// sshCases tries the judges of the panel by SSH.
func sshCases() []ruled {
	with := func(judge func(SSHSeen) Result, break_ func(*SSHSeen)) Result {
		o := SSHSeen{Listen: "100.64.0.1:3022", Manager: true, Banner: "SSH-2.0-qmtui", Files: []KeysSeen{{Path: "/k", Keys: 2}}}
		break_(&o)
		return judge(o)
	}
	file := func(f KeysSeen) func(*SSHSeen) { return func(o *SSHSeen) { o.Files = []KeysSeen{f} } }
	nothing, off := func(*SSHSeen) {}, func(o *SSHSeen) { *o = SSHSeen{} }
	k, d := judgeSSHKeys, judgeSSHDoor
	return []ruled{
		{"healthy", with(k, nothing), "good"},
		{"one of two files", with(k, func(o *SSHSeen) { o.Files = []KeysSeen{{Path: "/k", Missing: true}, {Path: "/r", Keys: 1}} }), "good"},
		{"no server", with(k, off), "off"},
		{"no file", with(k, file(KeysSeen{Path: "/k", Missing: true})), "none"},
		{"no key", with(k, file(KeysSeen{Path: "/k"})), "none"},
		{"command=", with(k, file(KeysSeen{Path: "/k", Keys: 1, BadLine: "line 2: it has command="})), "bad_line"},
		{"others may write", with(k, file(KeysSeen{Path: "/k", Bad: "others may write to /k", Next: "chmod 0600 /k"})), "bad_file"},
		{"not his", with(k, file(KeysSeen{Path: "/k", Unreadable: "permission denied"})), "unreadable"},

		{"healthy", with(d, nothing), "answers"},
		{"no server", with(d, off), "off"},
		{"any port", with(d, func(o *SSHSeen) { o.AnyPort, o.Banner = true, "" }), "off"},
		{"no manager", with(d, func(o *SSHSeen) { o.Manager = false }), "no_manager"},
		{"refused", with(d, func(o *SSHSeen) { o.Error = "connection refused" }), "silent"},
		{"a web server", with(d, func(o *SSHSeen) { o.Banner = "HTTP/1.1 400 Bad Request" }), "stranger"},
	}
}

// TestSSHDoor knocks at servers of this machine, and reads files of keys.
func TestSSHDoor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	says := make(chan string, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, <-says)
			_ = c.Close()
		}
	}()
	v := Visit{}
	v.Config.State.Dir = t.TempDir()
	v.Config.SSH.Listen = l.Addr().String()
	keys := filepath.Join(v.Config.State.Dir, "ssh_authorized_keys")
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@laptop\n"
	for _, step := range []struct {
		says, text string
		mode       os.FileMode
		want       string
	}{
		{"SSH-2.0-Go\r\n", "", 0, "none answers"},
		{"HTTP/1.1 400 Bad Request\r\n", "# none\n", 0o600, "none stranger"},
		{"", key, 0o600, "good silent"},
		{"SSH-2.0-Go\r\n", key, 0o600, "good answers"},
		{"SSH-2.0-Go\r\n", key + `command="rm" ` + key, 0o600, "bad_line answers"},
		{"SSH-2.0-Go\r\n", key, 0o666, "bad_file answers"},
	} {
		if step.text != "" {
			write(t, keys, step.text)
			if err := os.Chmod(keys, step.mode); err != nil {
				t.Fatal(err)
			}
		}
		says <- step.says
		k := known{who: lookWho(0, -1), health: api.Health{Status: "healthy"}}
		if got := codes(v.sshStage(k).run(context.Background())); got != step.want {
			t.Errorf("with %q and %q: %s, want %s", step.says, step.text, got, step.want)
		}
	}
}
