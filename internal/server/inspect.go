package server

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/job"
)

// inspect reads raw once, before anything is decoded, and refuses what a
// decoder would only refuse at a cost or in words nobody understands: deep
// nesting, NaN and Infinity (which Python writes), text that is not UTF-8.
func inspect(raw []byte, maxDepth int) error {
	if !utf8.Valid(raw) {
		return &job.Error{Code: "bad_text", Class: job.Invalid, Message: "the body is not UTF-8", Hint: "save the file as UTF-8"}
	}
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i)
		case '{', '[':
			if depth++; depth > maxDepth {
				return &job.Error{Code: "too_deep", Class: job.Invalid, Message: fmt.Sprintf("the body nests deeper than %d levels", maxDepth),
					Hint: "no ComfyUI export does that; check how the file was made"}
			}
		case '}', ']':
			depth--
		case 'N', 'I': // no word of JSON has a capital letter
			if !bytes.HasPrefix(raw[i:], []byte("NaN")) && !bytes.HasPrefix(raw[i:], []byte("Infinity")) {
				continue
			}
			return &job.Error{Code: "bad_number", Class: job.Invalid, Message: "the body contains NaN or Infinity, which are not JSON numbers",
				Hint: "give the input a finite value"}
		}
	}
	return nil
}

// endOfString is where the string that starts at i ends.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i
}
