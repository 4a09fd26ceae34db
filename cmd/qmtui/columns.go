package main

import (
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// columns writes a table: a head, rows, two spaces between. Every cell is made
// printable; a last column may be as long as it likes.
type columns struct {
	rows [][]string
}

func newColumns(head ...string) *columns { return &columns{rows: [][]string{head}} }

func (c *columns) add(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = printable(cell)
	}
	c.rows = append(c.rows, row)
}

func (c *columns) write(w io.Writer) error {
	widths := c.widths()
	var b strings.Builder
	for _, row := range c.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+2))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *columns) widths() []int {
	var widths []int
	for _, row := range c.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	return widths
}
