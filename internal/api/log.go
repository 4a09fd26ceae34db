package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/comfyume/qmtui/internal/job"
)

// EventLog is the event of GET /api/log: a [LogLines].
const EventLog EventKind = "log"

// LogLine is one line of the manager's own log. Its texts come from files,
// callers and workers as they are: clean them before a terminal sees them.
type LogLine struct {
	// Seq counts the lines since the manager started, from 1.
	Seq   uint64    `json:"seq"`
	Time  Time      `json:"time"`
	Level string    `json:"level"` // debug, info, warn or error
	Msg   string    `json:"msg"`
	Attrs []LogAttr `json:"attrs,omitempty"` // in the order of the log
}

// LogAttr is one fact of a line; a group's name stands before the key, with a dot.
type LogAttr struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LogLines is the body of a log event, oldest first. A stream begins with what
// the manager still has of its log, in parts; its first event may be empty.
type LogLines struct {
	Lines []LogLine `json:"lines"`
}

// LogLevel is the least that the manager logs: debug, info, warn or error.
type LogLevel struct {
	Level      string `json:"level"`
	Configured string `json:"configured,omitempty"` // what log.level says
}

// LogLevel gets the level of the manager's log. Admins may.
func (c *Client) LogLevel(ctx context.Context) (l LogLevel, err error) {
	_, _, err = c.do(ctx, call{verb: "get the log's level", method: http.MethodGet, path: PathLogLevel}, &l)
	return l, err
}

// SetLogLevel changes the level until the manager ends; empty means what the
// configuration says.
func (c *Client) SetLogLevel(ctx context.Context, level string) (l LogLevel, err error) {
	k := call{verb: "set the log's level", method: http.MethodPut, path: PathLogLevel, body: LogLevel{Level: level}}
	if level == "" {
		k.method, k.body = http.MethodDelete, nil
	}
	_, _, err = c.do(ctx, k, &l)
	return l, err
}

// LogStream is the manager's log as it is written. One goroutine reads it.
type LogStream struct {
	body *patient
	in   *bufio.Reader
}

// Log opens the manager's log from a level up (empty: all that it logs). Admins
// may. Read it with [LogStream.Next]; after any error close it and open another.
func (c *Client) Log(ctx context.Context, level string) (*LogStream, error) {
	v := url.Values{}
	if level != "" {
		v.Set("level", level)
	}
	h := http.Header{"Accept": {"text/event-stream"}}
	_, body, err := c.stream(ctx, call{verb: "read the log", method: http.MethodGet, path: PathLog, query: v, header: h}, silence)
	if err != nil {
		return nil, err
	}
	return &LogStream{body: body, in: bufio.NewReaderSize(body, 64<<10)}, nil
}

// Close ends the stream; a Next that waits returns an error.
func (s *LogStream) Close() error { return s.body.Close() }

// Next waits for lines: first those that the manager still has (perhaps none),
// then what is new. Every error is final, as of [Stream.Next].
func (s *LogStream) Next() ([]LogLine, error) {
	for {
		name, data, err := readFrame(s.in)
		if err != nil {
			return nil, streamError(err)
		}
		if EventKind(name) != EventLog {
			continue
		}
		l, err := parse[LogLines](data)
		if err != nil {
			return nil, &job.Error{Code: "bad_event", Class: job.Internal, Message: fmt.Sprintf("the log event cannot be read: %v", err)}
		}
		return l.Lines, nil
	}
}
