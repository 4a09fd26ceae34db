package share

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/job"
)

// A wish is the name that a file asks for below its user's folder: the user's
// own prefix with its folders, harmless whatever the name on the share is.
// Equal sources give equal wishes.
type wish struct {
	node   string // of the file's path; empty outside qm/
	source string // the folder on the share
	folder string // below the user's folder, slashes; "" for the user's folder itself
	dest   string // the place that the file has already, below the user's folder; "" for none

	base    string // the name on the share
	stem    string // before the number, with what separates the two
	digits  string // the number as the node wrote it; "" for a name without one
	tail    string // behind the number, before the extension: "_", "-audio"
	suffix  string // extension with its dot, or ""
	form    numberForm
	counter int
	width   int // digits that the number is to have at least
}

// numberForm is how surely the digits in a name are a counter.
type numberForm int

const (
	noNumber     numberForm = iota
	maybeCounter            // a number like any other (a year, a version): a counter only beside its neighbour
	paddedNumber            // zeros in front: Image Save of WAS, save nodes of ComfyUI 0.33, frames of sequences
	comfyCounter            // name_00001_.png: folder_paths.get_save_image_path, ComfyUI 0.8.0
)

// numberForms find the number of a name, the surest form first. Long numbers
// (seeds, times) are none.
var numberForms = []struct {
	form    numberForm
	pattern *regexp.Regexp
}{
	{comfyCounter, regexp.MustCompile(`^(?s)(.+_)([0-9]{5,7})(_[^0-9.]*)(\.[^.]*)?$`)},
	{paddedNumber, regexp.MustCompile(`^(?s)(.*[^0-9]|)(0[0-9]{2,4})((?:[-_ ][^.]*)?)(\.[^.]*)?$`)},
	{maybeCounter, regexp.MustCompile(`^(?s)(.*[-_. ])([0-9]{1,7})()(\.[^.]*)?$`)},
}

// maxNumbered bounds stem and tail of a name with a number, so that both and a
// number and an extension fit into a name.
const maxNumbered = maxStem + 5

func newWish(t job.Transfer, aside string) wish {
	parts := strings.Split(ownPath(string(t.Source)), "/")
	base := parts[len(parts)-1]
	w := wish{source: path.Dir(string(t.Source)), base: base, folder: harmlessFolder(parts[:len(parts)-1], aside), dest: t.Dest}
	_, w.node = origin(string(t.Source))
	for _, f := range numberForms {
		m := f.pattern.FindStringSubmatch(base)
		if m == nil || len(m[4]) > maxSuffix/2 {
			continue
		}
		w.form, w.stem, w.digits, w.tail, w.suffix = f.form, harmlessStem(m[1]), m[2], harmlessTail(m[3]), harmlessSuffix(m[4])
		w.counter, _ = strconv.Atoi(w.digits)
		if len(w.stem)+len(w.tail) <= maxNumbered {
			return w
		}
		break
	}
	return w.unnumbered()
}

// unnumbered is the same wish for a name whose digits are no counter.
func (w wish) unnumbered() wish {
	w.form, w.digits, w.tail, w.counter = noNumber, "", "", 0
	w.stem, w.suffix = splitSuffix(w.base)
	w.stem, w.suffix = harmless(w.stem), harmlessSuffix(w.suffix)
	return w
}

// harmlessStem keeps what separates a stem from its number when the rest has
// to be shortened. A name may begin with its number.
func harmlessStem(stem string) string {
	if stem == "" {
		return ""
	}
	last, n := utf8.DecodeLastRuneInString(stem)
	if !strings.ContainsRune("-_. ", last) {
		return harmless(stem)
	}
	return harmless(stem[:len(stem)-n]) + string(last)
}

func harmlessTail(tail string) string {
	if tail == "" {
		return ""
	}
	return tail[:1] + strings.TrimPrefix(harmless("x"+tail[1:]), "x")
}

