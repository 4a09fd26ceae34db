package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

func (v Visit) managerStage(k known) stage {
	return stage{name: "manager", checks: []*Check{managerSocket, managerWarnings}, run: func(context.Context) []Result {
		w := WarningsSeen{Answers: k.answers(), Mode: k.status.Mode, Warnings: k.status.Warnings, Vanishing: k.fruitless(), Looked: len(k.recent)}
		return []Result{judgeSocket(v.seeSocket(k)), judgeWarnings(w)}
	}}
}

func (v Visit) seeSocket(k known) SocketSeen {
	o := SocketSeen{Error: k.err, Version: k.health.Version}
	if v.Manager != nil {
		o.Path = v.Manager.Target()
	}
	if o.Network = !filepath.IsAbs(o.Path); o.Network {
		return o
	}
	info, err := os.Stat(o.Path)
	if o.Missing = errors.Is(err, fs.ErrNotExist); err == nil {
		o.Mode = uint32(info.Mode().Perm())
	}
	return o
}

func (v Visit) processStage(k known) stage {
	return stage{name: "limits of the process", checks: []*Check{processFiles, processWatches}, run: func(context.Context) []Result {
		o := lookProcess(k.pid)
		o.Watching = v.Config.Share.Watch == "notify" || k.status.Share.Watch == "notify"
		return judgeProcess(o)
	}}
}

func (v Visit) webStage(k known) stage {
	return stage{name: "web server", checks: []*Check{webServer}, run: func(ctx context.Context) []Result {
		o := WebSeen{Listen: v.Config.Server.Listen, Manager: k.answers(), Another: v.foreign(k), Public: v.Config.Server.PublicURL}
		if o.Listen == "" || !o.Manager {
			return []Result{judgeWeb(o)}
		}
		o.Silent, o.Answer = sameHealth(ctx, "http://"+dialable(o.Listen), k)
		if o.Public != "" && o.Answer == "" {
			_, o.Outside = sameHealth(ctx, o.Public, k)
		}
		return []Result{judgeWeb(o)}
	}}
}

// foreign reports that the manager that answers was not started with this configuration.
func (v Visit) foreign(k known) bool {
	return k.answers() && k.status.Share.Path != "" && k.status.Share.Path != v.Config.Share.Outputs
}

// dialable turns "listen on every address" into this machine's own.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// sameHealth asks an address for the manager's health and compares it with
// that from the socket. why is empty when it is the same manager's.
func sameHealth(ctx context.Context, base string, k known) (silent bool, why string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+api.PathHealth, nil)
	if err != nil {
		return true, err.Error()
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil, "no answer: " + rootCause(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var h api.Health
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return false, "its answer broke off"
	case resp.StatusCode != http.StatusOK:
		return false, fmt.Sprintf("it answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case json.Unmarshal(body, &h) != nil || h.Status == "":
		return false, "it answers something else than the manager's health"
	case math.Abs(h.Uptime-k.health.Uptime-time.Since(k.at).Seconds()) > 30:
		return false, fmt.Sprintf("it is another manager, up for %.0f s", h.Uptime)
	}
	return false, ""
}

// rootCause is the innermost error, without addresses that the sentence has already.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
