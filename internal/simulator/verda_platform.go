package simulator

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Platform plays what Verda has around the containers: asynchronous headers
// with /status and /result, and the control API below /v1 (docs.verda.com,
// "Async Inference"; the shapes of the control API are those of the vendor's
// own SDK). A call to any of it wakes no replica.
type Platform struct {
	// ClientID and ClientSecret are what the control API takes. Empty: it
	// answers every log-in with 401.
	ClientID, ClientSecret string
	// TokenLife is how long an access token lasts, before Speed. Zero: 1h.
	TokenLife time.Duration
	// Async is what becomes of "Prefer: respond-async".
	Async Async
	// FlatResults answers /result with 200 whatever the container's status was.
	FlatResults bool
}

// Async is what a platform makes of the asynchronous headers.
type Async int

const (
	AsyncServed  Async = iota // answered as documented
	AsyncIgnored              // passed on to the container, which answers itself
	AsyncRefused              // 400 in the platform's own words, nothing is passed on
)

// platform is the running Platform.
type platform struct {
	fleet *Fleet
	spec  Platform

	mu         sync.Mutex
	inferences map[string]*inference // by deployment and id
	issued     int                   // tokens so far
	tokens     map[string]time.Time  // until when they hold
	throttled  int                   // control calls that are still to be answered 429
	retryAfter string                // what these say
	said       map[string]string     // deployment -> a status in place of the true one
	calls      []string              // control calls, "GET /container-deployments/x/status"
}

func newPlatform(f *Fleet, spec Platform) *platform {
	spec.TokenLife = cmp.Or(spec.TokenLife, time.Hour)
	return &platform{fleet: f, spec: spec, inferences: map[string]*inference{}, tokens: map[string]time.Time{}, said: map[string]string{}}
}

// serves answers what is the platform's own; false for a deployment's path.
func (p *platform) serves(w http.ResponseWriter, r *http.Request) bool {
	head, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if p.fleet.deployments[head] != nil {
		return false
	}
	switch head {
	case "status":
		p.serveStatus(w, r, rest)
	case "result":
		p.serveResult(w, r, rest)
	case "v1":
		p.serveControl(w, r, "/"+rest)
	default:
		return false
	}
	return true
}

// ExpireTokens makes every access token given out so far invalid, before its time.
func (f *Fleet) ExpireTokens() {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	clear(f.platform.tokens)
}

// Throttle answers the next n control calls with 429 and that Retry-After.
func (f *Fleet) Throttle(n int, retryAfter string) {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	f.platform.throttled, f.platform.retryAfter = n, retryAfter
}

// Say has the control API give that status of a deployment, whatever is true;
// empty for the truth again.
func (f *Fleet) Say(deployment, status string) {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	f.platform.said[deployment] = status
}

// ControlCalls lists the calls to the control API, log-ins among them.
func (f *Fleet) ControlCalls() []string {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	return append([]string(nil), f.platform.calls...)
}
