package main

import (
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

// TestExtensionUnits runs the extension's own tests with node's test runner.
func TestExtensionUnits(t *testing.T) {
	cmd := exec.Command(onPath(t, "node"), "--test")
	cmd.Dir = "../../assets/queue_redirect"
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
}

// TestExtensionInChromium lets the shipped extension work in Chromium, in a
// page with the real page's interfaces, against the manager and a fleet.
func TestExtensionInChromium(t *testing.T) {
	b := findBrowser(t)
	g := openGate()
	s := openPageSite(t, interfacePages, func(p *plan) { p.front = g.stand })
	s.awakened("user009")
	b.play(t, "interfaces.mjs", s.front.URL, (&hand{s.site, g, &s.local}).serve)
}

// awakened gives the manager a measured cold start to speak of, by a job of user.
func (s *site) awakened(user string) { s.awaitEnd(s.submit(user, saving("first")).ID, job.Done) }

// hand does what a scenario asks for.
type hand struct {
	*site
	gate  *gate
	local *atomic.Int64 // prompts that a page's own ComfyUI was given
}

func (h *hand) serve(ask string) string {
	verb, rest, _ := strings.Cut(ask, " ")
	switch verb {
	case "hold":
		h.gate.hold()
	case "go":
		h.gate.let()
	case "restart":
		h.halt()
		h.start()
	case "stop":
		h.halt()
	case "start":
		h.start()
	case "local":
		return strconv.FormatInt(h.local.Load(), 10)
	case "state":
		return h.awaitEnd(job.ID(rest), job.Cancelled).State.String()
	case "logged":
		h.eventually("the page's "+rest+" is in the log", func() bool { return h.log.has("browser console", rest) })
		return "yes"
	case "hidden":
		if h.log.has("browser console", rest) {
			return "no"
		}
		return "yes"
	default:
		h.Errorf("nobody knows how to %q", verb)
	}
	return "done"
}

// gate keeps prompts from the fleet while it is held: a cold start as long as
// the test wants it.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func openGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) let() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

func (g *gate) stand(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPrompt(r) {
			g.mu.Lock()
			open := g.open
			g.mu.Unlock()
			select {
			case <-open:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
