package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The size of a cell and the height of the base line in it, in pixels.
const cellWidth, cellHeight, baseLine = 8, 17, 13

var (
	paper = color.RGBA{0x14, 0x16, 0x1e, 0xff}
	ink   = color.RGBA{0xd0, 0xd3, 0xda, 0xff}
)

// pen draws cells.
type pen struct{ plain, bold font.Face }

func newPen(folder string) (*pen, error) {
	plain, err := face(filepath.Join(folder, "DejaVuSansMono.ttf"))
	bold, berr := face(filepath.Join(folder, "DejaVuSansMono-Bold.ttf"))
	return &pen{plain, bold}, errors.Join(err, berr)
}

func face(path string) (font.Face, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read font: %w; install fonts-dejavu-core or give -font", err)
	}
	f, err := opentype.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: 13.3, DPI: 72, Hinting: font.HintingFull})
}

func (p *pen) draw(cells [][]uv.Cell) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, columns*cellWidth, rows*cellHeight))
	draw.Draw(img, img.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	for y, line := range cells {
		for x, c := range line {
			p.cell(img, x*cellWidth, y*cellHeight, c)
		}
	}
	return img
}

func (p *pen) cell(img *image.RGBA, x, y int, c uv.Cell) {
	fg, bg := colours(c.Style)
	box := image.Rect(x, y, x+cellWidth*max(1, c.Width), y+cellHeight)
	if bg != paper {
		draw.Draw(img, box, image.NewUniform(bg), image.Point{}, draw.Src)
	}
	if part, ok := block(box, c.Content); ok {
		draw.Draw(img, part, image.NewUniform(fg), image.Point{}, draw.Src)
		return
	}
	f := p.plain
	if c.Style.Attrs&uv.AttrBold != 0 {
		f = p.bold
	}
	d := font.Drawer{Dst: img, Src: image.NewUniform(fg), Face: f, Dot: fixed.P(x, y+baseLine)}
	d.DrawString(c.Content)
	if c.Style.Underline != 0 {
		draw.Draw(img, image.Rect(box.Min.X, box.Max.Y-2, box.Max.X, box.Max.Y-1), image.NewUniform(fg), image.Point{}, draw.Src)
	}
}

// block is the part of a cell that a block element or a straight line fills:
// drawn from a font they would leave gaps between the cells.
func block(box image.Rectangle, s string) (image.Rectangle, bool) {
	switch s {
	case "▀":
		box.Max.Y = box.Min.Y + cellHeight/2 + 1
	case "▄":
		box.Min.Y += cellHeight/2 + 1
	case "│":
		box.Min.X += cellWidth / 2
		box.Max.X = box.Min.X + 1
	case "─":
		box.Min.Y += cellHeight / 2
		box.Max.Y = box.Min.Y + 1
	default:
		r, n := utf8.DecodeRuneInString(s)
		if n != len(s) || r < '▁' || r > '█' {
			return box, false
		}
		box.Min.Y = box.Max.Y - cellHeight*int(r-'▁'+1)/8
	}
	return box, true
}

// colours are a style's as a terminal shows them.
func colours(s uv.Style) (fg, bg color.RGBA) {
	fg, bg = ink, paper
	if s.Fg != nil {
		fg = color.RGBAModel.Convert(s.Fg).(color.RGBA)
	}
	if s.Bg != nil {
		bg = color.RGBAModel.Convert(s.Bg).(color.RGBA)
	}
	if s.Attrs&uv.AttrReverse != 0 {
		fg, bg = bg, fg
	}
	if s.Attrs&uv.AttrFaint != 0 {
		fg = color.RGBA{mid(fg.R, bg.R), mid(fg.G, bg.G), mid(fg.B, bg.B), 0xff}
	}
	return fg, bg
}

func mid(a, b uint8) uint8 { return uint8((3*int(a) + 2*int(b)) / 5) }

func writePNG(path string, img *image.RGBA) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	e := png.Encoder{CompressionLevel: png.BestCompression}
	return errors.Join(e.Encode(f, paletted(img)), f.Close())
}
