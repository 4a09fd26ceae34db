package fleet

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// Options say which deployments there are and how prompts are sent to them.
type Options struct {
	// Deployments in the order they are listed in. None is allowed: then
	// everything but Check says that there is no such deployment.
	Deployments []Spec
	// Tag is how prompts are marked. The zero value marks nothing but the prompt id.
	Tag Tagging
	// Inputs says that the files which prompts load are brought to the workers.
	Inputs bool
	// SaveNodes are the installation's own rows of comfy's table; they win.
	SaveNodes comfy.SaveNodes
	// SavePreviews turns the previews of a prompt that would save nothing into
	// save nodes; otherwise such a prompt is refused.
	SavePreviews bool
	// Limits bound a prompt; see comfy.Limits.
	Limits comfy.Limits
	// Memory keeps measured times over a restart. Nil forgets them.
	Memory Memory
	// Settings keeps over a restart how prompts reach a deployment and which
	// replicas are held. Nil forgets it; holding needs it.
	Settings Settings
	// Control is the account with the platform's control API, for deployments
	// with driver "verda". The zero value: it is not used.
	Control Control
	// Logger gets what is not for people. Nil discards it.
	Logger *slog.Logger
	// HTTP sends the requests; its own Timeout must be zero or longer than any
	// cold start. Nil means a client of the package's own.
	HTTP *http.Client
	// Zone is where days of spending begin. Nil means local time.
	Zone *time.Location
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// ColdAfter is how long an answer to POST /prompt may take on a machine that
	// is up; a longer one is measured as a cold start. Zero means 5s.
	ColdAfter time.Duration
	// StatsEvery is the time between two looks at /system_stats and /queue
	// while attempts are in flight. Zero means 1m.
	StatsEvery time.Duration
	// NodesEvery is the time between two readings of the list of nodes while
	// attempts are in flight. Zero means 5m.
	NodesEvery time.Duration
	// WarmTimeout bounds Warm and Refresh. Zero means 20m.
	WarmTimeout time.Duration
	// spread is the time between two polls, of KeepAlive. Nil means jitter.
	spread func(time.Duration) time.Duration
}

// Spec is one deployment.
type Spec struct {
	Name   string // unique, not empty
	Driver string // "comfyui" or "verda"; empty means the first
	URL    string // http or https, with the path before /prompt
	Key    string // bearer key; empty for none. Never logged.
	// KeyNow, when not nil, gives the key of each request in place of Key, which may
	// be replaced meanwhile.
	KeyNow func() string
	// Capacity is how many prompts may be there at once. Zero means 1.
	Capacity     int
	PricePerHour float64
	// KeepAlive is the time between two evidence polls while attempts are in
	// flight. Zero or less means no polls, as in the configuration, where the
	// default is 5s: without them a platform may stop a rendering replica.
	KeepAlive time.Duration
	// ScaleToZero says that it may sleep and that any request wakes a paid machine.
	ScaleToZero bool
	// ScaleDown is how long after the last request it goes to sleep; for one
	// that does not, how long an answer counts as news. Zero means 5m (field.md).
	ScaleDown time.Duration
	// PlatformName is what the platform's APIs call it; driver "verda" only.
	// Empty: the last part of URL's path, or Name.
	PlatformName string
}

// Control is an account with a platform's control API.
type Control struct {
	URL      string // "https://api.verda.com/v1"
	ClientID string // empty: the API is not used
	Secret   string // never logged
	// Every is the time between two looks while attempts are in flight or a
	// replica is held; else there is one every four times as long. Zero means 15s.
	Every time.Duration
}

// Tagging switches the marks of a prompt; see comfy.Tag.
type Tagging struct {
	Prefix   bool // a folder for each attempt and node: the strongest evidence
	Metadata bool // the qm key in the files' metadata
	Marker   bool // a 1x1 picture that says on the share that execution began
}

// Memory keeps measured times. Its methods may be called from any goroutine.
type Memory interface {
	// Samples lists those of a deployment, oldest first.
	Samples(deployment string) ([]job.Sample, error)
	AddSample(s job.Sample) error
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.spread == nil {
		o.spread = jitter
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	orElse(&o.ColdAfter, 5*time.Second)
	orElse(&o.StatsEvery, time.Minute)
	orElse(&o.NodesEvery, 5*time.Minute)
	orElse(&o.WarmTimeout, 20*time.Minute)
	orElse(&o.Control.Every, 15*time.Second)
	return o
}

func (s Spec) withDefaults() Spec {
	if s.Driver == "" {
		s.Driver = "comfyui"
	}
	s.Capacity = max(s.Capacity, 1)
	orElse(&s.ScaleDown, 5*time.Minute)
	return s
}

func orElse(d *time.Duration, other time.Duration) {
	if *d <= 0 {
		*d = other
	}
}

func (s Spec) check() error {
	if s.Name == "" {
		return errors.New("a deployment has no name")
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("deployment %s: %q is not an http or https address", s.Name, s.URL)
	}
	return nil
}
