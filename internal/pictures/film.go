package main

import (
	"cmp"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"os"
	"slices"
	"time"
)

// film collects frames; of each it keeps only what changed.
type film struct {
	last   *image.RGBA
	frames []*image.Paletted
	delays []int // hundredths of a second
}

func (f *film) add(img *image.RGBA, stay time.Duration) {
	delay := int(stay / (10 * time.Millisecond))
	box := img.Bounds()
	if f.last != nil {
		box = changed(f.last, img)
	}
	if box.Empty() {
		f.delays[len(f.delays)-1] += delay
		return
	}
	f.frames = append(f.frames, paletted(img.SubImage(box).(*image.RGBA)))
	f.delays = append(f.delays, delay)
	f.last = img
}

func (f *film) write(path string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(gif.EncodeAll(out, &gif.GIF{Image: f.frames, Delay: f.delays}), out.Close())
}

// changed is the smallest box around the pixels that differ.
func changed(a, b *image.RGBA) image.Rectangle {
	var box image.Rectangle
	for y := range b.Rect.Dy() {
		for x := range b.Rect.Dx() {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

// paletted keeps the 256 most used colours; the others take their nearest.
func paletted(img *image.RGBA) *image.Paletted {
	uses := map[color.RGBA]int{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			uses[img.RGBAAt(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(uses))
	for c := range uses {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(x, y color.RGBA) int {
		return cmp.Or(cmp.Compare(uses[y], uses[x]), cmp.Compare(x.R, y.R), cmp.Compare(x.G, y.G), cmp.Compare(x.B, y.B))
	})
	palette := make(color.Palette, 0, 256)
	for _, c := range colours[:min(len(colours), 256)] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(b, palette)
	draw.Draw(out, b, img, b.Min, draw.Src)
	return out
}
