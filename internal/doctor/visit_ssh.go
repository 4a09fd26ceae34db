package doctor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/sshd"
)

func (v Visit) sshStage(k known) stage {
	return stage{name: "panel by SSH", checks: []*Check{sshKeys, sshDoor}, run: func(ctx context.Context) []Result {
		o := SSHSeen{Listen: v.Config.SSH.Listen, Manager: k.answers()}
		if o.Listen == "" {
			return judgeSSH(o)
		}
		_, port, _ := net.SplitHostPort(o.Listen)
		o.AnyPort = port == "0"
		if _, keys, err := v.Config.SSHPaths(nil); err == nil {
			o.Files = append(o.Files, lookKeys(keys, false, k.who))
		}
		if path := v.Config.SSH.ReadOnlyKeys; path != "" {
			o.Files = append(o.Files, lookKeys(path, true, k.who))
		}
		if o.Manager && !o.AnyPort {
			o.knock(ctx)
		}
		return judgeSSH(o)
	}}
}

// lookKeys reads a file of keys as the manager does at a login.
func lookKeys(path string, readOnly bool, who Who) KeysSeen {
	o := KeysSeen{Path: path}
	raw, err := sshd.ReadKeysFileOf(path, who.UID)
	var e *job.Error
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.Missing = true
		return o
	case errors.As(err, &e):
		o.Bad, o.Next = e.Message, e.Hint
		return o
	case err != nil:
		o.Unreadable = rootCause(err)
		return o
	}
	if err := readableBy(path, who); err != nil {
		o.Unreadable = rootCause(err) + ", for " + who.String()
		return o
	}
	keys, bad := sshd.ParseKeys(raw, readOnly)
	if o.Keys = len(keys); len(bad) > 0 {
		o.BadLine = bad[0].Error()
	}
	return o
}

// knock reads what an SSH server says first (RFC 4253, 4.2), and leaves.
func (o *SSHSeen) knock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", dialable(o.Listen))
	if err != nil {
		o.Error = rootCause(err)
		return
	}
	defer func() { _ = conn.Close() }()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(until)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 255)).ReadString('\n')
	if o.Banner = strings.TrimSpace(line); o.Banner == "" && err != nil {
		o.Error = "it says nothing"
	}
}
