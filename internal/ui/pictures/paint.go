package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The size of a cell in pixels, and of the letters in it.
const (
	cellWidth  = 8
	cellHeight = 17
	baseline   = 13
	letterSize = 13.3
	margin     = 8
)

var (
	paper = color.RGBA{0x14, 0x16, 0x1e, 255}
	inkFg = color.RGBA{0xd0, 0xd3, 0xda, 255}
)

// painter paints a terminal's cells.
type painter struct{ regular, bold font.Face }

func newPainter(path string) (*painter, error) {
	regular, err := face(path)
	if err != nil {
		return nil, fmt.Errorf("%w; give a monospaced TrueType font with -font", err)
	}
	bold, err := face(strings.TrimSuffix(path, ".ttf") + "-Bold.ttf")
	if err != nil {
		bold = regular
	}
	return &painter{regular, bold}, nil
}

func face(path string) (font.Face, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := opentype.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: letterSize, DPI: 72, Hinting: font.HintingFull})
}

func (p *painter) png(e *vt.SafeEmulator, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	img := p.image(e)
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, withPalette(img, common(256, img)))
}

// image paints the whole screen.
func (p *painter) image(e *vt.SafeEmulator) *image.RGBA {
	w, h := e.Width(), e.Height()
	img := image.NewRGBA(image.Rect(0, 0, w*cellWidth+2*margin, h*cellHeight+2*margin))
	fill(img, img.Bounds(), paper)
	for y := range h {
		for x := range w {
			if c := e.CellAt(x, y); c != nil && c.Width > 0 {
				p.cell(img, c, margin+x*cellWidth, margin+y*cellHeight)
			}
		}
	}
	return img
}

func fill(img draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

func (p *painter) cell(img *image.RGBA, c *uv.Cell, x, y int) {
	fg, bg := colours(c.Style)
	r := image.Rect(x, y, x+cellWidth*c.Width, y+cellHeight)
	fill(img, r, bg)
	if block(img, c.Content, r, fg) {
		return
	}
	use := p.regular
	if c.Style.Attrs&uv.AttrBold != 0 {
		use = p.bold
	}
	d := font.Drawer{Dst: img, Src: image.NewUniform(fg), Face: use, Dot: fixed.P(x, y+baseline)}
	d.DrawString(c.Content)
	if c.Style.Underline != 0 {
		fill(img, image.Rect(r.Min.X, r.Max.Y-2, r.Max.X, r.Max.Y-1), fg)
	}
}

func colours(s uv.Style) (fg, bg color.Color) {
	fg, bg = inkFg, paper
	if s.Fg != nil {
		fg = s.Fg
	}
	if s.Bg != nil {
		bg = s.Bg
	}
	if s.Attrs&uv.AttrReverse != 0 {
		fg, bg = bg, fg
	}
	return fg, bg
}

// block paints blocks and lines of boxes to the edges of their cell: letters
// of a font leave gaps.
func block(img *image.RGBA, text string, r image.Rectangle, fg color.Color) bool {
	mx, my := r.Min.X+r.Dx()/2, r.Min.Y+r.Dy()/2
	if arms, ok := lines[text]; ok {
		line(img, r, arms, fg)
		return true
	}
	switch text {
	case "▀":
		fill(img, image.Rect(r.Min.X, r.Min.Y, r.Max.X, my), fg)
	case "▌":
		fill(img, image.Rect(r.Min.X, r.Min.Y, mx, r.Max.Y), fg)
	case "░":
		shade(img, r, fg)
	default:
		i := strings.Index("▁▂▃▄▅▆▇█", text)
		if text == "" || i < 0 {
			return false
		}
		fill(img, image.Rect(r.Min.X, r.Max.Y-(i/3+1)*r.Dy()/8, r.Max.X, r.Max.Y), fg)
	}
	return true
}

// lines are the lines of boxes: which arms reach to the edges of the cell.
var lines = map[string]string{"─": "lr", "│": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "├": "udr", "└": "ur"}

// line paints the arms of a line from the middle of its cell.
func line(img *image.RGBA, r image.Rectangle, arms string, fg color.Color) {
	mx, my := r.Min.X+r.Dx()/2, r.Min.Y+r.Dy()/2
	for _, a := range arms {
		switch a {
		case 'l':
			fill(img, image.Rect(r.Min.X, my, mx+1, my+1), fg)
		case 'r':
			fill(img, image.Rect(mx, my, r.Max.X, my+1), fg)
		case 'u':
			fill(img, image.Rect(mx, r.Min.Y, mx+1, my+1), fg)
		case 'd':
			fill(img, image.Rect(mx, my, mx+1, r.Max.Y), fg)
		}
	}
}

// shade paints the empty part of a bar: a quarter of the colour.
func shade(img *image.RGBA, r image.Rectangle, fg color.Color) {
	f, b := color.RGBAModel.Convert(fg).(color.RGBA), img.RGBAAt(r.Min.X, r.Min.Y)
	mix := func(x, y uint8) uint8 { return uint8((int(x) + 3*int(y)) / 4) }
	fill(img, r, color.RGBA{mix(f.R, b.R), mix(f.G, b.G), mix(f.B, b.B), 255})
}
