package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/picture"
)

// maskedFile names the picture that a mask belongs to.
type maskedFile struct {
	Filename  string `json:"filename"`
	Subfolder string `json:"subfolder"`
	Type      string `json:"type"`
}

// faceUploadMask answers POST upload/mask: the picture that original_ref names
// gets the mask's transparency and is stored like an upload, as a PNG with the
// texts that the picture had (0.8.0, server.py, upload_mask).
func (s *Server) faceUploadMask(w http.ResponseWriter, r *request) error {
	leave, err := s.enterPictures(r, r.PathValue("user"))
	if err != nil {
		return err
	}
	defer leave()
	return s.takeUpload(w, r, func(u *upload, form formValues) error {
		var ref maskedFile
		if form("original_ref") == "" {
			return missingField("original_ref", `name the picture that is masked: {"filename", "subfolder", "type"}`)
		}
		if err := json.Unmarshal([]byte(form("original_ref")), &ref); err != nil {
			return badField("original_ref", "is not an object", `send {"filename", "subfolder", "type"} as JSON`)
		}
		original, err := s.readMasked(r.PathValue("user"), ref)
		if err != nil {
			return err
		}
		u.data, err = s.pictures.Mask(r.Context(), original, u.data)
		return maskError(err)
	})
}

// maskError says which of the two pictures is wrong.
func maskError(err error) error {
	field := "original_ref"
	if errors.As(err, new(picture.MaskError)) {
		field = "image"
	}
	switch {
	case errors.Is(err, picture.ErrOtherSize):
		return badField(field, "is not of the size of the picture that it masks", "paint the mask on that picture")
	case errors.Is(err, picture.ErrUnreadable):
		return badField(field, "is no picture that can be read", "send a PNG, JPEG, WebP or GIF")
	}
	return withHint(err, "make the picture smaller, or save it as a PNG with 8 bits a channel")
}

// readMasked reads the picture that a mask belongs to.
func (s *Server) readMasked(user string, ref maskedFile) ([]byte, error) {
	dest, kind, status := s.placeOf(user, ref.Filename, ref.Subfolder, ref.Type)
	if status != http.StatusOK {
		return nil, badField("original_ref", "names no file of yours", "name a file of your own")
	}
	f, err := s.openFaceFile(user, kind, dest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &job.Error{Code: "file_not_found", Class: job.NotFound, Message: fmt.Sprintf("there is no picture %.80q to be masked", ref.Filename), Hint: "upload it first"}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, picture.MaxFile+1))
	if err == nil && len(raw) > picture.MaxFile {
		err = tooLarge("the picture", picture.MaxFile)
	}
	return raw, err
}
