package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// ErrNoDaemon is what a call returns when nobody listens: the connection was
// refused or the socket is not there. Compare with errors.Is.
var ErrNoDaemon = &job.Error{Code: "no_daemon", Class: job.Unavailable, Transient: true,
	Message: "no manager is running there", Hint: `start one with "qmtui --daemon"`}

// call is one request of the contract.
type call struct {
	verb    string // what a person would say it does, for errors
	method  string
	path    string // filled
	query   url.Values
	body    any // nil for none
	header  http.Header
	timeout time.Duration // zero means callTimeout
}

// do sends a call and decodes the answer into answer (nil to ignore it). It
// returns the answer's status and headers.
func (c *Client) do(ctx context.Context, k call, answer any) (int, http.Header, error) {
	timeout := k.timeout
	if timeout == 0 {
		timeout = callTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := c.send(bounded, k)
	if err != nil {
		return 0, nil, c.explain(ctx, k.verb, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, c.explain(ctx, k.verb, err)
	case int64(len(body)) > c.maxAnswer:
		return 0, nil, &job.Error{Code: "answer_too_large", Class: job.TooLarge,
			Message: fmt.Sprintf("the answer has more than %d bytes", c.maxAnswer), Hint: "ask for less at once"}
	case resp.StatusCode >= 300:
		return resp.StatusCode, resp.Header, decodeError(resp.StatusCode, body)
	case answer == nil:
		return resp.StatusCode, resp.Header, nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return 0, nil, &job.Error{Code: "bad_answer", Class: job.Internal,
			Message: fmt.Sprintf("%s: the answer is not what the contract says: %v", k.verb, err),
			Hint:    "is this a manager, and of the same version? see qmtui version"}
	}
	return resp.StatusCode, resp.Header, nil
}

// send sends a call and returns the answer with its body unread.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	var body io.Reader
	if k.body != nil {
		b, err := json.Marshal(k.body)
		if err != nil {
			return nil, &job.Error{Code: "bad_json", Class: job.Invalid, Message: "the request is not JSON: " + err.Error()}
		}
		body = bytes.NewReader(b)
	}
	target := c.base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, err
	}
	if k.header != nil {
		req.Header = k.header
	}
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.userHeader != "" {
		req.Header.Set(c.userHeader, c.user)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.lookOnly {
		req.Header.Set(HeaderReadOnly, "1")
	}
	return c.http.Do(req)
}

// explain turns a failure on the way into an error for people.
func (c *Client) explain(ctx context.Context, verb string, err error) error {
	var known *job.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", verb, ctx.Err())
	case errors.As(err, &known):
		return known
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		none := *ErrNoDaemon
		none.Message = "no manager listens on " + c.target
		return &none
	case errors.Is(err, fs.ErrPermission):
		return &job.Error{Code: "socket_denied", Class: job.Forbidden, Message: "the socket " + c.target + " belongs to another user",
			Hint: "run this as the manager's user, or as root"}
	case errors.Is(err, context.DeadlineExceeded):
		return &job.Error{Code: "timeout", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("%s: the manager on %s did not answer in time", verb, c.target), Hint: "look at its log"}
	}
	return &job.Error{Code: "connection_lost", Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("%s: the connection to %s broke: %v", verb, c.target, err), Hint: "try again"}
}
