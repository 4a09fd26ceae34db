package server

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// faceView answers GET view with a file of the user, delivered or uploaded, or
// with a range of it. preview and channel are taken and change nothing.
func (s *Server) faceView(w http.ResponseWriter, r *request) error {
	v := r.URL.Query()
	dest, kind, status := s.placeOf(r.PathValue("user"), v.Get("filename"), v.Get("subfolder"), v.Get("type"))
	if status != http.StatusOK {
		return notThere(w, status)
	}
	f, err := s.openFaceFile(r.PathValue("user"), kind, dest)
	if errors.Is(err, fs.ErrNotExist) {
		return notThere(w, http.StatusNotFound)
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

// placeOf is the place below the user's folder of that kind (output, input or
// temp) that a name means, or the status that ComfyUI refuses it with (0.8.0,
// transcript 01-get).
func (s *Server) placeOf(user, filename, subfolder, folderType string) (dest, kind string, status int) {
	name, kind, annotated := cutAnnotation(filename)
	if !annotated && folderType != "" {
		kind = folderType
	}
	folder := strings.Trim(subfolder, "/")
	switch {
	case name == "" || kind != "output" && kind != "input" && kind != tempFolder:
		return "", "", http.StatusNotFound
	case name[0] == '/' || strings.Contains(name, ".."):
		return "", "", http.StatusBadRequest
	case strings.ContainsAny(name+folder, "\x00\\"):
		return "", "", http.StatusBadRequest
	case folder != "" && path.Clean("/"+folder) != "/"+folder:
		return "", "", http.StatusForbidden
	}
	if kind == "output" {
		folder = s.belowUser(user, folder)
	}
	return path.Join(folder, name), kind, http.StatusOK
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
