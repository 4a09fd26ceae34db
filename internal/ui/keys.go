package ui

import (
	"fmt"
	"slices"
	"strings"
)

// deed is something a key does. Its text is its name in the palette.
type deed string

// The deeds. Panes understand those of their own scope.
const (
	quit        deed = "quit"
	help        deed = "help"
	openPalette deed = "palette"
	nextPane    deed = "next pane"
	prevPane    deed = "previous pane"
	redraw      deed = "redraw"
	refreshNow  deed = "refresh"
	freeMouse   deed = "free the mouse"
	theme       deed = "change theme"
	openFilter  deed = "filter"
	back        deed = "back"
	undo        deed = "undo"
	pause       deed = "pause or resume"
	drain       deed = "drain"

	goQueue    deed = "show queue"
	goOutputs  deed = "show outputs"
	goWorkers  deed = "show workers"
	goWarnings deed = "show warnings"
	goUsers    deed = "show users"
	goLog      deed = "show log"
	goCharts   deed = "show charts"
	goDoctor   deed = "show doctor"

	up       deed = "up"
	down     deed = "down"
	pageUp   deed = "page up"
	pageDown deed = "page down"
	top      deed = "top"
	bottom   deed = "bottom"
	open     deed = "open"
	copyText deed = "copy"

	mark      deed = "mark"
	markAll   deed = "mark all shown"
	sortNext  deed = "sort by next column"
	sortTurn  deed = "turn the order"
	cancel    deed = "cancel"
	cancelAll deed = "cancel all shown"
	retry     deed = "retry"
	retryAll  deed = "retry all shown"
	sooner    deed = "priority up"
	later     deed = "priority down"

	assign      deed = "assign orphan"
	discard     deed = "discard orphan"
	activate    deed = "make active"
	warm        deed = "warm up"
	check       deed = "check now"
	acknowledge deed = "acknowledge"
	liftBudget  deed = "spend beyond the budget"
	acceptShare deed = "accept the share"
	follow      deed = "follow"
	level       deed = "next level"
	source      deed = "other log"
	lookNow     deed = "look again"
	flyCanary   deed = "send a canary"
	fold        deed = "fold"
	nextMatch   deed = "next match"
	nextPicture deed = "next picture"
)

// scope is where a key works.
type scope string

const (
	everywhere scope = "everywhere"
	lists      scope = "lists"
	inQueue    scope = "queue"
	inOutputs  scope = "outputs"
	inWorkers  scope = "workers"
	inWarnings scope = "warnings"
	inUsers    scope = "users"
	inLog      scope = "log"
	inCharts   scope = "charts"
	inJob      scope = "job"
	inDoctor   scope = "doctor"
)

// scopes in the order in which help tells them.
var scopes = []scope{everywhere, lists, inQueue, inJob, inOutputs, inWorkers, inWarnings, inLog, inDoctor}

// binding joins keys with a deed. The table of bindings is the only place that
// knows keys: routing, help, the footer, the palette and docs/keys.md read it.
type binding struct {
	do    deed
	keys  []string // as Bubble Tea names them
	where scope
	short string // for the footer; empty keeps it out
	help  string
}

