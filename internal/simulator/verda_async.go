package simulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// inference is a request that the platform holds. Its state becomes Completed
// when the container has answered, which for POST /prompt is long before
// anything is rendered.
type inference struct {
	id     string
	state  string // Initialized, Queue, Inference, Completed
	answer *heldAnswer
}

// takes says whether the platform deals with the request's headers itself.
func (p *platform) takes(r *http.Request) bool {
	return r.Header.Get("Prefer") == "respond-async" && p.spec.Async != AsyncIgnored
}

// accept answers at once and passes the request on by itself.
func (p *platform) accept(w http.ResponseWriter, r *http.Request, d *deployment, path string) {
	if !d.allowed(r) {
		notFound(w)
		return
	}
	if p.spec.Async == AsyncRefused {
		http.Error(w, "Prefer: respond-async is not available for this deployment", http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		http.Error(w, "413 Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	in := p.open(d, r.Header.Get("X-Inference-Id"))
	passed := r.Clone(context.Background())
	passed.Header.Del("Prefer")
	passed.Header.Del("X-Inference-Id")
	if !p.fleet.start(r.Context(), func(ctx context.Context) { p.pass(ctx, in, d, passed, body, path) }) {
		http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("X-Inference-Id", in.id)
	w.Header().Set("Location", "/result/"+d.spec.Name)
	writeJSON(w, http.StatusAccepted, dict("Id", in.id, "StatusPath", "/status/"+d.spec.Name, "ResultPath", "/result/"+d.spec.Name))
}

func (p *platform) open(d *deployment, id string) *inference {
	if id == "" {
		id = uuid.NewString()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	in := &inference{id: id, state: "Initialized"}
	p.inferences[d.spec.Name+"/"+id] = in
	return in
}

// pass is the request's way through the balancer. A connection that breaks
// behind the platform becomes its 502.
func (p *platform) pass(ctx context.Context, in *inference, d *deployment, r *http.Request, body []byte, path string) {
	p.set(in, "Queue", nil)
	answer := newHeldAnswer()
	defer func() {
		if recover() != nil {
			answer = newHeldAnswer()
			http.Error(answer, "<html><h1>502 Bad Gateway</h1></html>", http.StatusBadGateway)
		}
		if ctx.Err() == nil {
			p.set(in, "Completed", answer)
		}
	}()
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.deliver(answer, r, path, func() { p.set(in, "Inference", nil) })
}

func (p *platform) set(in *inference, state string, answer *heldAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.state, in.answer = state, answer
}

// find looks an inference up; nil when the key or the id is unknown.
func (p *platform) find(r *http.Request, name string) (state string, answer *heldAnswer, ok bool) {
	d := p.fleet.deployments[name]
	if d == nil || !d.allowed(r) {
		return "", nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	in := p.inferences[name+"/"+r.Header.Get("X-Inference-Id")]
	if in == nil {
		return "", nil, false
	}
	return in.state, in.answer, true
}

func (p *platform) serveStatus(w http.ResponseWriter, r *http.Request, name string) {
	state, _, ok := p.find(r, name)
	if !ok {
		notFound(w)
		return
	}
	writeJSON(w, http.StatusOK, dict("Id", r.Header.Get("X-Inference-Id"), "Status", state, "At", millis(time.Now())))
}

func (p *platform) serveResult(w http.ResponseWriter, r *http.Request, name string) {
	_, answer, ok := p.find(r, name)
	if !ok || answer == nil {
		notFound(w)
		return
	}
	sent := *answer
	if p.spec.FlatResults {
		sent.code = http.StatusOK
	}
	for k, v := range answer.header {
		w.Header()[k] = v
	}
	w.WriteHeader(sent.code)
	_, _ = w.Write(answer.body.Bytes()) // the caller may have gone
}
