package main

import (
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	g := &gate{open: make(chan struct{})}
	close(g.open)
	s := openPageSite(t, interfacePage, func(p *plan) { p.front = g.stand })
	s.awakened()
	pictures := os.Getenv("QMTUI_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	b.play(t, "interfaces.mjs", map[string]string{"site": s.front.URL, "pictures": pictures}, func(ask string) string { return s.serve(g, ask) })
}

// awakened gives the manager a measured cold start to speak of.
func (s *pageSite) awakened() { s.awaitEnd(s.submit("user009", saving("first")).ID, job.Done) }

// serve does what a scenario asks for.
func (s *pageSite) serve(g *gate, ask string) string {
	verb, rest, _ := strings.Cut(ask, " ")
	switch verb {
	case "hold":
		g.hold()
	case "go":
		g.let()
	case "restart":
		s.halt()
		s.start()
	case "stop":
		s.halt()
	case "start":
		s.start()
	case "local":
		return strconv.FormatInt(s.local.Load(), 10)
	case "state":
		return s.awaitEnd(job.ID(rest), job.Cancelled).State.String()
	case "logged":
		return s.logged(rest)
	}
	return "done"
}

// logged waits a little for what should be in the log, and no longer.
func (s *pageSite) logged(words string) string {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for range 40 {
		if s.log.has("browser console", words) {
			return "yes"
		}
		<-ticker.C
	}
	return "no"
}

// gate keeps prompts from the fleet while it is held: a cold start as long as
// the test wants it.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
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
