package server

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	maxName = 200 // characters of a job's name
	maxKey  = 200 // bytes of an Idempotency-Key
)

// submit answers POST /api/jobs.
func (s *Server) submit(w http.ResponseWriter, r *request) error {
	req, err := s.submission(r)
	if err != nil {
		return refuse(err)
	}
	j, repeated, err := s.svc.Submit(r.Context(), req)
	if err != nil {
		return refuse(err)
	}
	w.Header().Set("Location", api.Path(api.PathJob, string(j.ID)))
	status := http.StatusCreated
	if repeated {
		status = http.StatusOK
	}
	return writeJSON(w, status, s.show(j))
}

// refuse marks an error about the prompt, so that it is told in ComfyUI's words.
func refuse(err error) error {
	var e *job.Error
	if errors.As(err, &e) && (e.Class == job.Invalid || e.Class == job.TooLarge) {
		return refusal{e}
	}
	return err
}

// submission reads and bounds what the caller asks for. Whether the prompt is
// one is the service's to say.
func (s *Server) submission(r *request) (job.Request, error) {
	raw, err := r.read(2*s.opts.MaxWorkflow + s.opts.MaxMetadata + smallBody)
	if err != nil {
		return job.Request{}, err
	}
	charged := r.charged()
	if charged.User != "" {
		if err := s.chargeSubmit(charged, int64(len(raw))); err != nil {
			return job.Request{}, err
		}
	}
	if err := r.asPrompt(len(raw)); err != nil {
		return job.Request{}, err
	}
	var body api.SubmitRequest
	if err := decodeJSON(raw, &body, false); err != nil {
		return job.Request{}, err
	}
	if charged.User == "" { // only the body says whom it is for
		charged.User = body.User
		if err := s.chargeSubmit(charged, int64(len(raw))); err != nil {
			return job.Request{}, err
		}
	}
	return s.check(body, r.Header.Get(api.HeaderKey), r.who)
}

// check turns a body into a request of the vocabulary.
func (s *Server) check(b api.SubmitRequest, key string, caller who) (job.Request, error) {
	for _, bound := range []struct {
		what  string
		size  int
		limit int64
	}{{"workflow", len(b.Workflow), s.opts.MaxWorkflow}, {"extra_data", len(b.Extra), s.opts.MaxWorkflow}, {"metadata", len(b.Metadata), s.opts.MaxMetadata}} {
		if int64(bound.size) > bound.limit {
			return job.Request{}, tooLarge(bound.what, bound.limit)
		}
	}
	req := job.Request{User: b.User, Name: b.Name, Workflow: absent(b.Workflow), Extra: absent(b.Extra), Metadata: absent(b.Metadata),
		Priority: job.Normal, Key: key, Deployment: b.Deployment, Caller: caller.Caller}
	if b.Priority != nil {
		req.Priority = *b.Priority
	}
	if caller.anyone {
		req.Caller.Name = b.User
	}
	err := firstError(
		checkPresent(req),
		checkFor(caller, req.User),
		checkPriority(caller, req.Priority),
		checkDeployment(caller, req.Deployment),
		checkName(req.Name),
		checkKey(key),
	)
	if err == nil {
		err = s.checkKnown(caller, req.User)
	}
	return req, err
}

func checkPresent(r job.Request) error {
	switch {
	case r.User == "":
		return missingField("user_id", "say whose job it is")
	case r.Workflow == nil:
		return missingField("workflow", "send the prompt in API format: Workflow > Export (API)")
	}
	return job.CheckUser(r.User)
}

func checkFor(caller who, user string) error {
	if caller.may(user) {
		return nil
	}
	return &job.Error{Code: "wrong_user", Class: job.Forbidden, Message: "you are " + caller.Name + ", and the job says user_id " + user,
		Hint: "send your own name as user_id"}
}

// checkPriority keeps the instructor's priority for those who may have it.
func checkPriority(caller who, p job.Priority) error {
	if err := p.Check(); err != nil {
		return err
	}
	if p == job.Instructor && !caller.anyone {
		return caller.adminOnly("priority 0")
	}
	return nil
}

// checkDeployment keeps the choice of a deployment, which may wake one, for admins.
func checkDeployment(caller who, name string) error {
	if name == "" || caller.anyone {
		return nil
	}
	return caller.adminOnly("choosing a deployment")
}

func checkName(name string) error {
	if utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return badField("name", "is too long or holds control characters", "use at most 200 printable characters")
	}
	return nil
}

func checkKey(key string) error {
	if len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return badField(api.HeaderKey, "is too long or not plain text", "use at most 200 printable ASCII characters, such as a UUID")
	}
	return nil
}

// absent is nil for a value that is missing or null.
func absent(raw []byte) []byte {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// show is a job as it stands now.
func (s *Server) show(j job.Job) api.Job { return s.view.Job(j, s.svc.Standing(j)) }
