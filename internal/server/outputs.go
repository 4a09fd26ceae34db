package server

import (
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// mediaTypes are the types of what ComfyUI writes. What a browser would run
// (SVG) or cannot show is a download.
var mediaTypes = map[string]struct {
	kind   string
	inline bool
}{
	".png": {"image/png", true}, ".jpg": {"image/jpeg", true}, ".jpeg": {"image/jpeg", true}, ".webp": {"image/webp", true},
	".gif": {"image/gif", true}, ".mp4": {"video/mp4", true}, ".webm": {"video/webm", true}, ".mkv": {"video/x-matroska", false},
	".flac": {"audio/flac", true}, ".mp3": {"audio/mpeg", true}, ".opus": {"audio/ogg", true}, ".ogg": {"audio/ogg", true},
	".wav": {"audio/wav", true}, ".svg": {"image/svg+xml", false}, ".glb": {"model/gltf-binary", false}, ".txt": {"text/plain; charset=utf-8", false},
}

// delivered finds the output of the path, which must be the caller's and
// stand in the user's folder.
func (s *Server) delivered(r *request) (job.Job, job.Output, error) {
	j, o, err := s.svc.Output(pathOutput(r))
	switch {
	case err != nil:
		return j, o, err
	case !r.who.may(j.User):
		return j, o, forbidUser(j.User)
	case o.State != job.OutputStored:
		return j, o, conflict{&job.Error{Code: "not_delivered", Class: job.Conflict, Message: "the file is not in the user's folder yet: it is " + o.State.String(),
			Hint: "look at the job"}, j.State()}
	}
	return j, o, nil
}

// outputFile answers with the delivered bytes, or with a range of them.
func (s *Server) outputFile(w http.ResponseWriter, r *request) error {
	j, o, err := s.delivered(r)
	if err != nil {
		return err
	}
	f, err := s.svc.Open(j, o)
	if err != nil {
		return err
	}
	defer f.Close()
	fileHeaders(w.Header(), o)
	bound(w)
	http.ServeContent(rolling{w}, r.Request, "", o.StoredAt, f)
	return nil
}

func fileHeaders(h http.Header, o job.Output) {
	kind, how := mediaTypes[strings.ToLower(path.Ext(o.Dest))], "attachment"
	if kind.inline {
		how = "inline"
	}
	if kind.kind == "" {
		kind.kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind.kind)
	h.Set("Content-Disposition", mime.FormatMediaType(how, map[string]string{"filename": path.Base(o.Dest)}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	if o.Checksum != "" {
		h.Set("X-Checksum", o.Checksum)
		h.Set("ETag", `"`+o.Checksum+`"`)
	}
}

// rolling is a writer each of whose pieces gets its own time, so that a large
// file may take long and a reader who stopped may not.
type rolling struct{ http.ResponseWriter }

func (w rolling) Write(b []byte) (int, error) {
	bound(w.ResponseWriter)
	return w.ResponseWriter.Write(b)
}
