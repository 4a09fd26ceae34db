package server

import (
	"net/http"

	"github.com/comfyume/qmtui/internal/job"
)

// facePrefix is where the face of ComfyUI of one user stands.
const facePrefix = "/comfy/{user}"

// faceRoutes is every call of the face, below facePrefix and once more below
// facePrefix/api, as ComfyUI has them; docs/face.md describes each.
func (s *Server) faceRoutes() []route {
	return []route{
		{"POST", "/prompt", s.facePost, false},
		{"GET", "/prompt", s.faceRemaining, false},
		{"GET", "/queue", s.faceQueue, false},
		{"POST", "/queue", s.faceChangeQueue, false},
		{"POST", "/interrupt", s.faceInterrupt, false},
		{"POST", "/free", faceFree, false},
		{"GET", "/history", s.faceHistory, false},
		{"GET", "/history/{id}", s.faceHistoryOf, false},
		{"POST", "/history", s.faceChangeHistory, false},
		{"GET", "/jobs", s.faceJobs, false},
		{"GET", "/jobs/{id}", s.faceJob, false},
		{"POST", "/jobs/{id}/cancel", s.faceCancelJob, false},
		{"POST", "/jobs/cancel", s.faceCancelJobs, false},
		{"GET", "/view", s.faceView, false},
		{"POST", "/upload/image", s.faceUpload, false},
		{"POST", "/upload/mask", s.faceUploadMask, false},
		{"GET", "/ws", s.faceSocket, false},

		{"GET", "/system_stats", s.faceSystem, false},
		{"GET", "/object_info", s.faceNodes, false},
		{"GET", "/object_info/{class}", s.faceNode, false},
		{"GET", "/features", s.faceFeatures, false},
		{"GET", "/embeddings", faceNothing, false},
		{"GET", "/extensions", faceNothing, false},
		{"GET", "/models", s.faceModelFolders, false},
		{"GET", "/models/{folder}", s.faceModels, false},
		{"GET", "/experiment/models", s.facePageFolders, false},
		{"GET", "/experiment/models/{folder}", s.facePageModels, false},
	}
}

// mounted is the face's routes where callers find them.
func (s *Server) mounted() []route {
	var all []route
	for _, rt := range s.faceRoutes() {
		rt.do = asUser(rt.do)
		for _, prefix := range []string{facePrefix, facePrefix + "/api"} {
			all = append(all, route{rt.method, prefix + rt.path, rt.do, rt.public})
		}
	}
	return all
}

// asUser lets only those pass who may act for the user of the path.
func asUser(do handler) handler {
	return func(w http.ResponseWriter, r *request) error {
		user := r.PathValue("user")
		if err := job.CheckUser(user); err != nil {
			return err
		}
		if !r.who.may(user) {
			return forbidUser(user)
		}
		return do(w, r)
	}
}
