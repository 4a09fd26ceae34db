package comfy

import (
	"bytes"
	"slices"
)

// changedKey is a key that a server writes into the nodes of a running prompt, and so
// into its files: what IS_CHANGED of the class said then, often NaN. A server that is sent
// one takes it for the answer and does not ask the class again (execution.py).
const changedKey = "is_changed"

// CleanPrompt is raw without what a prompt that was read from a file or a picture may
// carry and JSON has not: a byte order mark, and bare NaN and Infinity under is_changed
// of a node, which become null. In any other place they stay and are refused. raw itself
// is not changed.
func CleanPrompt(raw []byte) []byte {
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	if !bytes.Contains(raw, []byte(`"`+changedKey+`"`)) || !slices.ContainsFunc(bareNumbers, func(w []byte) bool { return bytes.Contains(raw, w) }) {
		return raw
	}
	out, kept := []byte(nil), 0 // raw[:kept] is in out
	depth, key := 0, -1         // where the key of the value begins; -1 for none
	for at := 0; at < len(raw); {
		switch c := raw[at]; {
		case c == '"':
			end := at + stringLength(raw[at:])
			if depth == 2 && string(raw[at:end]) == `"`+changedKey+`"` && bytes.HasPrefix(bytes.TrimLeft(raw[end:], " \t\r\n"), []byte(":")) {
				key = at
			}
			at = end
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth < 2 || depth == 2 && raw[at] == ',' {
			key = -1
		}
		if n := bareNumber(raw[at:]); n > 0 && key >= 0 {
			out = append(append(out, raw[kept:at]...), "null"...)
			at += n
			kept = at
			continue
		}
		at++
	}
	return append(out, raw[kept:]...)
}