// settleNumbers decides which numbers are counters, now that the names beside
// them are known, and how many digits each is to have. A number without zeros
// in front is one where it goes on from padded ones, or has a neighbour.
func settleNumbers(batch []wish) {
	padded, counters := map[seriesKey]int{}, map[seriesKey]map[int]bool{}
	for _, w := range batch {
		k := w.key()
		switch w.form {
		case comfyCounter, paddedNumber:
			n := min(len(w.digits), 5) // a longer one has outgrown its zeros
			padded[k] = cmp.Or(min(padded[k], n), n)
		case maybeCounter:
			if counters[k] == nil {
				counters[k] = map[int]bool{}
			}
			counters[k][w.counter] = true
		}
	}
	for i, w := range batch {
		k := w.key()
		width := padded[k]
		if w.form == maybeCounter && (width > 0 && len(w.digits) < width || width == 0 && !counters[k][w.counter-1] && !counters[k][w.counter+1]) {
			batch[i] = w.unnumbered()
			continue
		}
		batch[i].width = max(width, 1)
		if strings.HasPrefix(w.digits, "0") {
			batch[i].width = len(w.digits)
		}
	}
}

// place is the place with number n.
func (w wish) place(n int) string {
	name := w.stem + w.suffix
	switch {
	case w.form != noNumber:
		name = fmt.Sprintf("%s%0*d%s%s", w.stem, w.width, n, w.tail, w.suffix)
	case n > 1:
		name = fmt.Sprintf("%s-%d%s", w.stem, n, w.suffix)
	}
	return path.Join(w.folder, name)
}

// assign gives every file of a batch a place: those that have one keep it, the
// others get places that are free. standing holds the names in the users'
// folders by folder; what is assigned is added to it. Files of one node and
// folder that share stem and counter get one number, and the numbers rise with
// node and counter.
func assign(batch []wish, standing map[string][]string) []string {
	settleNumbers(batch)
	places := make([]string, len(batch))
	order := make([]int, len(batch))
	for i := range batch {
		order[i], places[i] = i, batch[i].dest
	}
	slices.SortStableFunc(order, func(a, b int) int { return batch[a].compare(batch[b]) })
	for len(order) > 0 {
		s := series{key: batch[order[0]].key()}
		rest := order[:0:0]
		for _, i := range order {
			if batch[i].key() == s.key && !s.has(batch[i]) {
				s.add(batch[i], i)
			} else {
				rest = append(rest, i)
			}
		}
		s.assign(standing[s.key.folder], places)
		for _, m := range s.members {
			folder, name := splitPlace(places[m.index])
			standing[folder] = append(standing[folder], name)
		}
		order = rest
	}
	return places
}

// splitPlace splits a place into folder and name; "" is the user's folder itself.
func splitPlace(dest string) (folder, name string) {
	folder, name = path.Split(dest)
	return strings.TrimSuffix(folder, "/"), name
}

func (w wish) compare(v wish) int {
	return cmp.Or(natural(w.node, v.node), cmp.Compare(w.source, v.source), cmp.Compare(w.stem, v.stem),
		cmp.Compare(w.counter, v.counter), cmp.Compare(w.tail, v.tail), cmp.Compare(w.suffix, v.suffix))
}

// natural orders numbers in names by their value, so that node 9 comes before node 12.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := leadingDigits(a), leadingDigits(b)
		if x != "" && y != "" {
			p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			break
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(a, b)
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}

// seriesKey is what files that are numbered together share. A name that begins
// with its number is known by what follows.
type seriesKey struct {
	source, folder, stem, tail string
	numbered                   bool
}

func (w wish) key() seriesKey {
	k := seriesKey{source: w.source, folder: w.folder, stem: w.stem, numbered: w.form != noNumber}
	if k.numbered && w.stem == "" {
		k.tail = w.tail
	}
	return k
}

