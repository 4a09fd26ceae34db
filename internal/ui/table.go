package ui

import (
	"slices"
	"strings"
)

// column is one column of a table. On a narrow screen those of a low rank get
// their room first; rank 0 always stays.
type column struct {
	id    string
	title string
	width int // cells; for a flexible column the least it needs
	flex  int // its part of the cells that are left; 0 keeps the width
	most  int // cells that a flexible column takes at most; 0 for all
	rank  int
	right bool
	// middle cuts a long text in its middle: names of files differ at the end.
	middle bool
}

// cell is one field of a row: clean text and its colour.
type cell struct {
	text string
	ink  Ink
}

// rows is what a table shows. Only the rows on the screen are asked for.
type rows interface {
	len() int
	key(i int) string
	find(key string) int // -1 when it is not there
	cell(i int, column string) cell
	marked(i int) bool
}

// table shows rows with a cursor that stays on its row, by key, however the
// rows move. The zero value is ready.
type table struct {
	columns  []column
	rows     rows
	sorted   string // id of the column with the arrow; empty for none
	turned   bool
	selected string // the key under the cursor
	at       int    // where it was seen last
	held     bool   // somebody chose a row; until then the cursor stays on top
	offset   int    // first row on the screen
	height   int    // rows on the screen at the last view
}

// settle finds the cursor's row again after the rows changed. When it is gone
// the cursor stays at its place.
func (t *table) settle() {
	n := t.rows.len()
	if i := t.rows.find(t.selected); i >= 0 && t.held {
		t.at = i
	}
	t.at = max(0, min(t.at, n-1))
	t.selected = ""
	if n > 0 {
		t.selected = t.rows.key(t.at)
	}
}

// move puts the cursor on row i, or the nearest there is. On the first row it
// stays on top, so that a list that nobody has touched begins at its beginning.
func (t *table) move(i int) {
	t.at, t.selected, t.held = i, "", false
	t.settle()
	t.held = t.at > 0
}

// act moves the cursor; false when the deed is not about that.
func (t *table) act(d deed) bool {
	t.settle()
	page := max(1, t.height-1)
	switch d {
	case up:
		t.move(t.at - 1)
	case down:
		t.move(t.at + 1)
	case pageUp:
		t.move(t.at - page)
	case pageDown:
		t.move(t.at + page)
	case top:
		t.move(0)
	case bottom:
		t.move(t.rows.len() - 1)
	default:
		return false
	}
	return true
}

// scroll keeps the cursor on a screen of h rows.
func (t *table) scroll(h int) {
	t.settle()
	t.height = h
	if t.at < t.offset {
		t.offset = t.at
	}
	if t.at >= t.offset+h {
		t.offset = t.at - h + 1
	}
	t.offset = max(0, min(t.offset, t.rows.len()-h))
}

// fitting chooses the columns that have room in w cells, with their widths:
// those of rank 0, then the others by rank, each that still fits.
func fitting(all []column, w int) []column {
	byRank := make([]int, len(all))
	for i := range all {
		byRank[i] = i
	}
	slices.SortStableFunc(byRank, func(a, b int) int { return all[a].rank - all[b].rank })
	left := w + 1
	in := make([]bool, len(all))
	for _, i := range byRank {
		if need := all[i].width + 1; all[i].rank == 0 || need <= left {
			in[i] = true
			left -= need
		}
	}
	var keep []column
	for i, c := range all {
		if in[i] {
			keep = append(keep, c)
		}
	}
	return stretch(keep, left)
}

// stretch gives cells that are left to the flexible columns, up to their most;
// what does not divide goes to the last.
func stretch(cols []column, left int) []column {
	for left > 0 {
		parts, final := 0, -1
		for i, c := range cols {
			if c.wants() > 0 {
				parts, final = parts+c.wants(), i
			}
		}
		if parts == 0 {
			break
		}
		all := left
		for i := range cols {
			n := all * cols[i].wants() / parts
			if i == final {
				n = left
			}
			left -= cols[i].widen(n)
		}
	}
	return cols
}

// widen gives a flexible column up to n cells and tells how many it took.
func (c *column) widen(n int) int {
	if c.most > 0 {
		n = min(n, c.most-c.width)
	}
	c.width += n
	return n
}

// wants is the column's part of what is left.
func (c column) wants() int {
	if c.most > 0 && c.width >= c.most {
		return 0
	}
	return c.flex
}

// view draws the head and h-1 rows, w cells wide.
func (t *table) view(st *Styles, w, h int) []string {
	if h < 2 {
		return pad(nil, h)
	}
	cols := fitting(t.columns, w-2)
	t.scroll(h - 1)
	lines := make([]string, 0, h)
	lines = append(lines, t.head(st, cols))
	for i := t.offset; i < min(t.offset+h-1, t.rows.len()); i++ {
		lines = append(lines, t.line(st, cols, i, w))
	}
	return pad(lines, h)
}

func (t *table) head(st *Styles, cols []column) string {
	var b strings.Builder
	b.WriteString("  ")
	for i, c := range cols {
		title := c.title
		if c.id == t.sorted {
			arrow := st.glyphs.down
			if t.turned {
				arrow = st.glyphs.up
			}
			title += arrow
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.fit(title))
	}
	return st.Head.On(b.String())
}

func (c column) fit(s string) string {
	switch {
	case c.right:
		return fitRight(s, c.width)
	case c.middle:
		s = cutMiddle(s, c.width)
	}
	return fit(s, c.width)
}

func (t *table) line(st *Styles, cols []column, i, w int) string {
	var b strings.Builder
	here, marked := i == t.at, t.rows.marked(i)
	over := Ink("")
	if here {
		over = st.Cursor
		b.WriteString(string(over))
	}
	b.WriteString(gutter(st, here, marked))
	used := 2
	for n, c := range cols {
		if n > 0 {
			b.WriteByte(' ')
			used++
		}
		x := t.rows.cell(i, c.id)
		text := c.fit(x.text)
		used += c.width
		if over == "" {
			b.WriteString(x.ink.On(text))
		} else {
			b.WriteString(text)
		}
	}
	if over != "" {
		b.WriteString(blank(w-used) + inkEnd)
	}
	return b.String()
}

// gutter is the two cells before a row: the cursor and the mark.
func gutter(st *Styles, here, marked bool) string {
	g := []string{" ", " "}
	if here {
		g[0] = st.glyphs.cursor
	}
	if marked {
		g[1] = st.glyphs.mark
		if !here {
			g[1] = st.Marked.On(g[1])
		}
	}
	return g[0] + g[1]
}

// pad makes exactly h lines.
func pad(lines []string, h int) []string {
	for len(lines) < h {
		lines = append(lines, "")
	}
	return lines[:max(0, h)]
}
