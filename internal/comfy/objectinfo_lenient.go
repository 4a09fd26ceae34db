package comfy

import (
	"bytes"
	"slices"
)

// bareNumbers are what Python's json writes for floats that JSON lacks.
var bareNumbers = [][]byte{[]byte("-Infinity"), []byte("Infinity"), []byte("NaN")}

// nullBareNumbers gives raw with each bare NaN and Infinity replaced by null.
// Text in strings stays as it is, and raw itself is never changed.
func nullBareNumbers(raw []byte) []byte {
	if !slices.ContainsFunc(bareNumbers, func(w []byte) bool { return bytes.Contains(raw, w) }) {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for at := 0; at < len(raw); {
		switch n := bareNumber(raw[at:]); {
		case raw[at] == '"':
			end := at + stringLength(raw[at:])
			out = append(out, raw[at:end]...)
			at = end
		case n > 0:
			out = append(out, "null"...)
			at += n
		default:
			out = append(out, raw[at])
			at++
		}
	}
	return out
}

// bareNumber is the length of the bare number at the start of raw, or 0.
func bareNumber(raw []byte) int {
	for _, w := range bareNumbers {
		if bytes.HasPrefix(raw, w) {
			return len(w)
		}
	}
	return 0
}

// stringLength is the length of the string at the start of raw, with its
// quotes; of an unclosed one, everything.
func stringLength(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}