var bindings = []binding{
	{help, []string{"?", "f1"}, everywhere, "help", "every key that works here"},
	{openPalette, []string{":", "ctrl+p"}, everywhere, "palette", "find a deed by its name"},
	{goQueue, []string{"1"}, everywhere, "", "the queue"},
	{goOutputs, []string{"2"}, everywhere, "", "outputs by user, orphans on top"},
	{goWorkers, []string{"3"}, everywhere, "", "deployments and what they cost"},
	{goWarnings, []string{"4"}, everywhere, "", "what needs a person"},
	{goUsers, []string{"5"}, everywhere, "", "users and their share"},
	{goLog, []string{"6"}, everywhere, "", "the manager's log, or what the panel saw"},
	{goCharts, []string{"7"}, everywhere, "", "the last hour at a glance"},
	{goDoctor, []string{"8"}, everywhere, "", "whether everything stands as it must"},
	{nextPane, []string{"tab"}, everywhere, "", "the next pane"},
	{prevPane, []string{"shift+tab"}, everywhere, "", "the pane before"},
	{pause, []string{"p"}, everywhere, "pause", "pause the queue, or let it run again"},
	{drain, []string{"D"}, everywhere, "", "finish the jobs there are, take no new ones"},
	{undo, []string{"u"}, everywhere, "", "undo a cancel (5 s) or an assignment (30 s)"},
	{refreshNow, []string{"f5"}, everywhere, "", "ask the manager for everything anew"},
	{redraw, []string{"ctrl+l"}, everywhere, "", "draw the whole screen anew"},
	{freeMouse, []string{"m"}, everywhere, "", "give the mouse to the terminal, or take it"},
	{theme, []string{"T"}, everywhere, "", "dark, light, or as the terminal"},
	{back, []string{"esc"}, everywhere, "", "close, drop the filter, drop the marks"},
	{quit, []string{"q", "ctrl+c"}, everywhere, "quit", "leave the panel; a daemon goes on"},

	{up, []string{"up", "k"}, lists, "", "one row up"},
	{down, []string{"down", "j"}, lists, "", "one row down"},
	{pageUp, []string{"pgup", "ctrl+b"}, lists, "", "a page up"},
	{pageDown, []string{"pgdown", "ctrl+f"}, lists, "", "a page down"},
	{top, []string{"home", "g"}, lists, "", "the first row"},
	{bottom, []string{"end", "G"}, lists, "", "the last row"},
	{open, []string{"enter"}, lists, "open", "look closer"},
	{openFilter, []string{"/"}, lists, "filter", "show only what matches"},
	{copyText, []string{"y"}, lists, "", "copy the id or the path to the clipboard"},

	{cancel, []string{"c"}, inQueue, "cancel", "cancel the marked jobs, or this one"},
	{cancelAll, []string{"C"}, inQueue, "", "cancel every job the filter shows"},
	{retry, []string{"r"}, inQueue, "retry", "render the marked jobs again, or this one"},
	{retryAll, []string{"R"}, inQueue, "", "retry every ended job the filter shows"},
	{sooner, []string{"+", "="}, inQueue, "", "priority up"},
	{later, []string{"-"}, inQueue, "", "priority down"},
	{mark, []string{"space"}, inQueue, "mark", "mark or unmark, and go down"},
	{markAll, []string{"*"}, inQueue, "", "mark all that is shown, or unmark it"},
	{sortNext, []string{"s"}, inQueue, "sort", "sort by the next column"},
	{sortTurn, []string{"S"}, inQueue, "", "turn the order around"},

	{cancel, []string{"c"}, inJob, "cancel", "cancel this job"},
	{retry, []string{"r"}, inJob, "retry", "render this job again"},
	{fold, []string{"z"}, inJob, "fold", "fold or unfold the workflow"},
	{nextPicture, []string{"o"}, inJob, "picture", "the next of its pictures"},
	{nextMatch, []string{"n"}, inJob, "", "the next place that matches"},

	{assign, []string{"a"}, inOutputs, "assign", "give an orphan to a user"},
	{discard, []string{"x"}, inOutputs, "discard", "remove an orphan, which nobody gets"},

	{activate, []string{"a"}, inWorkers, "make active", "send jobs to this deployment from now on"},
	{warm, []string{"w"}, inWorkers, "warm up", "wake it; costs money and asks first"},
	{check, []string{"e"}, inWorkers, "check now", "ask how it is; that may wake it: asks first"},

	{acknowledge, []string{"a"}, inWarnings, "acknowledge", "seen: it stops counting in the header"},
	{liftBudget, []string{"b"}, inWarnings, "", "send jobs beyond today's budget: asks first"},
	{acceptShare, []string{"h"}, inWarnings, "", "take what is mounted now for the share: asks"},

	{follow, []string{"f"}, inLog, "follow", "stay at the newest line, or stop"},
	{level, []string{"l"}, inLog, "level", "show more or fewer kinds of lines"},
	{source, []string{"s"}, inLog, "", "the manager's log, or what the panel saw"},

	{lookNow, []string{"r"}, inDoctor, "look again", "look at everything anew; wakes nothing"},
	{flyCanary, []string{"c"}, inDoctor, "canary", "a small picture; costs money, asks first"},
}

// deedOf finds what a key does in a scope; empty for nothing. A pane's own
// keys go before those of lists, these before those that work everywhere.
func deedOf(key string, here scope) deed {
	for _, s := range []scope{here, lists, everywhere} {
		for _, b := range bindings {
			if b.where == s && slices.Contains(b.keys, key) {
				return b.do
			}
		}
	}
	return ""
}

// offered are the bindings that work in a scope, its own first.
func offered(here scope) []binding {
	var out []binding
	for _, s := range []scope{here, lists, everywhere} {
		for _, b := range bindings {
			if b.where == s && !useless(b, here) {
				out = append(out, b)
			}
		}
	}
	return out
}

// useless reports keys of lists that mean nothing in a scope.
func useless(b binding, here scope) bool {
	switch {
	case b.where != lists:
		return false
	case b.do == openFilter:
		return !filters(here)
	case b.do == open:
		return here == inCharts || here == inWorkers || here == inJob || here == inDoctor
	}
	return here == inCharts
}

// filters reports whether something can be looked for in a scope.
func filters(here scope) bool {
	return here == inQueue || here == inOutputs || here == inLog || here == inJob
}

var keyNames = strings.NewReplacer("shift+tab", "Shift+Tab", "ctrl+", "^", "pgup", "PgUp", "pgdown", "PgDn", "up", "Up", "down", "Down",
	"space", "Space", "enter", "Enter", "esc", "Esc", "tab", "Tab", "home", "Home", "end", "End", "f1", "F1", "f5", "F5")

// keyName is a key as people write it.
func keyName(k string) string { return keyNames.Replace(k) }

func keyList(keys []string) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = keyName(k)
	}
	return strings.Join(out, " ")
}

// KeysMarkdown is docs/keys.md, made of the table of bindings.
func KeysMarkdown() string {
	var b strings.Builder
	b.WriteString("# Keys of the panel\n\nGenerated from `internal/ui/keys.go` by `go generate ./internal/ui`; do not edit.\n")
	for _, s := range scopes {
		fmt.Fprintf(&b, "\n## %s\n\n| keys | does |\n|---|---|\n", strings.ToUpper(string(s[:1]))+string(s[1:]))
		for _, k := range bindings {
			if k.where != s {
				continue
			}
			var names []string
			for _, n := range k.keys {
				names = append(names, "`"+keyName(n)+"`")
			}
			fmt.Fprintf(&b, "| %s | **%s**: %s |\n", strings.Join(names, " "), k.do, k.help)
		}
	}
	b.WriteString("\nIn a dialog: `y` and `n` answer where nothing is typed, `Tab` and the arrow keys move the mark, `Enter` presses the marked button, `Esc` changes nothing. Where a name is typed, `Tab` completes it first.\n")
	return b.String()
}
