package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

func (v Visit) loginStage(k known) stage {
	return stage{name: "login file", checks: []*Check{loginFile, proxyHeader}, run: func(ctx context.Context) []Result {
		o := LoginSeen{Path: v.Config.Auth.Htpasswd, Login: v.Config.RequiresLogin(), Header: v.Config.Server.UserHeader, Listens: v.Config.Server.Listen != ""}
		if o.Path != "" {
			o.look(k.who)
		}
		return []Result{judgeLogin(o), judgeHeader(v.Config, believesForged(ctx, v.Config))}
	}}
}

// forgedUser is nobody: a name that the header check makes up.
const forgedUser = "qmtui-doctor-forged"

// believesForged asks for the queue at server.public_url without a login, once
// without and once with a user header. Only what the header alone opens is
// believed; where nobody needs a login, login-file says so.
func believesForged(ctx context.Context, cfg config.Config) bool {
	if cfg.Server.PublicURL == "" || cfg.TrustedHeader() == "" {
		return false
	}
	opens := func(user string) bool {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		resp, err := getPlain(ctx, cfg.Server.PublicURL, api.PathQueueStatus, func(h http.Header) {
			if user != "" {
				h.Set(cfg.TrustedHeader(), user)
			}
		})
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		var s api.QueueStatus
		return resp.StatusCode == http.StatusOK && json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&s) == nil && s.Mode != ""
	}
	return opens(forgedUser) && !opens("")
}

// look reads the password file.
func (o *LoginSeen) look(who Who) {
	info, err := os.Stat(o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.Missing = true
		return
	case err != nil:
		o.Unreadable = rootCause(err)
		return
	case info.IsDir():
		o.Folder = true
		return
	case !info.Mode().IsRegular():
		o.Unreadable = "it is not a regular file"
		return
	}
	o.Mode = uint32(info.Mode().Perm())
	if err := readableBy(o.Path, who); err != nil {
		o.Unreadable = fmt.Sprintf("%s, for %s", rootCause(err), who)
		return
	}
	o.read()
}

func (o *LoginSeen) read() {
	f, err := os.Open(o.Path)
	if err != nil {
		o.Unreadable = rootCause(err)
		return
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		user, what := passwordLine(lines.Text())
		if what != "" && o.BadLine == "" {
			o.BadLine = fmt.Sprintf("line %d: %s", n, what)
		}
		if user != "" {
			o.Users++
		}
	}
	if err := lines.Err(); err != nil {
		o.Unreadable = rootCause(err)
	}
}

// bcryptHash is what bcrypt writes, and what the login takes.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

// passwordLine judges one line of a password file. It shows nothing of a hash.
func passwordLine(line string) (user, wrong string) {
	line = strings.TrimRight(line, "\r")
	if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
		return "", ""
	}
	user, hash, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return "", "there is no colon, so no user and hash"
	case job.CheckUser(user) != nil:
		return "", fmt.Sprintf("%.40q is not a user name", user)
	case !bcryptHash.MatchString(hash):
		return "", "the password of " + user + " is not bcrypt"
	}
	return user, ""
}
