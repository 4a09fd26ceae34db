package comfy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// submitBody bounds the answer to a prompt, which may repeat inputs, in bytes.
const submitBody = 8 << 20

// Submit sends one POST /prompt and never a second one: ComfyUI runs the same id
// twice when it comes twice. Every error is a *SubmitError. The answer comes before
// anything executes, but a cold start can delay it by minutes: the caller's context
// is the only limit.
func (c *Client) Submit(ctx context.Context, r Request) (Receipt, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Receipt{}, &SubmitError{Class: RefusedForGood, Code: "malformed_prompt",
			Message: "the prompt cannot be written as JSON: " + err.Error(), cause: err}
	}
	var connected atomic.Bool // set by the transport's goroutine
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := c.request(httptrace.WithClientTrace(ctx, trace), http.MethodPost, "/prompt", body)
	if err != nil {
		return Receipt{}, &SubmitError{Class: RefusedForGood, Code: "endpoint_or_key",
			Message: err.Error(), Hint: "check the deployment's url", cause: err}
	}
	resp, err := c.http(submitHTTP).Do(req)
	if err != nil {
		return Receipt{}, notAnswered(c.clean(err), connected.Load())
	}
	defer resp.Body.Close()
	answered, err := c.readBody(resp.Body, submitBody)
	if err != nil && resp.StatusCode/100 == 2 {
		return Receipt{}, unreadable(resp.StatusCode, err)
	}
	return settle(resp, answered)
}

// notAnswered classifies a failure without an answer. Before there was a connection,
// TLS included, nothing can have been sent; from then on it can.
func notAnswered(cause error, connected bool) *SubmitError {
	if !connected {
		return &SubmitError{Class: TryLater, Code: "unreachable", cause: cause,
			Message: "no connection to the endpoint: " + cause.Error(), Hint: "nothing was sent"}
	}
	return &SubmitError{Class: NobodyKnows, Code: "no_answer", cause: cause,
		Message: "the endpoint did not answer: " + cause.Error(), Hint: "the prompt may run all the same"}
}

func unreadable(status int, cause error) *SubmitError {
	return &SubmitError{Class: NobodyKnows, Status: status, Code: "unreadable_answer", cause: cause,
		Message: fmt.Sprintf("the endpoint answered %d, but not as ComfyUI does: %v", status, cause),
		Hint:    "the prompt may run all the same"}
}

// settle turns the answer into a receipt or into a classified error.
func settle(resp *http.Response, body []byte) (Receipt, error) {
	a, err := readAnswer(body)
	if resp.StatusCode/100 == 2 {
		if err != nil {
			return Receipt{}, unreadable(resp.StatusCode, fmt.Errorf("%w: %s", err, excerpt(string(body))))
		}
		if receipt, ok := a.receipt(); ok {
			return receipt, nil
		}
		return Receipt{}, unreadable(resp.StatusCode, fmt.Errorf("%w: no prompt_id", errNotJSON))
	}
	if resp.StatusCode == http.StatusBadRequest && err == nil {
		if e, ok := a.comfyError(); ok {
			return Receipt{}, refused(e, readNodeErrors(a.NodeErrors))
		}
	}
	return Receipt{}, rejected(resp, body)
}

// refused is ComfyUI's own 400.
func refused(e ComfyError, nodes map[string]NodeError) *SubmitError {
	out := &SubmitError{Class: RefusedForGood, Status: http.StatusBadRequest, Err: e, NodeErrors: nodes,
		Code: e.Type, Message: excerpt(e.Message)}
	if out.Code == "" {
		out.Code = "refused"
	}
	if out.Message == "" {
		out.Message = "ComfyUI refused the prompt"
	}
	if details := excerpt(e.Details); details != "" && details != out.Message {
		out.Message += ": " + details
	}
	return out
}

// rejected is any other status.
func rejected(resp *http.Response, body []byte) *SubmitError {
	code, message, hint := explain(resp.StatusCode, body)
	e := &SubmitError{Status: resp.StatusCode, Code: code, Message: message, Hint: hint,
		RetryAfter: retryAfter(resp.Header, time.Now())}
	switch {
	case later(resp.StatusCode) && !wasCutOff(body):
		e.Class = TryLater
	case resp.StatusCode < 500 && code != "server_error":
		e.Class = RefusedForGood
	case isWrongShape(resp, body):
		e.Class, e.Code = RefusedForGood, "malformed_prompt"
		e.Message, e.Hint = "ComfyUI could not make sense of the prompt (500 in plain text)", "check the workflow's shape"
	default:
		e.Code, e.Hint = "server_error", "the prompt may run all the same"
	}
	return e
}

// isWrongShape reports the 500 in plain text with which ComfyUI's web server answers
// malformed JSON and wrong shapes, before anything is queued (0.8.0, transcripts
// 03-prompt-errors: bad_json, prompt_null, number_str, ...). A proxy's 500 is another.
func isWrongShape(resp *http.Response, body []byte) bool {
	return resp.StatusCode == http.StatusInternalServerError &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") &&
		bytes.Contains(body, []byte("Server got itself in trouble"))
}

// wasCutOff reports the 503 of an Envoy proxy that had passed the request on before the
// connection behind it broke: it says "upstream connect error or disconnect/reset before
// headers. reset reason: ..." and only some of the reasons mean that nothing was sent.
func wasCutOff(body []byte) bool {
	text := string(body)
	return strings.Contains(text, "disconnect/reset before headers") &&
		!strings.Contains(text, "connection failure") &&
		!strings.Contains(text, "connection timeout") &&
		!strings.Contains(text, "overflow")
}
