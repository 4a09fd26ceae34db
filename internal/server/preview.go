package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/picture"
)

// defaultWidth is that of a preview, in pixels.
const defaultWidth = 256

// outputPreview answers with a small PNG of a picture.
func (s *Server) outputPreview(w http.ResponseWriter, r *request) error {
	width, err := readWidth(r.URL.Query().Get("width"))
	if err != nil {
		return err
	}
	j, o, err := s.delivered(r)
	if err != nil {
		return err
	}
	key := previewKey{o.ID, width}
	small, ok := s.previews.get(key)
	if !ok {
		if small, err = s.shrink(r, j.User, func() (File, error) { return s.svc.Open(j, o) }, width); err != nil {
			return err
		}
		s.previews.put(key, small)
	}
	writePreview(w, small, "private, max-age=86400")
	return nil
}

// orphanPreview answers with a small PNG of an orphan, which tells a person
// whose it may be. It is not kept: whoever wrote the file may still change it.
func (s *Server) orphanPreview(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("the picture of an orphan"); err != nil {
		return err
	}
	width, err := readWidth(r.URL.Query().Get("width"))
	if err != nil {
		return err
	}
	small, err := s.shrink(r, "", func() (File, error) { return s.svc.OrphanFile(pathOutput(r)) }, width)
	if err != nil {
		return err
	}
	writePreview(w, small, "no-store")
	return nil
}

func writePreview(w http.ResponseWriter, small []byte, cache string) {
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Content-Length", strconv.Itoa(len(small)))
	h.Set("Cache-Control", cache)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	bound(w)
	_, _ = w.Write(small) // a caller who went away needs no picture
}

func readWidth(text string) (int, error) {
	if text == "" {
		return defaultWidth, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > picture.MaxWidth {
		return 0, badField("width", fmt.Sprintf("%.20q is not a width", text), fmt.Sprintf("use 1 to %d pixels", picture.MaxWidth))
	}
	return n, nil
}

// enterPictures waits for the caller's turn to have a picture of user decoded. Where
// nobody vouches for a name, callers are told apart by whose pictures they want.
func (s *Server) enterPictures(r *request, user string) (leave func(), err error) {
	name := r.who.Name
	if r.who.anyone {
		name += " " + user
	}
	return s.pictures.Enter(r.Context(), name)
}

// shrink makes a small PNG of a picture of user, a few at once for one caller.
func (s *Server) shrink(r *request, user string, open func() (File, error), width int) ([]byte, error) {
	leave, err := s.enterPictures(r, user)
	if err != nil {
		return nil, err
	}
	defer leave()
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("size of the picture: %w", err)
	}
	small, err := s.pictures.Preview(r.Context(), f, size, width)
	if errors.Is(err, picture.ErrUnreadable) {
		err = &job.Error{Code: "no_preview", Class: job.Invalid, Message: "the file has no preview: " + err.Error()}
	}
	return small, withHint(err, "open the file itself")
}

// withHint adds the next step to an error that has none.
func withHint(err error, hint string) error {
	if e := (*job.Error)(nil); errors.As(err, &e) && e.Hint == "" {
		told := *e
		told.Hint = hint
		return &told
	}
	return err
}
