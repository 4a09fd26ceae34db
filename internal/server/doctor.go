package server

import (
	"net/http"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Doctor looks whether everything stands as it must, as the manager sees it.
// Its methods may be called from any goroutine and do not wait for disks.
type Doctor interface {
	// Standing is what was found last, and what is being looked at now.
	Standing() api.DoctorStanding
	// Begin starts a look; one that is under way is joined.
	Begin(api.DoctorRequest, job.Caller) (api.DoctorStanding, error)
}

// errNoDoctor is for a server that was made without one.
var errNoDoctor = &job.Error{Code: "no_doctor", Class: job.NotFound, Message: "this server has no doctor", Hint: `run "qmtui doctor" on its machine`}

// doctor answers GET /api/doctor to admins: findings name paths and users.
func (s *Server) doctor(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("reading doctor's report"); err != nil {
		return err
	}
	if s.opts.Doctor == nil {
		return errNoDoctor
	}
	return writeJSON(w, http.StatusOK, s.opts.Doctor.Standing())
}

// runDoctor answers POST /api/doctor with 202: it does not wait for the end.
func (s *Server) runDoctor(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("running doctor"); err != nil {
		return err
	}
	body, err := s.doctorRequest(r)
	if err != nil {
		return err
	}
	if s.opts.Doctor == nil {
		return errNoDoctor
	}
	d, err := s.opts.Doctor.Begin(body, r.who.Caller)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, d)
}

// doctorRequest reads a body that may be empty.
func (s *Server) doctorRequest(r *request) (b api.DoctorRequest, err error) {
	if r.ContentLength == 0 {
		return b, r.discard()
	}
	return b, r.decode(smallBody, &b, true)
}
