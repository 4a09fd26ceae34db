package server

import (
	"net/http"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

// faceSystem answers GET system_stats with what the active deployment last
// said of itself. Nobody is asked, so no GPU is woken.
func (s *Server) faceSystem(w http.ResponseWriter, _ *request) error {
	var known job.System
	for _, d := range s.svc.Workers() {
		if d.Active && d.System != nil {
			known = *d.System
		}
	}
	return writeJSON(w, http.StatusOK, face.SystemStats(known))
}

// faceFeatures answers GET features.
func (s *Server) faceFeatures(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, face.Features(maxUpload))
}

// faceNothing answers the lists that only a worker could fill: with none.
func faceNothing(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, []string{})
}

// faceFree answers POST free, which on a ComfyUI of one's own unloads models:
// workers are shared, and nobody unloads what others use.
func faceFree(w http.ResponseWriter, r *request) error {
	if err := r.discard(); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
