package main

import (
	"cmp"
	"image"
	"image/color"
	"image/gif"
	"os"
	"slices"
	"time"
)

// reel is a moving picture.
type reel struct {
	frames []*image.RGBA
	hold   []time.Duration
}

func (f *reel) add(img *image.RGBA, hold time.Duration) {
	f.frames, f.hold = append(f.frames, img), append(f.hold, hold)
}

// write makes a GIF in which each frame holds only what changed.
func (f *reel) write(path string) error {
	out := &gif.GIF{}
	colours := common(gifColours, f.frames...)
	var before *image.Paletted
	for i, img := range f.frames {
		whole := withPalette(img, colours)
		part := whole
		if before != nil {
			part = changed(before, whole)
		}
		before = whole
		out.Image = append(out.Image, part)
		out.Delay = append(out.Delay, int(f.hold[i]/(10*time.Millisecond)))
		out.Disposal = append(out.Disposal, gif.DisposalNone)
	}
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	defer w.Close()
	return gif.EncodeAll(w, out)
}

// changed is the smallest part of now that holds all that differs.
func changed(was, now *image.Paletted) *image.Paletted {
	var r image.Rectangle
	for y := now.Rect.Min.Y; y < now.Rect.Max.Y; y++ {
		for x := now.Rect.Min.X; x < now.Rect.Max.X; x++ {
			if was.ColorIndexAt(x, y) != now.ColorIndexAt(x, y) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if r.Empty() {
		r = image.Rect(0, 0, 1, 1)
	}
	return now.SubImage(r).(*image.Paletted)
}

// gifColours is how many colours a moving picture has: text needs few, and a
// GIF of few is half as long.
const gifColours = 40

// common are n colours that stand for all others: half of them the most frequent,
// the others each the one that is the farthest from those before, so that a
// word in a colour of its own keeps it beside a picture.
func common(n int, frames ...*image.RGBA) color.Palette {
	all := byFrequency(frames)
	if len(all) <= n {
		return paletteOf(all)
	}
	chosen := all[: n/2 : n/2]
	far := make([]int, len(all)) // from the nearest that is chosen
	for i, c := range all {
		far[i] = 1 << 30
		for _, x := range chosen {
			far[i] = min(far[i], distance(c, x))
		}
	}
	for len(chosen) < n {
		best := 0
		for i := range all {
			if far[i] > far[best] {
				best = i
			}
		}
		chosen = append(chosen, all[best])
		for i, c := range all {
			far[i] = min(far[i], distance(c, all[best]))
		}
	}
	return paletteOf(chosen)
}

// byFrequency are the colours of pictures, a little rounded, the most frequent first.
func byFrequency(frames []*image.RGBA) []color.RGBA {
	counts := map[color.RGBA]int{}
	for _, img := range frames {
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				c := img.RGBAAt(x, y)
				c.R, c.G, c.B = c.R&^3, c.G&^3, c.B&^3
				counts[c]++
			}
		}
	}
	all := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	return all
}

func distance(a, b color.RGBA) int {
	r, g, l := int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B)
	return r*r + g*g + l*l
}

func paletteOf(all []color.RGBA) (p color.Palette) {
	for _, c := range all {
		p = append(p, c)
	}
	return p
}

func withPalette(img *image.RGBA, p color.Palette) *image.Paletted {
	out := image.NewPaletted(img.Rect, p)
	near := map[color.RGBA]uint8{}
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := img.RGBAAt(x, y)
			i, ok := near[c]
			if !ok {
				i = uint8(p.Index(c))
				near[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}
