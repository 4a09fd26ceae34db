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
		w := WarningsSeen{Answers: k.answers(), Mode: k.status.Mode, Warnings: k.status.Warnings, Stopped: k.stopped(), Vanishing: k.fruitless(), Looked: len(k.recent)}
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
		var failed error
		o.Answer, failed = sameHealth(ctx, "http://"+dialable(o.Listen), k)
		o.Silent = errors.Is(failed, syscall.ECONNREFUSED) || errors.Is(failed, context.DeadlineExceeded)
		if o.Public != "" && o.Answer == "" {
			o.Outside, failed = sameHealth(ctx, o.Public, k)
			o.Unreached = failed != nil
			o.Default = o.Outside != "" && !o.Unreached && nginxDefault(ctx, o.Public)
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
// failed is the error when there was no HTTP answer at all.
func sameHealth(ctx context.Context, base string, k known) (why string, failed error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	resp, err := getPlain(ctx, base, api.PathHealth, func(http.Header) {})
	if err != nil {
		return "no answer: " + rootCause(err), err
	}
	defer func() { _ = resp.Body.Close() }()
	var h api.Health
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return "its answer broke off", nil
	case resp.StatusCode != http.StatusOK:
		return fmt.Sprintf("it answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)), nil
	case json.Unmarshal(body, &h) != nil || h.Status == "":
		return "it answers something else than the manager's health", nil
	case math.Abs(h.Uptime-k.health.Uptime-time.Since(k.at).Seconds()) > 30:
		return fmt.Sprintf("it is another manager, up for %.0f s", h.Uptime), nil
	}
	return "", nil
}

// getPlain gets a path below base, without a login and without following redirects.
func getPlain(ctx context.Context, base, path string, set func(http.Header)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	set(req.Header)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return client.Do(req)
}

// nginxDefault reports the page that nginx shows where nobody has set it up.
func nginxDefault(ctx context.Context, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	resp, err := getPlain(ctx, base, "/", func(http.Header) {})
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return strings.Contains(string(body), "Welcome to nginx!")
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
