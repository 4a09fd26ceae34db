package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

const maxErrorBody = 1 << 20

// Download is the body of a delivered file, to be read and closed by the
// caller. A read fails when no byte comes for a minute.
type Download struct {
	io.ReadCloser
	Name     string // as the user's folder has it
	Size     int64  // bytes; -1 when unknown
	Type     string // media type
	Checksum string // "algorithm:hex"; empty when unknown
}

// OpenOutput opens a delivered file from byte offset on.
func (c *Client) OpenOutput(ctx context.Context, id job.OutputID, offset int64) (*Download, error) {
	h := http.Header{}
	if offset > 0 {
		h.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	resp, body, err := c.stream(ctx, call{verb: "open output", method: http.MethodGet, path: Path(PathOutputFile, string(id)), header: h}, stall)
	if err != nil {
		return nil, err
	}
	if offset > 0 && resp.StatusCode != http.StatusPartialContent {
		body.Close()
		return nil, &job.Error{Code: "no_range", Class: job.Internal, Message: "the answer starts at the beginning of the file"}
	}
	_, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
	return &Download{ReadCloser: body, Name: params["filename"], Size: resp.ContentLength,
		Type: resp.Header.Get("Content-Type"), Checksum: resp.Header.Get("X-Checksum")}, nil
}

// Preview gets a picture of at most width pixels as PNG. The error code
// no_preview says that the file is not a picture.
func (c *Client) Preview(ctx context.Context, id job.OutputID, width int) ([]byte, error) {
	return c.preview(ctx, PathOutputPreview, id, width)
}

// OrphanPreview is Preview of an orphan that is open.
func (c *Client) OrphanPreview(ctx context.Context, id job.OutputID, width int) ([]byte, error) {
	return c.preview(ctx, PathOrphanPreview, id, width)
}

func (c *Client) preview(ctx context.Context, path string, id job.OutputID, width int) ([]byte, error) {
	v := url.Values{}
	if width > 0 {
		v.Set("width", strconv.Itoa(width))
	}
	_, body, err := c.stream(ctx, call{verb: "get preview", method: http.MethodGet, path: Path(path, string(id)), query: v}, stall)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, c.maxAnswer))
	if err != nil {
		return nil, c.explain(ctx, "get preview", err)
	}
	return b, nil
}

// stream sends a call whose answer is not JSON. The body ends with an error
// when it brings no byte for the time of patience.
func (c *Client) stream(ctx context.Context, k call, patience time.Duration) (*http.Response, *patient, error) {
	inner, cancel := context.WithCancelCause(ctx)
	p := &patient{patience: patience, cancel: cancel, cause: func() error { return context.Cause(inner) }}
	p.timer = time.AfterFunc(patience, func() { cancel(errSilent) })
	resp, err := c.send(inner, k)
	if err != nil {
		p.stop()
		if errors.Is(context.Cause(inner), errSilent) {
			err = context.DeadlineExceeded
		}
		return nil, nil, c.explain(ctx, k.verb, err)
	}
	p.body = resp.Body
	if resp.StatusCode >= 300 {
		defer p.Close()
		b, _ := io.ReadAll(io.LimitReader(p, maxErrorBody))
		return nil, nil, decodeError(resp.StatusCode, b)
	}
	return resp, p, nil
}

// errSilent is what ends a stream that brings nothing.
var errSilent = &job.Error{Code: "silent", Class: job.Unavailable, Transient: true,
	Message: "the manager has not said anything for too long", Hint: "connect again"}

// patient is a body that must bring a byte now and then.
type patient struct {
	body     io.ReadCloser
	patience time.Duration
	timer    *time.Timer
	cancel   context.CancelCauseFunc
	cause    func() error
}

// Read waits for bytes; only this wait is bounded, not what the caller does
// between two reads.
func (p *patient) Read(b []byte) (int, error) {
	p.timer.Reset(p.patience)
	n, err := p.body.Read(b)
	p.timer.Stop()
	if err != nil && err != io.EOF && errors.Is(p.cause(), errSilent) {
		err = errSilent
	}
	return n, err
}

func (p *patient) stop() {
	p.timer.Stop()
	p.cancel(context.Canceled)
}

// Close ends the stream. It may be called twice.
func (p *patient) Close() error {
	p.stop()
	return p.body.Close()
}

func decodeReadiness(resp *http.Response, r *Readiness) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil || json.Unmarshal(b, r) != nil || r.Reasons == nil {
		return decodeError(resp.StatusCode, b)
	}
	return nil
}
