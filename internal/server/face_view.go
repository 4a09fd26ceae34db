package server

import (
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// faceView answers GET view with a delivered file of the user, or with a
// range of it. preview and channel are taken and change nothing.
func (s *Server) faceView(w http.ResponseWriter, r *request) error {
	dest, status := s.viewed(r)
	if status != http.StatusOK {
		bound(w)
		w.WriteHeader(status)
		return nil
	}
	f, err := s.svc.Delivered(r.PathValue("user"), dest)
	if err != nil && job.AsError(err).Class == job.NotFound {
		bound(w)
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	fileHeaders(w.Header(), job.Output{Dest: dest})
	bound(w)
	http.ServeContent(rolling{w}, r.Request, "", time.Time{}, f)
	return nil
}

// viewed is the place below the user's folder that the query asks for, or the
// status that ComfyUI refuses it with (0.8.0, transcript 01-get).
func (s *Server) viewed(r *request) (dest string, status int) {
	v := r.URL.Query()
	name, kind, annotated := cutAnnotation(v.Get("filename"))
	if !annotated && v.Get("type") != "" {
		kind = v.Get("type")
	}
	folder := strings.Trim(v.Get("subfolder"), "/")
	switch {
	case name == "" || kind != "output":
		return "", http.StatusNotFound
	case name[0] == '/' || strings.Contains(name, ".."):
		return "", http.StatusBadRequest
	case strings.ContainsAny(name+folder, "\x00\\"):
		return "", http.StatusBadRequest
	case folder != "" && path.Clean("/"+folder) != "/"+folder:
		return "", http.StatusForbidden
	}
	return path.Join(s.belowUser(r.PathValue("user"), folder), name), http.StatusOK
}

// belowUser is the folder without what users.subfolder put before it.
func (s *Server) belowUser(user, folder string) string {
	prefix := strings.Trim(strings.ReplaceAll(s.opts.Subfolder, "{user}", user), "/")
	if prefix == "" {
		return folder
	}
	if folder == prefix {
		return ""
	}
	return strings.TrimPrefix(folder, prefix+"/")
}

// cutAnnotation reads a name such as "a.png [output]".
func cutAnnotation(name string) (bare, kind string, annotated bool) {
	for _, kind := range []string{"output", "input", "temp"} {
		if bare, ok := strings.CutSuffix(name, " ["+kind+"]"); ok {
			return bare, kind, true
		}
	}
	return name, "output", false
}
