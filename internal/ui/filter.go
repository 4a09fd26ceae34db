package ui

import (
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// filter picks rows by words: user:ada state:running node:SaveImage err:oom.
// user and state are whole names, since actions work on what a filter shows;
// user:~ad finds a part of one. A leading ! turns a word around. A word without
// a field is looked for in id, user, name, deployment, error and nodes. All
// words must hold; a comma means or.
type filter struct {
	text    string
	terms   []term
	problem string // why nothing matches: a word that cannot be read; empty for none
}

type term struct {
	not    bool
	field  string // one of filterFields, or empty
	values []string
}

var filterFields = []string{"user", "state", "node", "err"}

func parseFilter(text string) filter {
	f := filter{text: text}
	for _, w := range strings.Fields(text) {
		var t term
		if w, t.not = strings.CutPrefix(w, "!"); w == "" {
			continue
		}
		value := w
		if field, v, ok := strings.Cut(w, ":"); ok && isWord(field) {
			t.field, value = strings.ToLower(field), v
			if !slices.Contains(filterFields, t.field) {
				f.problem = "no field " + t.field + ": use " + strings.Join(filterFields, ", ")
				continue
			}
		}
		for v := range strings.SplitSeq(value, ",") {
			if t.field != "user" {
				v = strings.ToLower(v)
			}
			if t.field == "state" && v != "" && !slices.Contains(filterStates(), v) {
				f.problem = "no state " + v
			}
			if v != "" && v != "~" {
				t.values = append(t.values, v)
			}
		}
		if len(t.values) == 0 && t.field != "" {
			f.problem = t.field + ": needs a word after it"
		}
		if len(t.values) > 0 {
			f.terms = append(f.terms, t)
		}
	}
	return f
}

// isWord reports letters and nothing else: what may name a field.
func isWord(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz") == ""
}

// matches reports whether a row is shown.
func (f filter) matches(r *row) bool {
	if f.problem != "" {
		return false
	}
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
		if part, some := strings.CutPrefix(v, "~"); some {
			return strings.Contains(strings.ToLower(r.job.User), strings.ToLower(part))
		}
		return r.job.User == v
	case "state":
		return stateMatches(r.job.State, v)
	case "node":
		return strings.Contains(r.nodes, v)
	case "err":
		return strings.Contains(r.fault, v)
	}
	return strings.Contains(r.search, v)
}

// wholeUser reports a word that names whole users, and what it names first.
func (f filter) wholeUser() (name string, some bool) {
	for _, t := range f.terms {
		if t.field == "user" && !t.not && !strings.HasPrefix(t.values[0], "~") {
			return t.values[0], true
		}
	}
	return "", false
}

// stateMatches takes a name of filterStates.
func stateMatches(s job.State, v string) bool {
	switch v {
	case "open":
		return !s.Terminal()
	case "ended":
		return s.Terminal()
	}
	return s.String() == v || s.Status() == v
}

// filterStates are the names of states, of the first site's statuses, and two
// words for groups: open and ended.
func filterStates() []string {
	names := []string{"open", "ended"}
	for _, s := range job.States() {
		for _, n := range []string{s.String(), s.Status()} {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return names
}

// completeFilter completes the last word of a filter as far as all that fit it
// agree: the name of a field, of a user or of a state. fits are those that fit.
func completeFilter(text string, users []string) (completed string, fits []string) {
	start := strings.LastIndexAny(text, " \t") + 1
	word := strings.TrimPrefix(text[start:], "!")
	names := []string{}
	if field, values, ok := strings.Cut(word, ":"); ok {
		word = strings.TrimPrefix(values[strings.LastIndex(values, ",")+1:], "~")
		switch strings.ToLower(field) {
		case "user":
			names = users
		case "state":
			names = filterStates()
		}
	} else if word != "" {
		for _, f := range filterFields {
			names = append(names, f+":")
		}
	}
	whole, fits := complete(word, names)
	return strings.TrimSuffix(text, word) + whole, fits
}

// complete extends text to what all names that begin with it have in common.
func complete(text string, names []string) (completed string, fits []string) {
	for _, n := range names {
		if strings.HasPrefix(n, text) {
			fits = append(fits, n)
		}
	}
	if len(fits) == 0 {
		return text, nil
	}
	completed = fits[0]
	for _, n := range fits {
		for !strings.HasPrefix(n, completed) {
			completed = completed[:len(completed)-1]
		}
	}
	return completed, fits
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
