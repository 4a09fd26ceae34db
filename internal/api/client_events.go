package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/comfyume/qmtui/internal/job"
)

// maxEvent bounds one event, in bytes.
const maxEvent = 16 << 20

// Stream is an open event stream. One goroutine reads it.
type Stream struct {
	body *patient
	in   *bufio.Reader
	part *Snapshot // the parts of a snapshot so far
}

// Events opens the event stream with a snapshot of the newest limit jobs and
// all open ones (zero: the manager's own limit). Read it with [Stream.Next];
// on any error close it and open another, which begins with a fresh snapshot.
func (c *Client) Events(ctx context.Context, limit int) (*Stream, error) {
	v := url.Values{}
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	h := http.Header{"Accept": {"text/event-stream"}}
	_, body, err := c.stream(ctx, call{verb: "watch", method: http.MethodGet, path: PathEvents, query: v, header: h}, silence)
	if err != nil {
		return nil, err
	}
	return &Stream{body: body, in: bufio.NewReaderSize(body, 64<<10)}, nil
}

// Close ends the stream; a Next that waits returns an error.
func (s *Stream) Close() error { return s.body.Close() }

// Next waits for the next event. Every error is final: the connection broke,
// the manager ended the stream, or was silent for 25 s.
func (s *Stream) Next() (Event, error) {
	for {
		name, data, err := readFrame(s.in)
		if err != nil {
			return Event{}, streamError(err)
		}
		e, whole, err := s.decode(EventKind(name), data)
		if err != nil {
			return Event{}, &job.Error{Code: "bad_event", Class: job.Internal, Message: fmt.Sprintf("the %s event cannot be read: %v", name, err)}
		}
		if whole {
			return e, nil
		}
	}
}

func streamError(err error) error {
	if known := (*job.Error)(nil); errors.As(err, &known) {
		return known
	}
	return &job.Error{Code: "connection_lost", Class: job.Unavailable, Transient: true,
		Message: "the event stream ended: " + err.Error(), Hint: "connect again"}
}

// decode reads one event; whole is false for a part of a snapshot and for
// events of a later version of the contract.
func (s *Stream) decode(kind EventKind, data []byte) (e Event, whole bool, err error) {
	e.Kind = kind
	switch kind {
	case EventHello:
		e.Hello, err = parse[Hello](data)
	case EventSnapshot:
		return s.join(data)
	case EventChange:
		e.Change, err = parse[Change](data)
	case EventStandings:
		e.Standings, err = parse[Standings](data)
	case EventHeartbeat:
		e.Heartbeat, err = parse[Heartbeat](data)
	default:
		return e, false, nil
	}
	return e, err == nil, err
}

func (s *Stream) join(data []byte) (Event, bool, error) {
	part, err := parse[Snapshot](data)
	if err != nil {
		return Event{}, false, err
	}
	if s.part != nil {
		part.Jobs = append(s.part.Jobs, part.Jobs...)
	}
	s.part = part
	if !part.Last {
		return Event{}, false, nil
	}
	s.part = nil
	return Event{Kind: EventSnapshot, Snapshot: part}, true, nil
}

func parse[T any](data []byte) (*T, error) {
	v := new(T)
	return v, json.Unmarshal(data, v)
}

// readFrame reads one server-sent event with its name and data, and skips
// comments, ids and events without data.
func readFrame(in *bufio.Reader) (name string, data []byte, err error) {
	for size := 0; ; {
		line, err := readLine(in, maxEvent-size)
		if err != nil {
			return "", nil, err
		}
		size += len(line)
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0 && data != nil:
			return name, data, nil
		case len(line) == 0:
			name, size = "", 0
		case string(field) == "event":
			name = string(value)
		case string(field) == "data" && data == nil:
			data = append([]byte{}, value...)
		case string(field) == "data":
			data = append(append(data, '\n'), value...)
		}
	}
}

// readLine reads a line of at most limit bytes, without its end.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > limit:
			return nil, &job.Error{Code: "event_too_large", Class: job.TooLarge, Message: fmt.Sprintf("an event has more than %d MiB", maxEvent>>20)}
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
}