// series are the files of one node and folder with one stem. Those without a
// number are one group: they get the same "-2".
type series struct {
	key     seriesKey
	members []member
	width   int  // the fewest digits of a member
	comfy   bool // numbered by ComfyUI's own rule
}

type member struct {
	wish
	index int // in the batch
}

func (s *series) has(w wish) bool {
	return slices.ContainsFunc(s.members, func(m member) bool { return m.counter == w.counter && m.tail == w.tail && m.suffix == w.suffix })
}

func (s *series) add(w wish, index int) {
	s.width = cmp.Or(min(s.width, w.width), w.width)
	s.comfy = s.comfy || w.form == comfyCounter
	s.members = append(s.members, member{w, index})
}

// number reads the number of a name that belongs to the series as it would
// stand in a user's folder; false for any other name.
func (s *series) number(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, s.key.stem)
	if !ok {
		return 0, false
	}
	if !s.key.numbered {
		rest, _ = splitSuffix(rest)
		n, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
		return cmp.Or(n, 1), rest == "" || err == nil && rest[0] == '-'
	}
	digits := leadingDigits(rest)
	rest = rest[len(digits):]
	if len(digits) < s.width || len(digits) > maxDigits || rest != "" && !strings.ContainsRune("-_. ", rune(rest[0])) {
		return 0, false
	}
	if s.key.stem == "" {
		if tail, _ := splitSuffix(rest); tail != s.key.tail {
			return 0, false
		}
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// maxDigits bounds what a name on disk can make of the counter.
const maxDigits = 8

// assign gives the members without a place one.
func (s *series) assign(standing []string, places []string) {
	own, taken := map[string]bool{}, map[int]bool{} // names of the members, numbers of others
	number := map[int]int{}                         // by counter, of members that have one
	highest := -1
	for _, m := range s.members {
		folder, name := splitPlace(m.dest)
		if n, ok := s.number(name); ok && folder == m.folder {
			own[name], number[m.counter], highest = true, n, max(highest, n)
		}
	}
	exists := make(map[string]bool, len(standing))
	for _, name := range standing {
		exists[name] = true
		if n, ok := s.number(name); ok {
			highest = max(highest, n)
			taken[n] = taken[n] || !own[name]
		}
	}
	free := func(m member, n int) bool {
		return !exists[path.Base(m.place(n))] && (!s.key.numbered || !taken[n])
	}
	var open []member
	for _, m := range s.members {
		if m.dest != "" {
			continue
		}
		if n, ok := number[m.counter]; ok && free(m, n) {
			places[m.index] = m.place(n)
			continue
		}
		open = append(open, m)
	}
	if len(open) == 0 {
		return
	}
	fits := func(offset int) bool {
		for _, m := range open {
			n := m.counter + offset
			if n < 0 || !free(m, n) {
				return false
			}
			for c, sibling := range number {
				if s.key.numbered && sibling == n && c != m.counter {
					return false
				}
			}
		}
		return true
	}
	for offset := range s.offsets(open[0].counter, number, highest) {
		if fits(offset) {
			for _, m := range open {
				places[m.index] = m.place(m.counter + offset)
			}
			return
		}
	}
}

// offsets are what may be added to the counters of the source, in the order of
// preference, without an end: that of the files named before; none, where a
// node's own numbers are worth keeping; then what continues the numbers in the
// user's folder.
func (s *series) offsets(lowest int, number map[int]int, highest int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if !s.key.numbered {
			for n := 1; yield(n); n++ {
			}
			return
		}
		before := -1
		for c := range number {
			before = max(before, c)
		}
		switch {
		case before >= 0:
			if !yield(number[before] - before) {
				return
			}
		case !s.comfy && (s.width != 5 || lowest > highest):
			if !yield(0) {
				return
			}
		}
		next := highest + 1
		if highest < 0 {
			next = min(lowest, 1)
		}
		for ; yield(next - lowest); next++ {
		}
	}
}
