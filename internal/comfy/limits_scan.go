package comfy

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDigits is the longest whole number that Python reads from text; a longer
// one raises ValueError and ComfyUI answers 500.
const maxDigits = 4300

var byteOrderMark = []byte("\xef\xbb\xbf")

// scan reads raw once, without recursion and without building values, and
// finds what encoding/json accepts or reports badly but ComfyUI stumbles over:
// nesting, NaN and Infinity, numbers that overflow, text that is not UTF-8 and
// lone surrogates. It is no validator: encoding/json comes after it. what is
// the name of raw in a message.
func scan(what string, raw []byte, lim Limits) *Refusal {
	if int64(len(raw)) > lim.Bytes {
		return refuseTooBig(what, int64(len(raw)), lim.Bytes)
	}
	if !utf8.Valid(raw) {
		return refuseText(what + " is not valid UTF-8")
	}
	s := scanner{what: what, raw: raw, maxDepth: lim.Depth}
	for s.at < len(raw) {
		if r := s.step(); r != nil {
			return r
		}
	}
	return nil
}

type scanner struct {
	what            string
	raw             []byte
	at              int
	depth, maxDepth int
}

func (s *scanner) step() *Refusal {
	c := s.raw[s.at]
	switch {
	case c == '"':
		return s.text()
	case c == '{' || c == '[':
		s.depth++
		if s.depth > s.maxDepth {
			return refuseTooDeep(s.what, s.maxDepth)
		}
	case c == '}' || c == ']':
		s.depth--
	case c == '-' || c >= '0' && c <= '9' || c == 'N' || c == 'I':
		return s.number()
	}
	s.at++
	return nil
}

// text skips a string and refuses escapes that are not Unicode text.
func (s *scanner) text() *Refusal {
	for s.at++; s.at < len(s.raw); s.at++ {
		switch s.raw[s.at] {
		case '"':
			s.at++
			return nil
		case '\\':
			if r := s.escape(); r != nil {
				return r
			}
		}
	}
	return nil
}

// escape stands on a backslash and leaves the scanner on the escape's last
// byte. A high surrogate must be followed at once by a low one: Go would put
// U+FFFD in its place, which is another text than the user's, and Python
// cannot write it (05-prefix/lone_surrogate).
func (s *scanner) escape() *Refusal {
	s.at++
	unit, ok := s.unit()
	if !ok {
		return nil
	}
	if unit < 0xD800 || unit > 0xDFFF {
		return nil
	}
	if unit < 0xDC00 && bytes.HasPrefix(s.raw[s.at+1:], []byte(`\u`)) {
		s.at += 2
		if low, ok := s.unit(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return nil
		}
	}
	return refuseText(s.what + ` contains half a surrogate pair (\ud800 to \udfff), which is not text`)
}

// unit reads uXXXX at the scanner and moves it to the last digit.
func (s *scanner) unit() (uint64, bool) {
	if s.at+4 >= len(s.raw) || s.raw[s.at] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.raw[s.at+1:s.at+5]), 16, 16)
	if err != nil {
		return 0, false
	}
	s.at += 4
	return n, true
}

// number reads one bare word that may be a number.
func (s *scanner) number() *Refusal {
	start := s.at
	for s.at++; s.at < len(s.raw) && isWord(s.raw[s.at]); s.at++ {
	}
	return faultyNumber(s.what, string(s.raw[start:s.at]))
}

func isWord(c byte) bool {
	return c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// faultyNumber refuses words that JSON does not have but Python writes, and
// numbers that Python turns into Infinity.
func faultyNumber(what, word string) *Refusal {
	switch word {
	case "NaN", "-NaN", "Infinity", "-Infinity":
		return refuseNumber(what, word)
	}
	if len(word) > maxDigits {
		return refuseNumber(what, fmt.Sprintf("a number of %d characters", len(word)))
	}
	if f, err := strconv.ParseFloat(word, 64); err != nil && math.IsInf(f, 0) && !isWhole(word) {
		return refuseNumber(what, word)
	}
	return nil
}

func isWhole(word string) bool {
	for i := range len(word) {
		if (word[i] < '0' || word[i] > '9') && (i > 0 || word[i] != '-') {
			return false
		}
	}
	return true
}
