package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

// The rhythm of an event stream.
const (
	heartbeatEvery = 10 * time.Second
	slowReader     = 10 * time.Second // a reader who takes nothing for this long is cut off
)

// eventWriter writes an event stream (text/event-stream). The handler's
// goroutine owns it.
type eventWriter struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf bytes.Buffer
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx: hand on at once
	return &eventWriter{w: w, rc: http.NewResponseController(w)}
}

// tell adds an event to what flush writes; id 0 is none.
func (e *eventWriter) tell(kind api.EventKind, id uint64, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fmt.Fprintf(&e.buf, "event: %s\n", kind)
	if id > 0 {
		fmt.Fprintf(&e.buf, "id: %d\n", id)
	}
	fmt.Fprintf(&e.buf, "data: %s\n\n", data)
	return nil
}

// flush writes what was told. A reader who does not take it in time is cut off.
func (e *eventWriter) flush() error {
	if e.buf.Len() == 0 {
		return nil
	}
	_ = e.rc.SetWriteDeadline(time.Now().Add(slowReader)) // a recorder has none
	_, err := e.w.Write(e.buf.Bytes())
	e.buf.Reset()
	if err != nil {
		return err
	}
	return e.rc.Flush()
}
