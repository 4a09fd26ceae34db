package fleet

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// way is how prompts reach a deployment on a platform that may hold them.
type way string

const (
	wayUndecided way = ""      // the next prompt finds out
	wayAsync     way = "async" // the platform holds the POST and tells how it goes
	wayPlain     way = "plain" // as to any ComfyUI
)

// wayHolds is for how long a choice is remembered over restarts: a platform
// may learn what it could not do.
const wayHolds = 7 * 24 * time.Hour

// Settings keeps small things over a restart. Its methods may be called from
// any goroutine.
type Settings interface {
	// Setting reads what SetSetting kept under key into v; false when there is nothing.
	Setting(key string, v any) (bool, error)
	SetSetting(key string, v any) error
}

// wayChoice is the way of one deployment, decided by what comes back.
type wayChoice struct {
	name     string
	settings Settings // nil forgets it
	log      *slog.Logger
	now      func() time.Time

	mu     *sync.Mutex
	chosen *keptWay
}

type keptWay struct {
	Way     way       `json:"way"`
	Because string    `json:"because,omitempty"`
	At      time.Time `json:"at"`
}

func newWayChoice(name string, o Options) wayChoice {
	c := wayChoice{name: name, settings: o.Settings, log: o.Logger, now: o.Now, mu: &sync.Mutex{}, chosen: &keptWay{}}
	if c.settings == nil {
		return c
	}
	var kept keptWay
	if ok, err := c.settings.Setting(c.key(), &kept); err != nil {
		c.log.Warn("recall the way to submit", "deployment", name, "error", err)
	} else if ok && c.now().Sub(kept.At) < wayHolds {
		*c.chosen = kept
	}
	return c
}

func (c wayChoice) key() string { return "verda.way." + c.name }

func (c wayChoice) is() way { return c.kept().Way }

func (c wayChoice) kept() keptWay {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.chosen
}

// choose remembers the way, and logs it when it is another than before.
func (c wayChoice) choose(w way, because string) {
	chosen := keptWay{w, because, c.now()}
	c.mu.Lock()
	changed := c.chosen.Way != w
	*c.chosen = chosen
	c.mu.Unlock()
	if !changed {
		return
	}
	c.log.Info("chose the way to submit", "deployment", c.name, "way", string(w), "because", because)
	if c.settings == nil {
		return
	}
	if err := c.settings.SetSetting(c.key(), chosen); err != nil {
		c.log.Warn("remember the way to submit", "deployment", c.name, "error", err)
	}
}

// refusesAsync reports an answer by which a platform turns the asynchronous
// headers down. ComfyUI's own refusals carry a type, so this is none of them,
// and nothing was passed on.
func refusesAsync(e *comfy.SubmitError) bool {
	if e.Err.Type != "" {
		return false
	}
	switch e.Status {
	case http.StatusNotAcceptable, http.StatusExpectationFailed, http.StatusNotImplemented:
		return true
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		text := strings.ToLower(e.Message)
		return strings.Contains(text, "async") || strings.Contains(text, "prefer")
	}
	return false
}

// Way is how prompts reach the deployment and why; both empty while the next
// prompt is to find out.
func (v *verda) Way() (way, because string) {
	kept := v.way.kept()
	return string(kept.Way), kept.Because
}
