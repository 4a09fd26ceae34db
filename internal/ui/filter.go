package ui

import (
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// filter picks rows by words: user:ada state:running node:SaveImage err:oom,
// a leading ! turns a word around, anything else is looked for in id, user,
// name, deployment, error and nodes. All words must hold; a comma means or.
type filter struct {
	text  string
	terms []term
}

type term struct {
	not    bool
	field  string // "", user, state, node or err
	values []string
}

func parseFilter(text string) filter {
	f := filter{text: text}
	for _, w := range strings.Fields(strings.ToLower(text)) {
		var t term
		if w, t.not = strings.CutPrefix(w, "!"); w == "" {
			continue
		}
		value := w
		if field, v, ok := strings.Cut(w, ":"); ok {
			switch field {
			case "user", "state", "node", "err":
				t.field, value = field, v
			}
		}
		for v := range strings.SplitSeq(value, ",") {
			if v != "" {
				t.values = append(t.values, v)
			}
		}
		if len(t.values) > 0 {
			f.terms = append(f.terms, t)
		}
	}
	return f
}

// matches reports whether a row is shown.
func (f filter) matches(r *row) bool {
	for _, t := range f.terms {
		if t.hits(r) == t.not {
			return false
		}
	}
	return true
}

func (t term) hits(r *row) bool {
	for _, v := range t.values {
		if t.hit(r, v) {
			return true
		}
	}
	return false
}

func (t term) hit(r *row, v string) bool {
	switch t.field {
	case "user":
		return strings.Contains(strings.ToLower(r.job.User), v)
	case "state":
		return stateMatches(r.job.State, v)
	case "node":
		return strings.Contains(r.nodes, v)
	case "err":
		return strings.Contains(r.fault, v)
	}
	return strings.Contains(r.search, v)
}

// stateMatches takes names of states, of the first site's statuses, and two
// words for groups: open and ended.
func stateMatches(s job.State, v string) bool {
	switch v {
	case "open":
		return !s.Terminal()
	case "ended":
		return s.Terminal()
	}
	return strings.HasPrefix(s.String(), v) || strings.HasPrefix(s.Status(), v)
}

// searchTexts are what filters look into, in lower case.
func searchTexts(j *api.Job) (search, nodes, fault string) {
	var n, f strings.Builder
	for _, x := range j.Expected {
		n.WriteString(x.Node + " " + x.Class + " " + x.Prefix + "\n")
	}
	if e := j.ErrorDetail; e != nil {
		f.WriteString(e.Code + " " + e.Message + " " + e.Node + " " + e.NodeType)
	} else if j.Error != nil {
		f.WriteString(*j.Error)
	}
	nodes, fault = strings.ToLower(n.String()), strings.ToLower(f.String())
	search = strings.ToLower(string(j.ID)+"\n"+j.User+"\n"+j.Name+"\n"+j.Deployment+"\n"+j.PromptID+"\n") + nodes + fault
	return search, nodes, fault
}
