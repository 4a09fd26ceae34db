package server

import (
	"encoding/json"
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

// nodes is what a worker last listed, with the user's own files to choose from
// where the site takes uploads.
func (s *Server) nodes(user string) []byte {
	raw := s.svc.Nodes()
	if s.opts.Inputs == "" || len(raw) == 0 {
		return raw
	}
	return face.Nodes(raw, s.uploads(user))
}

// faceNodes answers GET object_info: {} while nobody was asked yet.
func (s *Server) faceNodes(w http.ResponseWriter, r *request) error {
	nodes := s.nodes(r.PathValue("user"))
	if len(nodes) == 0 {
		nodes = []byte("{}")
	}
	return writeJSON(w, http.StatusOK, rawJSON(nodes))
}

// faceNode answers GET object_info/{class}: {} for a class that is not known.
func (s *Server) faceNode(w http.ResponseWriter, r *request) error {
	var nodes map[string]json.RawMessage
	_ = json.Unmarshal(s.nodes(r.PathValue("user")), &nodes) // nil knows nothing
	out := map[string]json.RawMessage{}
	if one, ok := nodes[r.PathValue("class")]; ok {
		out[r.PathValue("class")] = one
	}
	return writeJSON(w, http.StatusOK, out)
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
