package server

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/job"
)

// inspect reads raw once, before anything is decoded, and refuses what a
// decoder would only refuse at a cost or in words nobody understands: deep
// nesting, NaN and Infinity (which Python writes), text that is not UTF-8. Where a
// node of the prompt says what is_changed once was, which nobody reads, it puts 0 in
// their place: a prompt that was read from a picture has them there.
func inspect(raw []byte, maxDepth int) error {
	if !utf8.Valid(raw) {
		return &job.Error{Code: "bad_text", Class: job.Invalid, Message: "the body is not UTF-8", Hint: "save the file as UTF-8"}
	}
	const nodeDepth = 3 // body, prompt, node
	depth, changed := 0, false
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			end := endOfString(raw, i)
			changed = changed || depth == nodeDepth && bytes.HasPrefix(raw[i:], []byte(`"is_changed"`))
			i = end
		case ',':
			changed = changed && depth > nodeDepth
		case '{', '[':
			if depth++; depth > maxDepth {
				return &job.Error{Code: "too_deep", Class: job.Invalid, Message: fmt.Sprintf("the body nests deeper than %d levels", maxDepth),
					Hint: "no ComfyUI export does that; check how the file was made"}
			}
		case '}', ']':
			depth--
			changed = changed && depth >= nodeDepth
		case 'N', 'I': // no word of JSON has a capital letter
			word := bareWord(raw[i:])
			if word == "" {
				continue
			}
			if changed {
				copy(raw[i:], "0       "[:len(word)])
				continue
			}
			return &job.Error{Code: "bad_number", Class: job.Invalid, Message: "the body contains NaN or Infinity, which are not JSON numbers",
				Hint: "give the input a finite value"}
		}
	}
	return nil
}

// bareWord is the word for a number that JSON has not, at the beginning of raw.
func bareWord(raw []byte) string {
	for _, word := range []string{"NaN", "Infinity"} {
		if bytes.HasPrefix(raw, []byte(word)) {
			return word
		}
	}
	return ""
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
