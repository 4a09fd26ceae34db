package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// Stage is what the platform says of a POST that it holds. Texts beside the
// known ones are kept as they are.
type Stage string

// The stages of docs.verda.com. Completed means that the container has
// answered the POST, not that anything is rendered (field.md).
const (
	StageInitialized Stage = "Initialized"
	StageQueue       Stage = "Queue"
	StageInference   Stage = "Inference"
	StageCompleted   Stage = "Completed"
)

// Waits says that no machine has the POST yet.
func (s Stage) Waits() bool { return s == StageInitialized || s == StageQueue }

// Admission is what became of a POST. The zero value: nobody knows it.
type Admission struct {
	Stage   Stage
	Receipt comfy.Receipt // once Stage is StageCompleted and Err is nil
	Err     error         // a *comfy.SubmitError; nil unless Stage is StageCompleted
}

const (
	inferenceHeader = "X-Inference-Id"
	lookTimeout     = 30 * time.Second
	heldBody        = 8 << 20                // bytes of an answer
	firstLook       = 100 * time.Millisecond // so that a warm machine is not taken for a cold start
	slowestLook     = 5 * time.Second
	missesAllowed   = 10 // answers in a row that know nothing of the POST
)

// held is the transport of one prompt: it gives the POST to the platform and
// answers with what the container said, whenever that comes.
type held struct {
	v     *verda
	id    string
	taken bool // the platform holds it
}

func (h *held) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Set("Prefer", "respond-async")
	out.Header.Set(inferenceHeader, h.id)
	resp, err := h.v.post.RoundTrip(out)
	if err != nil || resp.StatusCode/100 != 2 {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, heldBody))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	receipt := readHeld(body)
	if receipt.plain() {
		h.v.way.choose(wayPlain, "ComfyUI itself answered")
	}
	if !receipt.taken(resp.Header) {
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
	h.taken = true
	h.v.way.choose(wayAsync, "the platform holds the prompt and tells how it goes")
	return h.v.await(req.Context(), h.id, cmp.Or(receipt.ID, h.id))
}

// heldReceipt is the platform's answer to a POST that it holds, or ComfyUI's
// own (docs.verda.com, "Async Inference").
type heldReceipt struct {
	ID         string          `json:"Id"`
	StatusPath string          `json:"StatusPath"`
	ResultPath string          `json:"ResultPath"`
	PromptID   json.RawMessage `json:"prompt_id"`
	Error      json.RawMessage `json:"error"`
}

func readHeld(body []byte) heldReceipt {
	var r heldReceipt
	if json.Unmarshal(body, &r) != nil {
		return heldReceipt{}
	}
	return r
}

func (r heldReceipt) plain() bool { return len(r.PromptID) > 0 && string(r.PromptID) != "null" }

func (r heldReceipt) taken(h http.Header) bool {
	return !r.plain() && (r.StatusPath != "" || r.ResultPath != "" || h.Get(inferenceHeader) != "")
}

// errNoTrace: the platform took a POST and then did not know it.
var errNoTrace = errors.New("the platform took the prompt and does not know it any more")

// await asks until the container has answered, then gives its answer.
func (v *verda) await(ctx context.Context, promptID, id string) (*http.Response, error) {
	misses := 0
	for wait := firstLook; ; wait = min(wait*3/2, slowestLook) {
		a, err := v.lookAt(ctx, "status", id)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil && a.code == http.StatusOK:
			misses = 0
			stage := a.stage()
			v.heard(promptID, stage)
			if stage == StageCompleted {
				return v.result(ctx, id)
			}
		case err == nil && a.code < 500 && a.code != http.StatusTooManyRequests:
			if misses++; misses >= missesAllowed {
				return nil, errNoTrace
			}
		}
		if !pause(ctx, max(wait, a.retryAfter)) {
			return nil, ctx.Err()
		}
	}
}

// result fetches the container's answer. It is there, so only trouble on the
// way is tried again.
func (v *verda) result(ctx context.Context, id string) (*http.Response, error) {
	for range missesAllowed {
		a, err := v.lookAt(ctx, "result", id)
		if err == nil && a.ofContainer() {
			return a.response(), nil
		}
		if !pause(ctx, max(2*time.Second, a.retryAfter)) {
			return nil, ctx.Err()
		}
	}
	return nil, errors.New("the container answered, but the platform does not give its answer")
}

// Admission asks once what became of a POST, also of one that an earlier
// process sent.
func (v *verda) Admission(ctx context.Context, promptID string) (Admission, error) {
	if v.way.is() == wayPlain {
		return Admission{}, nil
	}
	a, err := v.lookAt(ctx, "status", promptID)
	if err != nil || a.code != http.StatusOK {
		return Admission{}, err
	}
	out := Admission{Stage: a.stage()}
	if out.Stage != StageCompleted {
		return out, nil
	}
	a, err = v.lookAt(ctx, "result", promptID)
	if err != nil || !a.ofContainer() {
		return Admission{}, err
	}
	out.Receipt, out.Err = v.through(given{a}).Submit(ctx, comfy.Request{Prompt: []byte("{}"), PromptID: promptID})
	return out, nil
}

// given is a transport that sends nothing and answers with what is there.
type given struct{ a heldAnswer }

func (g given) RoundTrip(*http.Request) (*http.Response, error) { return g.a.response(), nil }

// lookAt asks the platform, not a replica: it wakes nothing.
func (v *verda) lookAt(ctx context.Context, what, id string) (heldAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.root.JoinPath(what, v.name).String(), nil)
	if err != nil {
		return heldAnswer{}, fmt.Errorf("ask for the %s of a prompt: %w", what, err)
	}
	req.Header.Set(inferenceHeader, id)
	req.Header.Set("Accept", "application/json")
	v.Authorize(req)
	return fetchHeld(v.look, req)
}
