package server

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif" // decoders of what ComfyUI writes
	_ "image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strconv"

	"github.com/comfyume/qmtui/internal/job"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

// Bounds of a preview.
const (
	defaultWidth = 256
	maxWidth     = 1024
	maxPixels    = 64 << 20 // of the picture, decoded
	maxPicture   = 96 << 20 // bytes of the file
)

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
		if small, err = s.shrink(r, func() (File, error) { return s.svc.Open(j, o) }, width); err != nil {
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
	small, err := s.shrink(r, func() (File, error) { return s.svc.OrphanFile(pathOutput(r)) }, width)
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
	if err != nil || n < 1 || n > maxWidth {
		return 0, badField("width", fmt.Sprintf("%.20q is not a width", text), fmt.Sprintf("use 1 to %d pixels", maxWidth))
	}
	return n, nil
}

// shrink decodes a picture and makes a small PNG of it, a few at once.
func (s *Server) shrink(r *request, open func() (File, error), width int) ([]byte, error) {
	if err := s.decoders.enter(r.Context()); err != nil {
		return nil, err
	}
	defer s.decoders.leave()
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return shrinkPicture(f, width)
}

// shrinkPicture reads a picture (the first of an animation) and returns a PNG
// of at most that width, never larger than the picture.
func shrinkPicture(f io.ReadSeeker, width int) ([]byte, error) {
	cfg, _, err := image.DecodeConfig(io.LimitReader(f, maxPicture))
	if err != nil {
		return nil, noPreview("the file is not a picture that can be shown small")
	}
	if cfg.Width < 1 || cfg.Height < 1 || int64(cfg.Width)*int64(cfg.Height) > maxPixels {
		return nil, noPreview(fmt.Sprintf("the picture has %d x %d pixels, too many to be shown small", cfg.Width, cfg.Height))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind picture: %w", err)
	}
	full, _, err := image.Decode(io.LimitReader(f, maxPicture))
	if err != nil {
		return nil, noPreview("the picture cannot be read: " + err.Error())
	}
	return encode(full, cfg, width)
}

func encode(full image.Image, cfg image.Config, width int) ([]byte, error) {
	width = min(width, cfg.Width)
	height := min(max(1, cfg.Height*width/cfg.Width), 4*maxWidth)
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), full, full.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := png.Encode(&out, small); err != nil {
		return nil, fmt.Errorf("encode preview: %w", err)
	}
	return out.Bytes(), nil
}

func noPreview(why string) error {
	return &job.Error{Code: "no_preview", Class: job.Invalid, Message: why, Hint: "open the file itself"}
}
