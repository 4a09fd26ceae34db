package ui

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/image/draw"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/picture"
)

// Pictures are drawn with half blocks, two pixels a cell: they work on every
// terminal, through tmux and over SSH. Without colours a ramp of signs stands
// for brightness. A terminal that knows kitty's protocol gets them whole.

// How many pixels wide a picture is asked for: no terminal shows more with half
// blocks; with kitty's protocol a cell has about eight.
const (
	previewWidth      = 160
	kittyPreviewWidth = 640
)

// maxPreviews bounds how many pictures are held.
const maxPreviews = 32

// preview is one picture, or why there is none.
type preview struct {
	img     image.Image
	png     []byte // for a terminal that takes it; else nil
	err     error
	pending bool
	drawn   []string // as drawn last, for the size below
	w, h    int
}

// previews holds pictures by output.
type previews struct {
	held  map[job.OutputID]*preview
	order []job.OutputID
	kitty *Kitty // nil for half blocks
}

func newPreviews() previews { return previews{held: map[job.OutputID]*preview{}} }

// previewMsg brings a picture.
type previewMsg struct {
	id  job.OutputID
	img image.Image
	png []byte // as it came
	err error
}

// forget drops what was drawn, since the colours changed.
func (p *previews) forget() {
	for _, x := range p.held {
		x.drawn = nil
	}
}

// previewer asks a manager for a picture.
type previewer func(ctx context.Context, id job.OutputID, width int) ([]byte, error)

// want makes the command that fetches a picture; nil when it is here or on its way.
func (w *world) want(id job.OutputID) tea.Cmd { return w.wantFrom(id, w.manager.Preview) }

// wantOrphan is want for the picture of an orphan.
func (w *world) wantOrphan(id job.OutputID) tea.Cmd { return w.wantFrom(id, w.manager.OrphanPreview) }

func (w *world) wantFrom(id job.OutputID, ask previewer) tea.Cmd {
	p := &w.previews
	if w.opts.Images == ImagesOff || id == "" || p.held[id] != nil {
		return nil
	}
	p.kitty = w.opts.Kitty
	p.hold(id)
	fetch := w.fetch(id, ask)
	if p.kitty == nil {
		return fetch
	}
	return tea.Batch(fetch, p.kitty.start(w.ctx))
}

// hold makes room for a picture that is on its way.
func (p *previews) hold(id job.OutputID) {
	p.held[id] = &preview{pending: true}
	p.order = append(p.order, id)
	if len(p.order) <= maxPreviews {
		return
	}
	if p.kitty != nil {
		p.kitty.forget(p.order[0])
	}
	delete(p.held, p.order[0])
	p.order = p.order[1:]
}

func (w *world) fetch(id job.OutputID, ask previewer) tea.Cmd {
	pixels := previewWidth
	if w.opts.Kitty != nil {
		pixels = kittyPreviewWidth
	}
	return w.call(30*time.Second, func(ctx context.Context) tea.Msg {
		b, err := ask(ctx, id, pixels)
		if err != nil {
			return previewMsg{id: id, err: err}
		}
		img, err := picture.DecodePreview(b)
		return previewMsg{id, img, b, err}
	})
}

func (p *previews) learn(msg previewMsg) {
	if x := p.held[msg.id]; x != nil {
		*x = preview{img: msg.img, err: msg.err}
		if p.kitty != nil {
			x.png = msg.png
		}
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
	if lines := p.placed(st, id, x, w, h); lines != nil {
		return lines
	}
	if x.drawn == nil || x.w != w || x.h != h {
		x.w, x.h = w, h
		x.drawn = blocks(st, x.img, w, h)
	}
	return x.drawn
}

// placed lets the terminal show a picture; nil where it cannot. The room is
// empty until the terminal has the picture.
func (p *previews) placed(st *Styles, id job.OutputID, x *preview, w, h int) []string {
	if p.kitty == nil || x.png == nil || !st.colour || st.ascii || x.img.Bounds().Empty() {
		return nil
	}
	pw, ph := proportions(x.img.Bounds(), min(w, maxPlaced), min(h, maxPlaced))
	image, ready := p.kitty.place(id, x.png, pw, ph/2)
	switch {
	case image == 0:
		return nil
	case !ready:
		return slices.Repeat([]string{blank(pw)}, ph/2)
	}
	return placeholders(image, pw, ph/2)
}

// proportions is how many half cells a picture takes in w by h cells: a cell
// is twice as high as wide, so half of one is about square.
func proportions(b image.Rectangle, w, h int) (pw, ph int) {
	pw, ph = w, w*b.Dy()/b.Dx()
	if ph > 2*h {
		pw, ph = 2*h*b.Dx()/b.Dy(), 2*h
	}
	return max(1, pw), max(2, ph+ph%2)
}

// blocks draws a picture with its proportions kept.
func blocks(st *Styles, img image.Image, w, h int) []string {
	b := img.Bounds()
	if b.Empty() {
		return nil
	}
	pw, ph := proportions(b, w, h)
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
