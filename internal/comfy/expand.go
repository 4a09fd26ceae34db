package comfy

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"
)

// Text that ComfyUI's page puts in for %date:...% and %Node.widget% before it
// sends a prompt (src/utils/searchAndReplace.ts, formatUtil.ts). Programs send
// it as it stands, and no server knows it.
var (
	replaced  = regexp.MustCompile(`%([^%]+)%`)
	dateParts = regexp.MustCompile(`dd?|MM?|hh?|mm?|ss?|yyy?y?`)
	unsafe    = regexp.MustCompile(`[/?<>\\:*|"\x00-\x1F\x7F]`)
)

// Expanded puts the dates and the widgets of other nodes into the inputs that
// lead the files of save nodes, as ComfyUI's page would have done. A text that
// is too long for a prefix stays as it is, and Check refuses it.
func (p *Prompt) Expanded(now time.Time, info *ObjectInfo) *Prompt {
	q := *p
	q.nodes = maps.Clone(p.nodes)
	for _, s := range p.saves(info) {
		for _, input := range []string{s.main, s.row.Name} {
			text, ok := s.node.inputs[input].(string)
			if !ok || len(text) > 2*maxPrefix || !strings.Contains(text, "%") {
				continue
			}
			full := replaced.ReplaceAllStringFunc(text, func(match string) string { return p.replacement(match, now) })
			n := *q.nodes[s.node.id]
			n.inputs = maps.Clone(n.inputs)
			n.inputs[input] = full
			q.nodes[s.node.id] = &n
		}
	}
	return &q
}

// replacement is what stands for "%...%", or that text itself.
func (p *Prompt) replacement(match string, now time.Time) string {
	node, widget, dotted := strings.Cut(strings.Trim(match, "%"), ".")
	switch format, isDate := strings.CutPrefix(node, "date:"); {
	case strings.Contains(widget, "."):
		return match
	case !dotted && isDate:
		return pageDate(format, now)
	case !dotted:
		return match
	}
	n := p.called(node)
	if n == nil {
		return match
	}
	value, ok := n.inputs[widget]
	if _, _, linked := LinkOf(value); !ok || linked {
		return match
	}
	literal := literalText(value)
	if len(literal) > maxPrefix {
		literal = strings.ToValidUTF8(literal[:maxPrefix+1], "_") // too long all the same
	}
	return unsafe.ReplaceAllString(literal, "_")
}

// called is the first node of that class, else of that title.
func (p *Prompt) called(name string) *node {
	for _, id := range p.order {
		if p.nodes[id].class == name {
			return p.nodes[id]
		}
	}
	for _, id := range p.order {
		meta, _ := p.nodes[id].rest["_meta"].(map[string]any)
		if meta["title"] == name {
			return p.nodes[id]
		}
	}
	return nil
}

// pageDate writes a time as the page does: dd, MM, hh, mm, ss with one letter
// or two, yy and yyyy.
func pageDate(format string, now time.Time) string {
	parts := map[byte]int{'d': now.Day(), 'M': int(now.Month()), 'h': now.Hour(), 'm': now.Minute(), 's': now.Second()}
	return dateParts.ReplaceAllStringFunc(format, func(part string) string {
		switch part {
		case "yy":
			return fmt.Sprintf("%02d", now.Year()%100)
		case "yyyy":
			return fmt.Sprint(now.Year())
		case "yyy":
			return part
		}
		return fmt.Sprintf("%0*d", len(part), parts[part[0]])
	})
}
