package ui

import (
	"fmt"
	"slices"
	"strings"
)

// spark draws numbers as a line of bars, one cell each.
func spark(st *Styles, values []float64) string {
	if len(values) == 0 {
		return ""
	}
	most := slices.Max(values)
	var b strings.Builder
	for _, v := range values {
		i := 0
		if most > 0 {
			i = int(v / most * float64(len(st.glyphs.spark)-1))
		}
		b.WriteString(st.glyphs.spark[max(0, i)])
	}
	return b.String()
}

// meter draws a part of a whole, n cells wide.
func meter(st *Styles, part float64, n int) string {
	n = max(n, 4)
	full := int(max(0, min(1, part))*float64(n) + 0.5)
	k := st.Good
	if part > 0.9 {
		k = st.Bad
	} else if part > 0.75 {
		k = st.Warn
	}
	return k.On(strings.Repeat(st.glyphs.bar, full)) + st.Quiet.On(strings.Repeat(st.glyphs.barEmpty, n-full))
}

// chartScale is how many cells the scale of a chart takes.
const chartScale = 7

// axisFrom is how high a chart must be for a line that says what its ends are.
const axisFrom = 5

// columnsChart draws values as columns h cells high, w wide, with the scale
// at the left; the newest is at the right, and the left end is from ago.
func columnsChart(st *Styles, k Ink, values []float64, unit func(float64) string, from string, w, h int) []string {
	w -= chartScale
	if w < 4 || h < 2 {
		return pad(nil, h)
	}
	var axis []string
	if h >= axisFrom {
		h--
		axis = []string{st.Quiet.On(blank(chartScale) + fit(from+" ago", w-3) + "now")}
	}
	values = widen(values, w)
	most := slices.Max(append([]float64{0}, values...))
	lines := make([]string, 0, h)
	for y := h - 1; y >= 0; y-- {
		label := ""
		switch y {
		case h - 1:
			label = unit(most)
		case 0:
			label = unit(0)
		}
		lines = append(lines, st.Quiet.On(fitRight(label, chartScale-1)+" ")+k.On(chartRow(st, values, most, y, h)))
	}
	return append(lines, axis...)
}

func chartRow(st *Styles, values []float64, most float64, y, h int) string {
	var b strings.Builder
	steps := len(st.glyphs.spark)
	for _, v := range values {
		level := 0
		if most > 0 {
			level = int(v / most * float64(h*steps))
		}
		if v > 0 && level == 0 {
			level = 1
		}
		switch over := level - y*steps; {
		case over <= 0:
			b.WriteByte(' ')
		case over >= steps:
			b.WriteString(st.glyphs.spark[steps-1])
		default:
			b.WriteString(st.glyphs.spark[over-1])
		}
	}
	return b.String()
}

// widen repeats values so that they fill n cells, or keeps the newest n.
func widen(values []float64, n int) []float64 {
	if len(values) == 0 {
		return make([]float64, n)
	}
	if len(values) >= n {
		return last(values, n)
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = values[i*len(values)/n]
	}
	return out
}

// barLine draws one named bar of a chart.
func barLine(st *Styles, k Ink, name string, v, most float64, value string, w int) string {
	room := max(4, w-14-12)
	n := 0
	if most > 0 {
		n = int(v / most * float64(room))
	}
	if v > 0 && n == 0 {
		n = 1
	}
	return st.Row.On(fit(name, 13)) + " " + k.On(strings.Repeat(st.glyphs.beam, n)) + " " + st.Quiet.On(value)
}

func wholeNumber(v float64) string { return fmt.Sprintf("%.0f", v) }

func last[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }
