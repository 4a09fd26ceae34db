package server

import (
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The types of frames of /ws. The first three are the first site's own.
const (
	wsCreated   = "job_created"
	wsUpdated   = "job_updated"
	wsDeleted   = "job_deleted"
	wsHello     = "hello"
	wsSnapshot  = "snapshot"
	wsProgress  = "progress"
	wsOutputs   = "outputs"
	wsColdStart = "cold_start"
	wsPosition  = "position"
	wsEstimate  = "estimate"
)

// wsFrame is one message of /ws.
type wsFrame struct {
	Type string   `json:"type"`
	Data any      `json:"data"`
	At   api.Time `json:"timestamp"`
}

// The data of the frames that are about one aspect of a job.
type (
	wsProgressData struct {
		ID     job.ID    `json:"id"`
		User   string    `json:"user_id"`
		State  job.State `json:"state"`
		Phase  string    `json:"phase_text"`
		Stored int       `json:"files_stored"`
		Seen   int       `json:"files_seen"`
		// Expected is how many files will come; 0 when the prompt does not tell.
		Expected int      `json:"files_expected"`
		Started  api.Time `json:"started_at"`
	}
	wsOutputsData struct {
		ID      job.ID       `json:"id"`
		User    string       `json:"user_id"`
		Outputs []api.Output `json:"outputs"` // those that are new in the user's folder
	}
	wsColdData struct {
		ID         job.ID   `json:"id"`
		User       string   `json:"user_id"`
		Deployment string   `json:"deployment"`
		Since      api.Time `json:"since"`         // when the prompt was sent
		Usual      *float64 `json:"usual_seconds"` // a cold start's; null when never measured
		Phase      string   `json:"phase_text"`
	}
	wsPositionData struct {
		ID       job.ID `json:"id"`
		User     string `json:"user_id"`
		Position *int   `json:"position_in_queue"`
	}
	wsEstimateData struct {
		ID   job.ID   `json:"id"`
		User string   `json:"user_id"`
		Wait *float64 `json:"estimated_wait_time"`
	}
)

// wsAspects lists what differs between two looks at one job, aspect by aspect;
// before is the zero Job when there was none.
func wsAspects(before, now api.Job, usual *float64) []wsFrame {
	var out []wsFrame
	add := func(kind string, data any) { out = append(out, wsFrame{Type: kind, Data: data}) }
	if !same(before.Position, now.Position, 1) {
		add(wsPosition, wsPositionData{now.ID, now.User, now.Position})
	}
	if !same(before.Wait, now.Wait, 10) {
		add(wsEstimate, wsEstimateData{now.ID, now.User, now.Wait})
	}
	if waitsForMachine(now) && (!waitsForMachine(before) || before.Phase != now.Phase) {
		add(wsColdStart, wsColdData{now.ID, now.User, now.Deployment, currentAttempt(now).Assigned, usual, now.Phase})
	}
	if p := wsProgressOf(now); before.ID == "" || p != wsProgressOf(before) {
		add(wsProgress, p)
	}
	if files := newFiles(before, now); len(files) > 0 {
		add(wsOutputs, wsOutputsData{now.ID, now.User, files})
	}
	return out
}

// waitsForMachine reports a prompt that was sent and that nobody has answered.
func waitsForMachine(j api.Job) bool { return j.State == job.Submitting && j.ID != "" }

func currentAttempt(j api.Job) api.Attempt {
	if len(j.Attempts) == 0 {
		return api.Attempt{}
	}
	return j.Attempts[len(j.Attempts)-1]
}

func wsProgressOf(j api.Job) wsProgressData {
	p := wsProgressData{ID: j.ID, User: j.User, State: j.State, Started: j.Started}
	if waitsForMachine(j) || j.State == job.Queued || j.State.Terminal() {
		p.Phase = "" // told by other frames
	} else {
		p.Phase = j.Phase
	}
	for _, x := range j.Expected {
		if x.Count == 0 {
			p.Expected = 0
			break
		}
		p.Expected += x.Count
	}
	for _, o := range j.Outputs {
		if o.Attempt != currentAttempt(j).N {
			continue
		}
		if p.Seen++; o.State == job.OutputStored {
			p.Stored++
		}
	}
	return p
}

func newFiles(before, now api.Job) []api.Output {
	known := map[job.OutputID]bool{}
	for _, o := range before.Outputs {
		known[o.ID] = o.State == job.OutputStored
	}
	var out []api.Output
	for _, o := range now.Outputs {
		if o.State == job.OutputStored && !known[o.ID] {
			out = append(out, o)
		}
	}
	return out
}
