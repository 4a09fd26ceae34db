package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// maxBody is ComfyUI's default --max-upload-size; above it the answer is 413.
const maxBody = 100 << 20

// hang is how long a request whose answer never comes is held before the
// connection is cut.
const hang = 2 * time.Second

// request is an HTTP request with its body read and its path cut.
type request struct {
	method string
	path   string // escaped, without the deployment and /api
	api    bool   // the path began with /api
	query  url.Values
	body   []byte
	host   string
	plan   fault
	// occurrence and content drive the render's dice.
	content    string
	occurrence int
	// reached, when not nil, is told that a replica has been found.
	reached func()
}

// is says whether this is METHOD /path.
func (q *request) is(method, path string) bool { return q.method == method && q.path == path }

// serve is the balancer: it checks the key, counts the message, breaks what
// the dice say and hands the rest to a replica.
func (d *deployment) serve(w http.ResponseWriter, r *http.Request, path string) {
	if !d.allowed(r) {
		notFound(w)
		return
	}
	d.deliver(w, r, path, nil)
}

// deliver is serve for a message whose key has been checked.
func (d *deployment) deliver(w http.ResponseWriter, r *http.Request, path string, reached func()) {
	d.message(+1)
	defer d.message(-1)
	q, err := d.read(r, path)
	if err != nil {
		http.Error(w, "413 Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	q.reached = reached
	switch {
	case q.plan.has(badGateway):
		gatewayError(w)
	case q.plan.has(unavailable):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
	default:
		d.forward(w, r, q)
	}
}

func (d *deployment) read(r *http.Request, path string) (*request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return nil, err
	}
	rest, api := strings.CutPrefix(path, "/api/")
	if api {
		path = "/" + rest
	}
	q := &request{method: r.Method, path: path, api: api, query: r.URL.Query(), body: body, host: r.Host}
	d.fleet.throw(q)
	if q.is("POST", "/prompt") {
		q.plan |= d.gateway()
	}
	return q, nil
}

// gateway is what becomes of the next prompt's answer.
func (d *deployment) gateway() fault {
	g := d.spec.Gateway
	d.mu.Lock()
	defer d.mu.Unlock()
	d.posts++
	switch {
	case g.Of == 0 || (d.posts-1)%g.Of >= g.Fail:
		return 0
	case g.Accepted:
		return gatewayAccepted
	}
	return badGateway
}

// throw decides what goes wrong with a request. Only 502 and 503 happen to
// requests that are not prompts.
func (f *Fleet) throw(q *request) {
	if !q.is("POST", "/prompt") {
		f.mu.Lock()
		f.polls++
		n := f.polls
		f.mu.Unlock()
		q.plan = f.cfg.Faults.plan(f.cfg.Seed, fmt.Sprint("poll ", n), 0, 0) & (badGateway | unavailable)
		return
	}
	content, job := contentOf(q.body)
	f.mu.Lock()
	q.content, q.occurrence = content, f.seen[content]
	f.seen[content]++
	returns := f.jobs[job]
	if job != "" {
		f.jobs[job]++
	}
	f.mu.Unlock()
	q.plan = f.cfg.Faults.plan(f.cfg.Seed, q.content, q.occurrence, returns)
}

// contentOf is what stays the same when a prompt is sent again under a fresh
// prompt id, and the job its metadata names, "" when they name none.
func contentOf(body []byte) (content, job string) {
	v, err := loads(body)
	top, ok := v.(*object)
	if err != nil || !ok {
		return "malformed", ""
	}
	content = dumps(top.values["prompt"])
	if id, ok := top.values["prompt_id"].(string); ok && id != "" {
		content = strings.ReplaceAll(content, id, "")
	}
	if name := dig(v, "extra_data", "extra_pnginfo", comfy.MetadataKey, "job"); name != nil {
		job = text(name)
	}
	return content, job
}

// forward finds a replica, waiting through a cold start, and lets it answer.
func (d *deployment) forward(w http.ResponseWriter, r *http.Request, q *request) {
	rep, err := d.reach(r.Context(), d.chooser(q))
	switch {
	case errors.Is(err, errNobody):
		writeJSON(w, http.StatusOK, dict())
		return
	case err != nil:
		http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
		return
	}
	if q.reached != nil {
		q.reached()
	}
	if q.is("POST", "/prompt") {
		d.submit(w, r.Context(), q, rep)
		return
	}
	rep.answer(w, q)
}

// submit gives a prompt to a replica, to a second one on a duplicate
// execution, and loses the answer on a time-out after acceptance.
func (d *deployment) submit(w http.ResponseWriter, ctx context.Context, q *request, rep *replica) {
	answer := newHeldAnswer()
	rep.answer(answer, q)
	if answer.code == http.StatusOK && q.plan.has(duplicate) && !d.savesByName(q.body) {
		again := *q
		again.plan &= slowVisibility | wrongOrder
		d.other(rep).answer(newHeldAnswer(), &again)
	}
	if answer.code == http.StatusOK && q.plan.has(timeoutAccepted) {
		d.fleet.sleep(ctx, hang)
		panic(http.ErrAbortHandler)
	}
	if answer.code == http.StatusOK && q.plan.has(gatewayAccepted) {
		gatewayError(w)
		return
	}
	answer.send(w)
}

// savesByName says whether a prompt has a node that takes its files' names from
// the user. Nothing tells two executions of such a prompt apart, so that a late
// second one would overwrite the files of other prompts.
func (d *deployment) savesByName(body []byte) bool {
	v, err := loads(body)
	nodes, ok := dig(v, "prompt").(*object)
	if err != nil || !ok {
		return false
	}
	for _, id := range nodes.keys {
		class := text(dig(nodes.values[id], "class_type"))
		if s, ok := savers[class]; ok && s.key != "result" && (s.naming == flat || s.naming == named || s.prefix != "filename_prefix") {
			return true
		}
	}
	return false
}

func gatewayError(w http.ResponseWriter) {
	http.Error(w, "<html><h1>502 Bad Gateway</h1></html>", http.StatusBadGateway)
}

// heldAnswer keeps a replica's answer until the balancer has decided what
// becomes of it.
type heldAnswer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func newHeldAnswer() *heldAnswer { return &heldAnswer{header: http.Header{}, code: http.StatusOK} }

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(code int)        { a.code = code }
func (a *heldAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *heldAnswer) send(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body.Bytes()) // the caller may have gone
}

