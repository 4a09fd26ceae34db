package comfy

import (
	"bytes"
	"errors"
)

// errNotJSON is what the readers of foreign JSON return when its shape is wrong.
var errNotJSON = errors.New("not the JSON that was expected")

// withoutNaN turns NaN and Infinity, which Python's json writes bare, into null. It
// returns b itself when there is none. (ComfyUI 0.8.0, transcripts 03-prompt-errors,
// nan_number.)
func withoutNaN(b []byte) []byte {
	if !bytes.Contains(b, []byte("NaN")) && !bytes.Contains(b, []byte("Infinity")) {
		return b
	}
	out := make([]byte, 0, len(b))
	for i, quoted := 0, false; i < len(b); {
		n := bareNumber(b[i:])
		switch {
		case quoted && b[i] == '\\' && i+1 < len(b):
			out = append(out, b[i], b[i+1])
			i += 2
			continue
		case b[i] == '"':
			quoted = !quoted
		case !quoted && n > 0:
			out = append(out, "null"...)
			i += n
			continue
		}
		out = append(out, b[i])
		i++
	}
	return out
}

// bareNumber is the length of the Python number that b begins with, or zero.
func bareNumber(b []byte) int {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return len(word)
		}
	}
	return 0
}
