package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/job"
)

// Error is a [job.Error] on the wire.
type Error struct {
	Code       string          `json:"code"`
	Class      job.Class       `json:"class,omitempty"`
	Message    string          `json:"message"`
	Hint       string          `json:"hint"`
	Node       string          `json:"node,omitempty"`
	NodeType   string          `json:"node_type,omitempty"`
	Traceback  []string        `json:"traceback,omitempty"`
	NodeErrors json.RawMessage `json:"node_errors,omitempty"` // ComfyUI's own, by node id
	Transient  bool            `json:"transient,omitempty"`   // the same again may work later
	RetryAfter int             `json:"retry_after,omitempty"` // seconds

	// Type, Details and ExtraInfo are set when a prompt is refused: the fields
	// that ComfyUI's page reads in its error dialog.
	Type      string          `json:"type,omitempty"`
	Details   string          `json:"details,omitempty"`
	ExtraInfo json.RawMessage `json:"extra_info,omitempty"`
}

// ErrorBody is the body of every answer that is not good.
type ErrorBody struct {
	Error  Error  `json:"error"`
	Detail string `json:"detail"` // the same in one sentence, for old callers
	// NodeErrors stand where ComfyUI puts them; only when a prompt is refused.
	NodeErrors json.RawMessage `json:"node_errors,omitempty"`
	// State and Status say how far the job is, with a conflict.
	State  string `json:"state,omitempty"`
	Status string `json:"status,omitempty"`
	// Login is the path at which people log in, with login_required; empty when
	// that is not the manager's business.
	Login string `json:"login,omitempty"`
}

// FromError is e on the wire; nil for nil. Node errors that are not JSON are
// dropped, since they would spoil the whole answer.
func FromError(e *job.Error) *Error {
	if e == nil {
		return nil
	}
	out := &Error{Code: e.Code, Class: e.Class, Message: harmless(e.Message), Hint: harmless(e.Hint), Node: harmless(e.Node), NodeType: harmless(e.NodeType),
		Transient: e.Transient, RetryAfter: e.RetryAfter}
	for _, line := range e.Traceback {
		out.Traceback = append(out.Traceback, harmless(line))
	}
	if json.Valid(e.NodeErrors) {
		out.NodeErrors = jsonControl.ReplaceAllFunc(e.NodeErrors, func(b []byte) []byte {
			switch {
			case b[0] != '\\': // as it is
				r, _ := utf8.DecodeRune(b)
				return fmt.Appendf(nil, `\\x%02x`, r)
			case b[1] == 'u':
				return append([]byte(`\\x`), b[4:]...)
			}
			return b
		})
	}
	return out
}

// harmless is a text of a worker without characters that a terminal obeys: they
// stand there as \x1b does. Line ends and tabs stay.
func harmless(s string) string {
	bad := func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r != utf8.RuneError && bad(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// jsonControl finds control characters as JSON writes them, beside escaped
// backslashes. Line ends and tabs have a form of their own.
var jsonControl = regexp.MustCompile(`\\\\|\\u00(?:0[0-8bcefBCEF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])|[\x7f-\x{9f}]`)

// Err is the error in the vocabulary; nil for nil.
func (e *Error) Err() *job.Error {
	if e == nil {
		return nil
	}
	return &job.Error{Code: e.Code, Class: e.Class, Message: e.Message, Hint: e.Hint, Node: e.Node, NodeType: e.NodeType,
		Traceback: e.Traceback, NodeErrors: e.NodeErrors, Transient: e.Transient, RetryAfter: e.RetryAfter}
}

// Sentence is an error without its code: what broke, and the next step.
func Sentence(e *job.Error) string {
	s := e.Message
	if e.Node != "" {
		s = fmt.Sprintf("node %s: %s", e.Node, s)
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

var statusOfClass = map[job.Class]int{
	job.Invalid: http.StatusBadRequest, job.TooLarge: http.StatusRequestEntityTooLarge, job.NotFound: http.StatusNotFound,
	job.Forbidden: http.StatusForbidden, job.Conflict: http.StatusConflict, job.TooMany: http.StatusTooManyRequests,
	job.Unavailable: http.StatusServiceUnavailable, job.Internal: http.StatusInternalServerError,
}

// statusOfCode holds the codes whose status does not follow from their class.
// What the first site answered 422 to (a field with a bad value) stays 422.
var statusOfCode = map[string]int{
	"bad_user": http.StatusUnprocessableEntity, "unknown_user": http.StatusUnprocessableEntity, "bad_priority": http.StatusUnprocessableEntity,
	"missing_field": http.StatusUnprocessableEntity, "bad_field": http.StatusUnprocessableEntity,
	"too_deep": http.StatusUnprocessableEntity, "too_many_nodes": http.StatusUnprocessableEntity,
	"unsupported_media_type": http.StatusUnsupportedMediaType, "no_preview": http.StatusUnsupportedMediaType,
	"method_not_allowed": http.StatusMethodNotAllowed, "login_required": http.StatusUnauthorized,
	"bad_login": http.StatusUnauthorized, "bad_token": http.StatusUnauthorized,
	"body_timeout": http.StatusRequestTimeout, "inputs_full": http.StatusInsufficientStorage,
}

// StatusOf is the HTTP status that an error is answered with.
func StatusOf(e *job.Error) int {
	if s, ok := statusOfCode[e.Code]; ok {
		return s
	}
	if s, ok := statusOfClass[e.Class]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// classOf is the class for a status when the answer does not say it.
func classOf(status int) job.Class {
	for class, s := range statusOfClass {
		if s == status {
			return class
		}
	}
	switch {
	case status == http.StatusUnauthorized:
		return job.Forbidden
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return job.Unavailable
	case status >= 500:
		return job.Internal
	}
	return job.Invalid
}

// decodeError reads the body of an answer that is not good. Anything that is
// not ours (a proxy's page, say) becomes an error named for its status.
func decodeError(status int, body []byte) *job.Error {
	var b ErrorBody
	if json.Unmarshal(body, &b) != nil || b.Error.Code == "" {
		return &job.Error{Code: fmt.Sprintf("http_%d", status), Class: classOf(status), Transient: status >= 500,
			Message: fmt.Sprintf("the answer was %d %s, and not the manager's own", status, http.StatusText(status)),
			Hint:    "look at what stands between here and the manager"}
	}
	e := b.Error.Err()
	if e.Class == "" {
		e.Class = classOf(status)
	}
	if len(e.NodeErrors) == 0 {
		e.NodeErrors = b.NodeErrors
	}
	return e
}
