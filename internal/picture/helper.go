package picture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // the decoders of what ComfyUI writes
	_ "image/jpeg"
	"image/png"
	"io"
	"os"
	"runtime/debug"

	_ "golang.org/x/image/webp"

	"github.com/comfyume/qmtui/internal/job"
)

// IsHelper reports that this process was started as a helper.
func IsHelper() bool { return os.Getenv(helperMark) != "" }

// refusal is the answer of a helper that returns no picture: an error of this
// package, as JSON.
type refusal struct {
	Unreadable string     `json:"unreadable,omitempty"`
	OtherSize  bool       `json:"other_size,omitempty"`
	Error      *job.Error `json:"error,omitempty"`
	Mask       bool       `json:"mask,omitempty"` // it is about the mask
}

// Serve does one task as a helper process: it reads the task and the files from
// in and writes a PNG or a refusal to out. It limits its own process, in which
// nothing else may run. An error is for the gate's log.
func Serve(in io.Reader, out io.Writer) error {
	b := bufio.NewReader(in)
	line, err := b.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read task: %w", err)
	}
	var j task
	if err := json.Unmarshal(line, &j); err != nil {
		return fmt.Errorf("read task: %w", err)
	}
	debug.SetGCPercent(-1) // the memory is there to be used; at its limit it is collected
	debug.SetMemoryLimit(j.Memory)
	if err := limitProcess(j.Memory, cpuLimit); err != nil {
		return fmt.Errorf("limit the helper: %w", err)
	}
	files := make([][]byte, len(j.Sizes))
	for i, n := range j.Sizes {
		files[i] = make([]byte, n)
		if _, err := io.ReadFull(b, files[i]); err != nil {
			return fmt.Errorf("read picture: %w", err)
		}
	}
	img, texts, err := j.draw(files)
	if err != nil {
		return json.NewEncoder(out).Encode(refused(err))
	}
	w := bufio.NewWriterSize(&textInserter{w: out, texts: texts}, 64<<10)
	if err := png.Encode(w, img); err != nil {
		return fmt.Errorf("encode picture: %w", err)
	}
	return w.Flush()
}

// draw makes the picture of a task, and the chunks of text that belong to it.
func (j task) draw(files [][]byte) (img image.Image, texts []byte, err error) {
	if j.Preview > 0 {
		full, err := decode(files[0])
		if err != nil {
			return nil, nil, err
		}
		return shrunk(full, j.Preview), nil, nil
	}
	if len(files) != 2 {
		return nil, nil, errors.New("a mask takes two files")
	}
	mask, err := decode(files[1])
	if err != nil {
		return nil, nil, MaskError{err}
	}
	size, alpha := mask.Bounds().Size(), alphaOf(mask)
	mask, files[1] = nil, nil // the memory is counted for one picture at a time
	original, err := decode(files[0])
	switch {
	case err != nil:
		return nil, nil, err
	case original.Bounds().Size() != size:
		return nil, nil, MaskError{ErrOtherSize}
	}
	return masked(original, alpha), textChunks(files[0]), nil
}

// decode decodes what the header and the scans allow. A decoder that panics has
// found a picture that cannot be read.
func decode(b []byte) (img image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrUnreadable, p)
		}
	}()
	h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	if h.Format == "jpeg" {
		if err := jpegCost(b); err != nil {
			return nil, err
		}
	}
	img, _, err = image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if img.Bounds().Empty() {
		return nil, ErrUnreadable
	}
	return img, nil
}

// DecodePreview decodes what Preview made, in this process, for the panel: a PNG.
// The manager may be another one, so that more than 16 MiB are refused by the header.
func DecodePreview(b []byte) (image.Image, error) {
	const most = 16 << 20
	h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	switch {
	case h.Format != "png":
		return nil, ErrUnreadable
	case h.Memory > most:
		return nil, tooLarge(fmt.Sprintf("the preview has %d x %d pixels, too many to be shown", h.Width, h.Height))
	}
	return decode(b)
}

func refused(err error) refusal {
	r := refusal{OtherSize: errors.Is(err, ErrOtherSize), Mask: errors.As(err, new(MaskError))}
	switch {
	case r.OtherSize:
	case errors.As(err, &r.Error):
	default:
		r.Unreadable = err.Error()
	}
	return r
}

// readAnswer is what a helper wrote: a PNG, or a refusal.
func readAnswer(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte(pngMagic)) {
		return b, nil
	}
	var r refusal
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read the preview helper's answer: %w", err)
	}
	err := error(ErrUnreadable)
	switch {
	case r.OtherSize:
		err = ErrOtherSize
	case r.Error != nil:
		err = r.Error
	}
	if r.Mask {
		err = MaskError{err}
	}
	return nil, err
}
