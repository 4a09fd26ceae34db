package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// request is a request with the caller made out.
type request struct {
	*http.Request
	who who
	w   http.ResponseWriter // for deadlines only
	srv *Server
	// body is what receive has begun; closeBody ends it at the end of the call.
	body *body
}

// Bounds of reading.
const (
	bodyTimeout = time.Minute // of one that arrives too slowly, see pace
	smallBody   = 256 << 10   // bytes of a body that holds no workflow
	formMemory  = 1 << 20     // bytes of a form that are kept in memory; the rest is in files
	maxDepth    = 200         // nesting of a workflow, as comfy has it
	politeness  = 32 << 20    // bytes read and thrown away before 413, so that the answer arrives
)

// decode reads a JSON body of at most limit bytes into v.
func (r *request) decode(limit int64, v any, strict bool) error {
	raw, err := r.read(limit)
	if err != nil {
		return err
	}
	return decodeJSON(raw, v, strict)
}

// decodeJSON reads one value of JSON into v.
func decodeJSON(raw []byte, v any, strict bool) error {
	if err := inspect(raw, maxDepth+2); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return explainJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return badJSON("something follows after the end")
	}
	return nil
}

// read reads the body, which must be JSON by its type or have none.
func (r *request) read(limit int64) ([]byte, error) {
	if err := r.checkType(); err != nil {
		return nil, err
	}
	return r.readAny(limit)
}

// readAny reads the body, whatever its type says, without a byte order mark.
func (r *request) readAny(limit int64) ([]byte, error) {
	raw, err := r.readBody("the body", limit)
	return bytes.TrimPrefix(raw, byteOrderMark), err
}

// byteOrderMark begins text files of some editors on Windows.
var byteOrderMark = []byte("\ufeff")

// discard reads away a body that means nothing here.
func (r *request) discard() error {
	if r.ContentLength == 0 {
		return nil
	}
	_, err := r.read(smallBody)
	return err
}

// checkType lets JSON and no type at all pass (old scripts send none), and
// refuses the types that any page may send without asking.
func (r *request) checkType() error {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return unsupported("a body in " + e)
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) {
		return unsupported(fmt.Sprintf("a body of type %.60q", header))
	}
	return nil
}

func unsupported(what string) error {
	return &job.Error{Code: "unsupported_media_type", Class: job.Invalid, Message: what + " is not read here",
		Hint: "send JSON with Content-Type: application/json"}
}

func tooLarge(what string, limit int64) error {
	return &job.Error{Code: "too_large", Class: job.TooLarge, Message: fmt.Sprintf("%s has more than %d bytes", what, limit),
		Hint: "upload pictures as inputs instead of embedding them in the prompt"}
}

func badJSON(why string) error {
	return &job.Error{Code: "bad_json", Class: job.Invalid, Message: "the body is not JSON: " + why, Hint: "send one JSON object"}
}

func badField(field, why, hint string) error {
	return &job.Error{Code: "bad_field", Class: job.Invalid, Message: field + " " + why, Hint: hint}
}

func missingField(field, hint string) error {
	return &job.Error{Code: "missing_field", Class: job.Invalid, Message: field + " is missing", Hint: hint}
}

// explainJSON puts an error of encoding/json into words for the caller.
func explainJSON(err error) error {
	var known *job.Error
	if errors.As(err, &known) { // from a type of the vocabulary
		return known
	}
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return badJSON("it is " + kind.Value + " where an object belongs")
	case errors.As(err, &kind):
		return badField(kind.Field, "cannot be "+kind.Value, "see docs/protocol.md")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return badJSON("it ends too early")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return badField(strings.TrimPrefix(err.Error(), "json: unknown field "), "is not a key of this call", "see docs/protocol.md")
	}
	return badJSON(strings.TrimPrefix(err.Error(), "json: "))
}

// ended reports whether the caller went away.
func ended(err error) bool { return errors.Is(err, context.Canceled) }
