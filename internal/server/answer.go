package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// answerTimeout bounds the writing of one answer, or of one piece of a long one.
const answerTimeout = 30 * time.Second

// conflict is an error about a job, told with the job's present state.
type conflict struct {
	err *job.Error
	at  job.State
}

func (c conflict) Error() string { return c.err.Error() }
func (c conflict) Unwrap() error { return c.err }

// refusal is an error about a prompt, told in ComfyUI's words as well.
type refusal struct{ err *job.Error }

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// strangers is an error about who is calling, told with where people log in.
type strangers struct{ err *job.Error }

func (s strangers) Error() string { return s.err.Error() }
func (s strangers) Unwrap() error { return s.err }

// bound gives what is written next its time. Deadlines outlive a request on
// its connection, so every answer sets its own.
func bound(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // a recorder has none
}

// writeNothing answers 204.
func writeNothing(w http.ResponseWriter) error {
	bound(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	h.Set("Cache-Control", "no-store")
	bound(w)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a caller who went away needs no answer
	return nil
}

// writeError answers with an error in the one form there is.
func writeError(w http.ResponseWriter, err error) {
	e := job.AsError(err)
	status := api.StatusOf(e)
	body := api.ErrorBody{Error: *api.FromError(e), Detail: api.Sentence(e), NodeErrors: api.FromError(e).NodeErrors}
	if c := (conflict{}); errors.As(err, &c) {
		body.State, body.Status = c.at.String(), c.at.Status()
	}
	if r := (refusal{}); errors.As(err, &r) {
		inComfyWords(&body)
	}
	if s := (strangers{}); errors.As(err, &s) {
		body.Login = api.PathLogin
	}
	askToWait(w, e)
	_ = writeJSON(w, status, body) // an ErrorBody can always be written
}

// askToWait says when it may be worth trying again.
func askToWait(w http.ResponseWriter, e *job.Error) {
	if status := api.StatusOf(e); status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(e)))
	}
}

// inComfyWords adds what ComfyUI's page reads in its error dialog.
func inComfyWords(b *api.ErrorBody) {
	b.Error.Type, b.Error.Details, b.Error.ExtraInfo = "invalid_prompt", b.Error.Hint, json.RawMessage("{}")
	if len(b.NodeErrors) > len("{}") {
		b.Error.Type = "prompt_outputs_failed_validation"
	}
	if len(b.NodeErrors) == 0 {
		b.NodeErrors = json.RawMessage("{}")
	}
	b.Error.NodeErrors = nil
}

// retryAfter is in seconds.
func retryAfter(e *job.Error) int {
	switch {
	case e.RetryAfter > 0:
		return e.RetryAfter
	case e.Class == job.TooMany:
		return 5
	}
	return 30
}
