package ui

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/image/draw"

	"github.com/comfyume/qmtui/internal/job"
)

// Pictures are drawn with half blocks, two pixels a cell: they work on every
// terminal, through tmux and over SSH. Without colours a ramp of signs stands
// for brightness.

// previewWidth is how many pixels are asked for; no terminal shows more with
// half blocks.
const previewWidth = 160

// maxPreviews bounds how many pictures are held.
const maxPreviews = 32

// preview is one picture, or why there is none.
type preview struct {
	img     image.Image
	err     error
	pending bool
	drawn   []string // as drawn last, for the size below
	w, h    int
}

// previews holds pictures by output.
type previews struct {
	held  map[job.OutputID]*preview
	order []job.OutputID
}

func newPreviews() previews { return previews{held: map[job.OutputID]*preview{}} }

// previewMsg brings a picture.
type previewMsg struct {
	id  job.OutputID
	img image.Image
	err error
}

// forget drops what was drawn, since the colours changed.
func (p *previews) forget() {
	for _, x := range p.held {
		x.drawn = nil
	}
}

// want makes the command that fetches a picture; nil when it is here or on its way.
func (w *world) want(id job.OutputID) tea.Cmd {
	p := &w.previews
	if w.opts.Images == "off" || id == "" || p.held[id] != nil {
		return nil
	}
	p.held[id] = &preview{pending: true}
	p.order = append(p.order, id)
	if len(p.order) > maxPreviews {
		delete(p.held, p.order[0])
		p.order = p.order[1:]
	}
	manager := w.manager
	return w.call(30*time.Second, func(ctx context.Context) tea.Msg {
		b, err := manager.Preview(ctx, id, previewWidth)
		if err != nil {
			return previewMsg{id: id, err: err}
		}
		img, err := decodePreview(b)
		return previewMsg{id, img, err}
	})
}

// decodePreview reads a picture after a look at its size: a few bytes can
// stand for a gigabyte of pixels.
func decodePreview(b []byte) (image.Image, error) {
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read the preview: %w", err)
	}
	if c.Width*c.Height > 4<<20 {
		return nil, fmt.Errorf("the preview is %dx%d pixels, which is too large", c.Width, c.Height)
	}
	return png.Decode(bytes.NewReader(b))
}

func (p *previews) learn(msg previewMsg) {
	if x := p.held[msg.id]; x != nil {
		*x = preview{img: msg.img, err: msg.err}
	}
}

// draw shows a picture in at most w by h cells, or says why not.
func (p *previews) draw(st *Styles, id job.OutputID, w, h int) []string {
	x := p.held[id]
	switch {
	case x == nil || w < 4 || h < 2:
		return nil
	case x.pending:
		return []string{st.Quiet.On("loading the picture")}
	case x.err != nil:
		e := job.AsError(x.err)
		return []string{st.Quiet.On(fit("no picture: "+st.text(e.Message), w))}
	}
	if x.drawn == nil || x.w != w || x.h != h {
		x.w, x.h = w, h
		x.drawn = blocks(st, x.img, w, h)
	}
	return x.drawn
}

// blocks draws a picture with its proportions kept: a cell is twice as high
// as wide, so half of one is about square.
func blocks(st *Styles, img image.Image, w, h int) []string {
	b := img.Bounds()
	if b.Empty() {
		return nil
	}
	pw, ph := w, w*b.Dy()/b.Dx()
	if ph > 2*h {
		pw, ph = 2*h*b.Dx()/b.Dy(), 2*h
	}
	pw, ph = max(1, pw), max(2, ph+ph%2)
	small := image.NewRGBA(image.Rect(0, 0, pw, ph))
	draw.Draw(small, small.Bounds(), image.NewUniform(color.Gray{40}), image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(small, small.Bounds(), img, b, draw.Over, nil)
	lines := make([]string, 0, ph/2)
	for y := 0; y < ph; y += 2 {
		if st.colour && !st.ascii {
			lines = append(lines, halfBlocks(small, y))
		} else {
			lines = append(lines, brightness(small, y))
		}
	}
	return lines
}

func halfBlocks(img *image.RGBA, y int) string {
	var b strings.Builder
	was := ""
	for x := range img.Bounds().Dx() {
		t, l := img.RGBAAt(x, y), img.RGBAAt(x, y+1)
		k := fmt.Sprintf("\x1b[38;2;%d;%d;%d;48;2;%d;%d;%dm", t.R, t.G, t.B, l.R, l.G, l.B)
		if k != was {
			b.WriteString(k)
			was = k
		}
		b.WriteString("▀")
	}
	return b.String() + inkEnd
}

const ramp = " .:-=+*#%@"

func brightness(img *image.RGBA, y int) string {
	var b strings.Builder
	for x := range img.Bounds().Dx() {
		t, l := img.RGBAAt(x, y), img.RGBAAt(x, y+1)
		v := (299*(int(t.R)+int(l.R)) + 587*(int(t.G)+int(l.G)) + 114*(int(t.B)+int(l.B))) / 2000
		b.WriteByte(ramp[min(len(ramp)-1, v*len(ramp)/256)])
	}
	return b.String()
}
