package simulator

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// maxSide bounds the painted size: the metadata says 1024, the picture is a
// quarter of it, so that a demo of hundreds of pictures costs little.
const maxSide = 256

// painter gives the colour of a point; u and v run from 0 to 1.
type painter func(u, v float64) (r, g, b float64)

// frame paints image i of a batch. Equal materials give equal pictures.
func (m material) frame(i, side int) *image.NRGBA {
	w, h := fit(m.width, m.height, side)
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	paint := m.painter(i)
	for y := range h {
		for x := range w {
			r, g, b := paint((float64(x)+0.5)/float64(w), (float64(y)+0.5)/float64(h))
			if m.inverted {
				r, g, b = 1-r, 1-g, 1-b
			}
			img.SetNRGBA(x, y, color.NRGBA{channel(r), channel(g), channel(b), 255})
		}
	}
	return img
}

func channel(v float64) uint8 { return uint8(255*math.Min(1, math.Max(0, v)) + 0.5) }

// fit scales a size down until its longer side is at most side.
func fit(w, h, side int) (int, int) {
	longer := max(w, h, 1)
	if longer <= side {
		return max(w, 1), max(h, 1)
	}
	return max(1, w*side/longer), max(1, h*side/longer)
}

func (m material) painter(i int) painter {
	if m.flat >= 0 {
		r, g, b := float64(m.flat>>16&255)/255, float64(m.flat>>8&255)/255, float64(m.flat&255)/255
		return func(_, _ float64) (float64, float64, float64) { return r, g, b }
	}
	dice := rand.New(rand.NewPCG(m.hash(), m.seed+uint64(i)*0x9e3779b97f4a7c15))
	tones := palettes[m.hash()%uint64(len(palettes))].turned(dice.Float64()*0.25 - 0.12)
	kinds := []func(*rand.Rand, palette) painter{landscape, marble, julia, aurora}
	return kinds[m.hash()>>8%uint64(len(kinds))](dice, tones)
}

// palette is a cosine gradient, a + b*cos(2*pi*(c*t+d)) for each channel
// (Inigo Quilez, "palettes").
type palette struct{ a, b, c, d [3]float64 }

var palettes = []palette{
	{[3]float64{.55, .42, .40}, [3]float64{.45, .35, .35}, [3]float64{1, 1, 1}, [3]float64{.0, .10, .25}},    // ember
	{[3]float64{.45, .50, .58}, [3]float64{.40, .40, .38}, [3]float64{1, 1, 1}, [3]float64{.55, .62, .72}},   // sea
	{[3]float64{.52, .45, .55}, [3]float64{.42, .38, .42}, [3]float64{1, 1, .9}, [3]float64{.80, .92, .12}},  // dusk
	{[3]float64{.48, .52, .42}, [3]float64{.40, .40, .35}, [3]float64{.9, 1, 1}, [3]float64{.25, .38, .55}},  // moss
	{[3]float64{.60, .50, .45}, [3]float64{.38, .38, .40}, [3]float64{1, .8, .6}, [3]float64{.05, .18, .40}}, // sand
	{[3]float64{.58, .44, .60}, [3]float64{.40, .36, .36}, [3]float64{1, .9, .8}, [3]float64{.88, .08, .22}}, // violet
}

func (p palette) turned(by float64) palette {
	for i := range p.d {
		p.d[i] += by
	}
	return p
}

func (p palette) at(t float64) (r, g, b float64) {
	f := func(i int) float64 { return p.a[i] + p.b[i]*math.Cos(2*math.Pi*(p.c[i]*t+p.d[i])) }
	return f(0), f(1), f(2)
}

// field is value noise on a small torus.
type field [32][32]float64

func newField(dice *rand.Rand) *field {
	f := new(field)
	for y := range f {
		for x := range f[y] {
			f[y][x] = dice.Float64()
		}
	}
	return f
}

func (f *field) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	u, v := smooth(x-fx), smooth(y-fy)
	x0, y0 := int(fx)&31, int(fy)&31
	x1, y1 := (x0+1)&31, (y0+1)&31
	top := f[y0][x0] + u*(f[y0][x1]-f[y0][x0])
	bottom := f[y1][x0] + u*(f[y1][x1]-f[y1][x0])
	return top + v*(bottom-top)
}

func smooth(t float64) float64 { return t * t * (3 - 2*t) }

// cloud sums octaves of noise; the result is between 0 and 1.
func (f *field) cloud(x, y float64, octaves int) float64 {
	sum, size, total := 0.0, 0.5, 0.0
	for range octaves {
		sum += size * f.at(x, y)
		total += size
		x, y, size = x*2.03+7.1, y*2.03+3.7, size/2
	}
	return sum / total
}

