package ui

import tea "charm.land/bubbletea/v2"

// pane is one view of the world.
type pane interface {
	title() string
	scope() scope
	// act does what a key means here. It is called after the root has dealt
	// with what works everywhere.
	act(d deed) tea.Cmd
	// view draws exactly h lines of at most w cells.
	view(w, h int) []string
	// enter is called when the pane comes to the front.
	enter() tea.Cmd
	// click is a click on a line of the view; wheel turns by rows.
	click(y int) tea.Cmd
	wheel(rows int)
	// filterText is what the pane shows only; setFilter changes it.
	filterText() string
	setFilter(text string)
}

// records are rows that each have a name of their own, as the rows of a table.
type records[T any] struct {
	list func() []T
	name func(*T) string
}

func (r records[T]) len() int         { return len(r.list()) }
func (r records[T]) key(i int) string { return r.name(&r.list()[i]) }
func (r records[T]) marked(int) bool  { return false }

func (r records[T]) find(key string) int {
	all := r.list()
	for i := range all {
		if r.name(&all[i]) == key {
			return i
		}
	}
	return -1
}

// under is the record under a table's cursor; nil when there is none.
func (r records[T]) under(t *table) *T {
	if t.settle(); t.at < 0 || t.at >= r.len() {
		return nil
	}
	return &r.list()[t.at]
}

// listPane is what panes with one table share.
type listPane struct {
	m     *Model
	table table
	lead  int // lines above the table's head
}

func (p *listPane) act(d deed) tea.Cmd { p.table.act(d); return nil }
func (p *listPane) enter() tea.Cmd     { return nil }
func (p *listPane) filterText() string { return "" }
func (p *listPane) setFilter(string)   {}

func (p *listPane) click(y int) tea.Cmd {
	if y -= p.lead + 1; y >= 0 && y < p.table.height && p.table.offset+y < p.table.rows.len() {
		p.table.move(p.table.offset + y)
	}
	return nil
}

func (p *listPane) wheel(rows int) {
	p.table.settle()
	p.table.move(p.table.at + rows)
}
