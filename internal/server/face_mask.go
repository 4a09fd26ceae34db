package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"net/http"

	"github.com/comfyume/qmtui/internal/job"
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
	return s.takeUpload(w, r, func(u *upload, form formValues) error {
		var ref maskedFile
		if form("original_ref") == "" {
			return missingField("original_ref", `name the picture that is masked: {"filename", "subfolder", "type"}`)
		}
		if err := json.Unmarshal([]byte(form("original_ref")), &ref); err != nil {
			return badField("original_ref", "is not an object", `send {"filename", "subfolder", "type"} as JSON`)
		}
		if err := s.decoders.enter(r.Context()); err != nil {
			return err
		}
		defer s.decoders.leave()
		original, err := s.readMasked(r.PathValue("user"), ref)
		if err != nil {
			return err
		}
		u.data, err = masked(original, u.data)
		return err
	})
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
	raw, err := io.ReadAll(io.LimitReader(f, maxPicture+1))
	if err == nil && len(raw) > maxPicture {
		err = tooLarge("the picture", maxPicture)
	}
	return raw, err
}

// masked is the original with the transparency of the mask.
func masked(original, mask []byte) ([]byte, error) {
	from, err := decodePicture("original_ref", original)
	if err != nil {
		return nil, err
	}
	alpha, err := decodePicture("image", mask)
	if err != nil {
		return nil, err
	}
	size := from.Bounds()
	if alpha.Bounds().Size() != size.Size() {
		return nil, badField("image", "is not of the size of the picture that it masks", "paint the mask on that picture")
	}
	out := image.NewNRGBA(image.Rect(0, 0, size.Dx(), size.Dy()))
	shift := alpha.Bounds().Min.Sub(size.Min)
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			// The colours under full transparency count: a sampler sees them.
			c := color.NRGBAModel.Convert(from.At(x, y)).(color.NRGBA)
			_, _, _, a := alpha.At(x+shift.X, y+shift.Y).RGBA()
			c.A = uint8(a >> 8)
			out.SetNRGBA(x-size.Min.X, y-size.Min.Y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, out); err != nil {
		return nil, fmt.Errorf("encode masked picture: %w", err)
	}
	return withTexts(b.Bytes(), textChunks(original)), nil
}

func decodePicture(field string, raw []byte) (image.Image, error) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || cfg.Width < 1 || cfg.Height < 1 || int64(cfg.Width)*int64(cfg.Height) > maxPixels {
		return nil, badField(field, "is no picture that can be read", "send a PNG, JPEG, WebP or GIF")
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, badField(field, "is no picture that can be read", "send a PNG, JPEG, WebP or GIF")
	}
	return img, nil
}

const (
	pngHead  = 8          // bytes of the signature
	pngIHDR  = 8 + 13 + 4 // length, type, body and CRC of the first chunk
	pngFrame = 4 + 4 + 4  // of a chunk: length, type, CRC
	maxTexts = 16 << 20   // bytes of texts that are taken along
)

// textChunks are the chunks of a PNG that hold texts, such as the workflow;
// none for another format.
func textChunks(raw []byte) []byte {
	var out []byte
	if !bytes.HasPrefix(raw, []byte("\x89PNG\r\n\x1a\n")) {
		return nil
	}
	for at := pngHead; at+pngFrame <= len(raw); {
		size := int64(binary.BigEndian.Uint32(raw[at:]))
		end := int64(at) + pngFrame + size
		if end > int64(len(raw)) {
			break
		}
		switch string(raw[at+4 : at+8]) {
		case "tEXt", "iTXt", "zTXt":
			if len(out)+int(end)-at <= maxTexts {
				out = append(out, raw[at:end]...)
			}
		}
		at = int(end)
	}
	return out
}

// withTexts puts chunks behind the head of a PNG of our own making.
func withTexts(pic, chunks []byte) []byte {
	const head = pngHead + pngIHDR
	return append(append(append([]byte{}, pic[:head]...), chunks...), pic[head:]...)
}
