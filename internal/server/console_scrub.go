package server

import (
	"regexp"
	"strings"
	"unicode"
)

// secretRules take secrets out of text. The page extension has the same
// (queue_redirect/web/scrub.js); other callers of the console log may not.
var secretRules = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}`), "$1 [removed]"},
	{regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]*`), "[removed]"}, // JSON web tokens
	{regexp.MustCompile(`(?i)\b(sk|pk|hf|ghp|gho|github_pat|comfyui|qmt|xox[abp])[-_][\w-]{8,}`), "[removed]"},
	{regexp.MustCompile(`(?i)((?:token|secret|passwo?r?d|passwd|api[-_]?key|authorization|cookie|session|auth|qmtui)[\w-]*\\?["']?\s*[=:]\s*\\?["']?)[^\s"'&,;)}\\]{3,}`), "${1}[removed]"},
	{regexp.MustCompile(`(//)[^/\s:@]+:[^/\s@]+@`), "${1}[removed]@"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{32,}\b`), "[removed]"},
	{regexp.MustCompile(`data:[\w/+.-]+;base64,[\w+/=]+`), "data:[removed]"},
}

// opaque are long words; those with digits and both cases are keys.
var opaque = regexp.MustCompile(`\b[\w+/]{40,}={0,2}`)

// scrubbed is the text without what looks like a secret, and at most
// that many bytes of it.
func scrubbed(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), 4*most)], "")
	for _, rule := range secretRules {
		text = rule.what.ReplaceAllString(text, rule.by)
	}
	text = opaque.ReplaceAllStringFunc(text, func(word string) string {
		if strings.ContainsFunc(word, unicode.IsDigit) && strings.ContainsFunc(word, unicode.IsLower) && strings.ContainsFunc(word, unicode.IsUpper) {
			return "[removed]"
		}
		return word
	})
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
