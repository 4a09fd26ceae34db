package ui

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// prefs is what the panel keeps between starts.
type prefs struct {
	Pane   int    `json:"pane"`
	Sort   order  `json:"sort,omitempty"`
	Turned bool   `json:"turned,omitempty"`
	Filter string `json:"filter,omitempty"`
	Theme  Theme  `json:"theme,omitempty"`
}

// loadPrefs reads them; what cannot be read counts as none.
func loadPrefs(path string) (p prefs) {
	if path == "" {
		return p
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &p) != nil {
		return prefs{}
	}
	return p
}

// save writes them, whole or not at all. They are a comfort: a failure is not
// worth a word.
func (p prefs) save(path string) {
	b, err := json.Marshal(p)
	if path == "" || err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".prefs-*")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err != nil || cerr != nil || os.Rename(f.Name(), path) != nil {
		_ = os.Remove(f.Name())
	}
}

func (m *Model) restore(p prefs) {
	m.prefs = p
	if p.Pane > 0 && p.Pane < len(m.panes) {
		m.at = p.Pane
	}
	for _, o := range orders {
		if o == p.Sort {
			m.w.jobs.sort(o, p.Turned)
		}
	}
	m.w.jobs.setFilter(p.Filter)
	if m.w.opts.Theme == ThemeAuto && (p.Theme == ThemeDark || p.Theme == ThemeLight) {
		m.w.opts.Theme, m.dark = p.Theme, p.Theme == ThemeDark
	}
	m.restyle()
}

func (m *Model) savePrefs() {
	l := m.w.jobs
	now := prefs{Pane: m.at, Sort: l.by, Turned: l.turned, Filter: l.filter.text, Theme: m.w.opts.Theme}
	if now != m.prefs {
		m.prefs = now
		now.save(m.w.opts.Prefs)
	}
}
