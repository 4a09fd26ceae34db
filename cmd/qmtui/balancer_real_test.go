package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"path"
	"strings"
	"sync"
)

// balancer stands in front of the replicas as a serverless platform's does:
// every request goes to a random one. Sticky, it knows where a prompt went.
type balancer struct {
	backends []*httputil.ReverseProxy

	mu     sync.Mutex // guards what follows
	sticky bool
	homes  map[string]int // replica by prompt id
	posts  int
	stops  int
	seen   []asked
}

// asked is one request that came through.
type asked struct {
	method, path string
	body         []byte
}

func newBalancer(replicas []*replica) *balancer {
	b := &balancer{homes: map[string]int{}}
	for _, r := range replicas {
		b.backends = append(b.backends, httputil.NewSingleHostReverseProxy(r.url))
	}
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	b.backends[b.choose(asked{r.Method, r.URL.Path, body})].ServeHTTP(w, r)
}

// choose picks the replica for a request and remembers both. Sticky prompts go
// to the replicas in turn; each goes on where its prompt is, except that every
// first of two interrupts goes astray, where it must do no harm.
func (b *balancer) choose(a asked) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, a)
	id := promptOf(a)
	home, known := b.homes[id]
	n := rand.IntN(len(b.backends))
	switch {
	case a.posts():
		if b.sticky {
			n = b.posts % len(b.backends)
			b.posts++
		}
		b.homes[id] = n
	case b.sticky && known && a.stops():
		b.stops++
		n = (home + b.stops) % len(b.backends)
	case b.sticky && known:
		n = home
	}
	return n
}

func (a asked) posts() bool { return a.method == http.MethodPost && a.path == "/prompt" }

// stops reports a request to stop a running prompt: newer servers have their own.
func (a asked) stops() bool { return a.path == "/interrupt" || path.Base(a.path) == "cancel" }

// promptOf is the prompt that a request is about; "" for none.
func promptOf(a asked) string {
	if rest, ok := strings.CutPrefix(a.path, "/api/jobs/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	if rest, ok := strings.CutPrefix(a.path, "/history/"); ok {
		return path.Base(rest)
	}
	var body struct {
		PromptID string   `json:"prompt_id"`
		Delete   []string `json:"delete"`
	}
	if json.Unmarshal(a.body, &body) == nil && body.PromptID == "" && len(body.Delete) == 1 {
		return body.Delete[0]
	}
	return body.PromptID
}

func (b *balancer) setSticky(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sticky = on
}

// count is how many requests came that match.
func (b *balancer) count(match func(asked) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, a := range b.seen {
		if match(a) {
			n++
		}
	}
	return n
}

// home is the replica that a prompt was sent to.
func (b *balancer) home(promptID string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.homes[promptID]
}
