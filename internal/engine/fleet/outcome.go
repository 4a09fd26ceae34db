package fleet

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// outcome is what the end of a request says of the deployment.
func outcome(what string, began, ended time.Time, err error) signal {
	s := signal{kind: outcomeKind(err), at: ended, what: what, took: ended.Sub(began)}
	if s.kind == failed || s.kind == denied || s.kind == silent {
		s.err = troubleOf(what, s.kind, err)
	}
	return s
}

func outcomeKind(err error) signalKind {
	var sub *comfy.SubmitError
	var ans *comfy.AnswerError
	switch {
	case err == nil:
		return answered
	case errors.Is(err, context.Canceled):
		return dropped
	case timedOut(err):
		return silent
	case errors.As(err, &sub):
		return submitKind(sub)
	case errors.As(err, &ans) && ans.Code == "endpoint_or_key":
		return denied
	}
	return failed
}

// submitKind reads a refused prompt as an answer: the worker is there. A body
// that is too large may have met a proxy only, and says nothing.
func submitKind(e *comfy.SubmitError) signalKind {
	switch {
	case e.Code == "endpoint_or_key":
		return denied
	case e.Code == "too_large":
		return dropped
	case e.Class == comfy.RefusedForGood:
		return answered
	}
	return failed
}

// timedOut reports that nobody answered in time: our own bound on the call, or
// one of the transport's.
func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// troubleOf turns the error of a request into what people see on the deployment.
func troubleOf(what string, kind signalKind, err error) *job.Error {
	e := &job.Error{Code: "request_failed", Class: job.Unavailable, Message: what + ": " + messageOf(err), Transient: true,
		Hint: "see whether the deployment is up"}
	switch kind {
	case denied:
		e.Code, e.Transient, e.Hint = "endpoint_or_key", false, "check the deployment's url and its key"
	case silent:
		e.Code, e.Message = "no_answer", what+": no answer in time"
	}
	return e
}

// messageOf is the sentence of an error without its code and next step.
func messageOf(err error) string {
	var sub *comfy.SubmitError
	var ans *comfy.AnswerError
	switch {
	case errors.As(err, &sub):
		return sub.Message
	case errors.As(err, &ans):
		return ans.Message
	}
	return err.Error()
}