// choice picks a replica among the live ones; nil means that none may answer.
type choice func(live []*replica, dice *rand.Rand) *replica

func anyOf(live []*replica, dice *rand.Rand) *replica { return live[dice.IntN(len(live))] }

func (d *deployment) chooser(q *request) choice {
	switch {
	case d.fleet.cfg.Balance == Sticky:
		return func(live []*replica, dice *rand.Rand) *replica { return stick(live, dice, q) }
	case d.fleet.cfg.Balance == Never && (strings.HasPrefix(q.path, "/history") || strings.HasPrefix(q.path, "/jobs/")):
		return func(live []*replica, dice *rand.Rand) *replica { return avoid(live, dice, q) }
	}
	return anyOf
}

// avoid finds a replica whose history cannot answer the request.
func avoid(live []*replica, dice *rand.Rand, q *request) *replica {
	strangers := except(live, (*replica).ran)
	if id := historyID(q.path); id != "" {
		strangers = except(live, func(r *replica) bool { return r.knows(id) })
	}
	if len(strangers) == 0 {
		return nil
	}
	return anyOf(strangers, dice)
}

func except(live []*replica, drop func(*replica) bool) []*replica {
	var kept []*replica
	for _, r := range live {
		if !drop(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// stick finds the replica that knows the request's prompt ids; a new prompt
// goes to the one with the shortest queue.
func stick(live []*replica, dice *rand.Rand, q *request) *replica {
	if q.is("POST", "/prompt") {
		best := anyOf(live, dice)
		for _, r := range live {
			if r.load() < best.load() {
				best = r
			}
		}
		return best
	}
	for _, id := range q.promptIDs() {
		for _, r := range live {
			if r.knows(id) {
				return r
			}
		}
	}
	return anyOf(live, dice)
}

// promptIDs are the ids a request speaks of, in its path or its body.
func (q *request) promptIDs() []string {
	if id := historyID(q.path); id != "" {
		return []string{id}
	}
	v, err := loads(q.body)
	body, ok := v.(*object)
	if err != nil || !ok {
		return nil
	}
	var ids []string
	if id, ok := body.values["prompt_id"].(string); ok {
		ids = append(ids, id)
	}
	list, _ := body.values["delete"].([]any)
	for _, id := range list {
		ids = append(ids, text(id))
	}
	return ids
}

func historyID(path string) string {
	if id, ok := jobID(path); ok {
		return id
	}
	id, err := url.PathUnescape(strings.TrimPrefix(path, "/history/"))
	if err != nil || !strings.HasPrefix(path, "/history/") {
		return ""
	}
	return id
}