// landscape is a sky with a sun over ranges of hills, each hazier than the
// one before it.
func landscape(dice *rand.Rand, tones palette) painter {
	noise := newField(dice)
	sunX, sunY := 0.2+0.6*dice.Float64(), 0.18+0.3*dice.Float64()
	base := dice.Float64() * 0.3
	const ranges = 5
	return func(u, v float64) (r, g, b float64) {
		for i := ranges - 1; i >= 0; i-- {
			depth := float64(i) / ranges
			ridge := 0.42 + depth*0.5 - 0.22*(noise.cloud(u*(2+depth*3)+float64(i)*5, float64(i)*3, 4)-0.3)
			if v > ridge {
				r, g, b = tones.at(base + 0.12*(1-depth))
				shade := (0.95 - depth*0.75) * (1 - 0.25*(v-ridge))
				return r * shade, g * shade, b * shade
			}
		}
		r, g, b = tones.at(base + 0.25 + v*0.45)
		d := math.Hypot(u-sunX, v-sunY)
		glow := 0.5*math.Exp(-d*d*22) + smooth(math.Min(1, math.Max(0, (0.062-d)*90)))
		haze := 0.18 * noise.cloud(u*3, v*9, 3)
		return r + glow + haze, g + glow*0.9 + haze, b + glow*0.65 + haze
	}
}

// marble is noise bent by noise.
func marble(dice *rand.Rand, tones palette) painter {
	noise := newField(dice)
	zoom, warp := 2+dice.Float64()*2, 2+dice.Float64()*2
	return func(u, v float64) (r, g, b float64) {
		x, y := u*zoom, v*zoom
		ax := noise.cloud(x, y, 3)
		ay := noise.cloud(x+5.2, y+1.3, 3)
		t := noise.cloud(x+warp*ax, y+warp*ay, 4)
		r, g, b = tones.at(t*1.6 + ax*0.5)
		light := 0.65 + 0.6*ay
		return r * light, g * light, b * light
	}
}

// julia is the neighbourhood of a Julia set, coloured smoothly.
func julia(dice *rand.Rand, tones palette) painter {
	seeds := []complex128{complex(-0.8, 0.156), complex(-0.7269, 0.1889), complex(0.285, 0.01), complex(-0.4, 0.6), complex(-0.835, -0.2321)}
	c := seeds[dice.IntN(len(seeds))] + complex(dice.Float64()*0.02-0.01, dice.Float64()*0.02-0.01)
	angle, zoom := dice.Float64()*2*math.Pi, 2.2+dice.Float64()
	sin, cos := math.Sincos(angle)
	const limit = 72
	return func(u, v float64) (r, g, b float64) {
		x, y := (u-0.5)*zoom, (v-0.5)*zoom
		z := complex(x*cos-y*sin, x*sin+y*cos)
		n := 0
		for ; n < limit && real(z)*real(z)+imag(z)*imag(z) < 64; n++ {
			z = z*z + c
		}
		t := float64(n)
		if n < limit {
			t -= math.Log2(math.Log(real(z)*real(z)+imag(z)*imag(z)) / 2)
		}
		t /= limit
		r, g, b = tones.at(0.15 + math.Sqrt(math.Max(0, t))*1.4)
		dim := math.Min(1, 0.25+2.2*t)
		if n == limit {
			dim = 0.3
		}
		return r * dim, g * dim, b * dim
	}
}

// aurora is curtains of light over a starry sky.
func aurora(dice *rand.Rand, tones palette) painter {
	noise, stars := newField(dice), newField(dice)
	drift := dice.Float64() * 10
	return func(u, v float64) (r, g, b float64) {
		night := 0.05 + 0.10*v
		r, g, b = night*0.6, night*0.8, night*1.6
		if s := stars.at(math.Floor(u*160)*1.37, math.Floor(v*160)*2.11); s > 0.965 {
			r, g, b = r+0.6*s, g+0.6*s, b+0.7*s
		}
		for i := range 3 {
			k := float64(i)
			edge := 0.75 - 0.17*k + 0.25*(noise.cloud(u*2.5+drift+k*4, k*2, 3)-0.5)
			if v < edge {
				fall := math.Exp(-(edge - v) * (4 + 2*k))
				ray := fall * (0.35 + 0.9*noise.cloud(u*14+k*9, v*0.8, 2))
				cr, cg, cb := tones.at(0.2 + 0.22*k + 0.3*(edge-v))
				r, g, b = r+cr*ray*0.8, g+cg*ray*0.8, b+cb*ray*0.8
			}
		}
		ground := 0.9 + 0.06*(noise.cloud(u*5, 1, 3)-0.5)
		if v > ground {
			return 0.02, 0.03, 0.05
		}
		return r, g, b
	}
}

// sign hides the mark in the lowest bits of the first pixels, so that no two
// outputs have the same bytes and nobody sees a difference.
func sign(img *image.NRGBA, mark uint64) {
	for i := range min(24, len(img.Pix)/4) {
		for c := range 3 {
			bit := uint8(mark >> ((i*3 + c) % 64) & 1)
			img.Pix[i*4+c] = img.Pix[i*4+c]&^1 | bit
		}
	}
}
