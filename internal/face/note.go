package face

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// keyPrefix marks the idempotency keys that hold a client's prompt_id.
const keyPrefix = "comfy:"

// Key is the idempotency key of a prompt that came with that prompt_id; empty
// for none. The same prompt posted twice is thereby one job.
func Key(promptID string) string {
	if promptID == "" {
		return ""
	}
	return keyPrefix + promptID
}

// ID is the prompt_id under which the client knows the job: its own, or the
// job's id when it chose none. It is not the prompt_id of any attempt.
func ID(j job.Job) string {
	if id, ok := strings.CutPrefix(j.Key, keyPrefix); ok {
		return id
	}
	return string(j.ID)
}

// Note is what a client said with a prompt that is kept as the job's metadata.
// Nothing of it is ever sent to a worker.
type Note struct {
	Client   string   `json:"client_id,omitempty"`   // whose WebSocket hears of the run; empty for none
	Number   *float64 `json:"number,omitempty"`      // the place that the client asked for; nil for none
	Workflow string   `json:"workflow_id,omitempty"` // of the page's workflow
}

type metadata struct {
	Comfy Note `json:"comfy"`
}

// Metadata is the note as the job keeps it.
func (n Note) Metadata() json.RawMessage {
	b, err := json.Marshal(metadata{n})
	if err != nil { // numbers come from JSON, so they are finite
		return nil
	}
	return b
}

// NoteOf is the note of a job; the zero Note of one that came another way.
func NoteOf(j job.Job) Note {
	var m metadata
	if json.Unmarshal(j.Metadata, &m) != nil {
		return Note{}
	}
	return m.Comfy
}

// numberEpoch is where numbers begin, so that they are short enough to read.
var numberEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Number is what stands for ComfyUI's running number: the client's own, or
// milliseconds since 2026 (UTC), which grow as ComfyUI's do. An ended job
// counts by its end: the page takes in only history above the highest number
// it knows (front end 1.35.9, run), so one that was overtaken must still grow.
func Number(j job.Job) float64 {
	if n := NoteOf(j).Number; n != nil {
		return *n
	}
	at := j.Submitted
	if end := j.EndedAt(); !end.IsZero() {
		at = end
	}
	return float64(at.Sub(numberEpoch).Milliseconds())
}

// millis is a time as ComfyUI writes it; zero for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
