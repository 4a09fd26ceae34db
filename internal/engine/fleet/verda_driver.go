package fleet

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// verda speaks ComfyUI's protocol through Verda's containers. When the platform
// holds a POST on request, it is asked about it beside the balancer; otherwise
// the driver does as comfyUI does.
type verda struct {
	comfyUI
	post http.RoundTripper // a connection for each prompt
	look *http.Client      // for /status and /result
	root *url.URL          // what stands before the deployment's name
	name string            // the deployment's name on the platform
	way  wayChoice

	mu     sync.Mutex
	stages map[string]Stage // prompt ids under way
	sent   map[string]bool  // prompt ids the platform was given
}

func newVerda(s Spec, o Options) driver {
	v := &verda{comfyUI: comfyUIOf(s, o), name: platformName(s),
		way: newWayChoice(s.Name, o), stages: map[string]Stage{}, sent: map[string]bool{}}
	v.root = &url.URL{}
	if u, err := url.Parse(s.URL); err == nil { // New has checked it
		*v.root = *u
		v.root.Path = strings.TrimRight(path.Dir("/"+strings.Trim(u.Path, "/")), "/")
	}
	v.post, v.look = transports(o.HTTP)
	return v
}

// platformName is the deployment's name on the platform: as configured, or the
// last part of its address (field.md: https://host/<deployment>/<path>).
func platformName(s Spec) string {
	u, err := url.Parse(s.URL)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return cmp.Or(s.PlatformName, s.Name)
	}
	return cmp.Or(s.PlatformName, path.Base(u.Path))
}

// transports are the given client's, or new ones: a prompt gets a connection
// of its own, because a kept one that was just closed at the other end leaves
// nobody knowing whether it arrived.
func transports(h *http.Client) (post http.RoundTripper, look *http.Client) {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if h != nil {
		own := *h
		own.CheckRedirect = stay
		if own.Transport == nil {
			own.Transport = http.DefaultTransport
		}
		return own.Transport, &own
	}
	fresh := func(once bool) *http.Transport {
		return &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true, DisableKeepAlives: once}
	}
	return fresh(true), &http.Client{Transport: fresh(false), CheckRedirect: stay}
}

// Submit has the platform hold the prompt until a machine takes it, and waits
// for what ComfyUI said to it.
func (v *verda) Submit(ctx context.Context, r comfy.Request) (comfy.Receipt, error) {
	if v.way.is() == wayPlain || !v.first(r.PromptID) {
		return v.Client.Submit(ctx, r)
	}
	defer v.forget(r.PromptID)
	h := &held{v: v, id: r.PromptID}
	receipt, err := v.through(h).Submit(ctx, r)
	var e *comfy.SubmitError
	if h.taken || !errors.As(err, &e) {
		return receipt, err
	}
	switch {
	case refusesAsync(e): // so nothing was passed on
		v.way.choose(wayPlain, "the platform refused: "+e.Message)
		return v.Client.Submit(ctx, r)
	case e.Err.Type != "":
		v.way.choose(wayPlain, "ComfyUI itself answered")
	}
	return receipt, err
}

// through is the same client with another transport.
func (v *verda) through(t http.RoundTripper) *comfy.Client {
	c := *v.Client
	c.HTTP = &http.Client{Transport: t}
	return &c
}

// first reports a prompt id that the platform was not given yet: for one that
// it knows it may answer with what it remembers.
func (v *verda) first(promptID string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sent[promptID] {
		return false
	}
	if len(v.sent) >= 10_000 { // far more than come back for a second POST
		clear(v.sent)
	}
	v.sent[promptID] = true
	return true
}

func (v *verda) forget(promptID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.stages, promptID)
}

func (v *verda) heard(promptID string, s Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stages[promptID] = s
}

// Stage is the least advanced of the prompts under way.
func (v *verda) Stage() Stage {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := Stage("")
	for _, s := range v.stages {
		if out == "" || s.Waits() && !out.Waits() {
			out = s
		}
	}
	return out
}
